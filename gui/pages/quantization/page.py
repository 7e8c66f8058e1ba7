"""The quantization page: codebooks over the weights, error map, formats against each other, and practical effects."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from core.checkpoint.tensor_table import TensorTable
from core.contracts.result import Provenance
from core.contracts.text import Text, tr, tr_in
from core.topics.quantization.labels import source_label
from core.topics.quantization.params import FORMATS, QuantizationParams
from core.topics.quantization.plan import Plan
from core.topics.quantization.result import QuantizationResult
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.selection import Selection
from gui.pages.quantization import error_maps, key_metrics, view_data
from gui.pages.quantization.codebook_view import CodebookView
from gui.pages.quantization.deployment_view import DeploymentView
from gui.pages.quantization.formats_view import FormatsView
from gui.pages.quantization.map_panel import EVERY_FORMAT, LAYERS, TENSORS, MapPanel
from gui.pages.quantization.view_data import State
from gui.widgets.badged_metrics import BadgedMetrics
from gui.widgets.remark_strip import RemarkStrip
from gui.zoom import Px

_CODEBOOK_HELP = tr(
    "Each weight is divided by the largest magnitude of its block (absmax). A format can only store its levels, which "
    "are the ticks in its row. The histogram is cut into one bin per code of the chosen format; the numbers below are "
    "the shares of the weights that go to each code. Click a row to choose a format and a bin to select a code, or use "
    "the arrow keys."
)
_MAP_HELP = tr(
    "Relative RMSE in percent: brighter (darker in the light theme) is worse. Rows are tensors, kinds of tensors by "
    "layer, or formats. The wheel zooms along the rows, and a double click shows all rows. Click a row, or use the "
    "arrow keys, to select its tensor everywhere; click again to deselect it."
)
_FORMATS_HELP = tr(
    "Error against bits per parameter, for every format and block size (filled dots: scales in 8 bits). Click a point "
    "to use its settings. The other views show the distribution of errors, the effect of one outlier in a thousand "
    "weights, and which format is best on which distribution."
)
_DEPLOYMENT_HELP = tr(
    "The scales under double quantization, the memory that a whole model's weights take, the loss of a trained model "
    "in each format, the kernels compared with bitsandbytes, and the report of all tensors to sort, filter and export."
)
_CARD_PX = Px(272)
"""The least height at which six formats and their axes are readable; a lower window scrolls."""


class QuantizationPage(Page[Plan, QuantizationResult]):
    """Selection kinds: tensor (its name), format (its id), code, formats_view, practice_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._drawn_map: object = None
        self._shown_tensor: str | None = None
        self._tensors = TensorTable()
        self.key_metrics, self.codebooks, self.map_panel = BadgedMetrics(), CodebookView(), MapPanel()
        self.formats_view, self.deployment_view, self.remarks = FormatsView(), DeploymentView(), RemarkStrip()
        return (
            Strip(self.key_metrics),
            Strip(self.remarks),
            _card("codebooks", self.codebooks, tr("Codebooks"), _CODEBOOK_HELP, row=0, column=0),
            _card("map", self.map_panel, tr("Error map"), _MAP_HELP, row=0, column=1),
            _card("formats", self.formats_view, tr("Formats"), _FORMATS_HELP, row=1, column=0),
            _card("practice", self.deployment_view, tr("In practice"), _DEPLOYMENT_HELP, row=1, column=1),
        )

    @property
    def drawing(self) -> bool:
        return self.formats_view.drawing

    def draw(self, state: State) -> None:
        plan, fitting = state.plan, state.fitting
        if plan.problem:
            self.form.show_problem(plan.problem, plan.blames)
        self.remarks.set_remarks(plan.remarks)
        self.selection.update(format=plan.params.format)
        rows = view_data.codebooks(plan, fitting)
        self.codebooks.set_codebooks(rows, view_data.histogram(plan, fitting), plan.params.format)
        self.cards["codebooks"].set_provenance(view_data.measured(view_data.has_samples(fitting)))
        self._draw_key_metrics()
        self._draw_map()
        self.formats_view.draw(state)
        self.deployment_view.draw(state)

    def draw_result(self, result: QuantizationResult | None) -> None:
        """Deselect a tensor that a complete report does not have. While a run is under way it may still come."""
        self._drawn_map = None
        tensors = TensorTable() if result is None else result.tensors
        tensors.reuse_rows(self._tensors)
        self._tensors = tensors
        tensor = self._tensor
        is_gone = result is None or (result.has_whole_report and all(row.tensor != tensor for row in result.map_rows))
        if tensor is not None and is_gone:
            self.selection.update(tensor=None)

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Setters emit nothing if nothing changes, so there is no loop."""
        tensor, code = self._tensor, selection.get("code")
        self.codebooks.select_code(code if isinstance(code, int) else None)
        self.deployment_view.select_tensor(tensor)
        if tensor != self._shown_tensor:
            self._shown_tensor = tensor
            self._draw_key_metrics()
            if self.map_panel.view == EVERY_FORMAT:
                self._draw_map()
        self._mark_in_map()

    def dismiss(self) -> bool:
        """Escape deselects the tensor if there is nothing else to close."""
        if super().dismiss():
            return True
        if self._tensor is None:
            return False
        self.selection.update(tensor=None)
        return True

    # What the user does.

    def link(self) -> None:
        formats, deployment = self.formats_view, self.deployment_view
        for picked in (
            self.codebooks.format_picked,
            formats.errors.series_picked,
            deployment.budget.picked,
            deployment.outputs.picked,
        ):
            picked.connect(self._choose_format)
        deployment.report.format_chosen.connect(self._choose_format)
        deployment.report.tensor_picked.connect(lambda name: self.selection.update(tensor=name))
        formats.pareto.setting_picked.connect(self._choose_setting)
        self.codebooks.code_picked.connect(self._on_code)
        self.map_panel.key_picked.connect(self._on_map)
        self.map_panel.changed.connect(self._draw_map)
        formats.drawn.connect(lambda source, outdated: self._badge("formats", source, outdated))
        deployment.drawn.connect(lambda source, outdated: self._badge("practice", source, outdated))

    def _badge(self, key: str, provenance: Provenance | None, outdated: bool | None) -> None:
        self.cards[key].set_provenance(provenance, outdated=outdated)

    def _choose_format(self, format_id: str) -> None:
        """Choose another format: the form follows, and with it every picture. '' (all, none) changes nothing."""
        if format_id in FORMATS and format_id != self._params.format:
            self.form.propose(self._params.changed(format=format_id))

    def _choose_setting(self, key: tuple[str, int, bool]) -> None:
        format_id, block_size, nested = key
        changes: dict[str, Any] = {"format": format_id, "block_size": block_size}
        if not FORMATS[format_id].affine:  # the scales of the affine format always stay in float32
            changes["double_quantization"] = nested
        self.form.propose(self._params.changed(**changes))

    def _on_code(self, code: int) -> None:
        same = self.selection.selection.get("code") == code
        self.selection.update(code=None if same else code)

    def _on_map(self, key: str) -> None:
        if key in FORMATS:
            self._choose_format(key)
        else:
            self.selection.update(tensor=None if self._tensor == key else key)

    # Drawing.

    @property
    def _params(self) -> QuantizationParams:
        params = self.params
        assert isinstance(params, QuantizationParams)
        return params

    @property
    def _tensor(self) -> str | None:
        tensor = self.selection.selection.get("tensor")
        return tensor if isinstance(tensor, str) else None

    def _draw_key_metrics(self) -> None:
        if self.state is not None:
            self.key_metrics.set_groups(key_metrics.groups(self.state.plan, self.state.fitting, self._tensor))

    def _draw_map(self) -> None:
        """Tensors are those of the last run, even with other parameters (then the card says so); formats follow the
        plan."""
        state, panel = self.state, self.map_panel
        if state is None:
            return
        panel.suggest_view(EVERY_FORMAT if view_data.is_of_one_tensor(state.result) else TENSORS)
        if panel.view == EVERY_FORMAT:
            self._draw_formats(state.plan, state.fitting)
            self._drawn_map = None
        else:
            key = panel.view, panel.order.isChecked(), state.plan.params.format
            if self._drawn_map != key:
                self._drawn_map = key
                self._draw_tensors(state.plan, state.result)
            self.cards["map"].set_provenance(None if panel.map.is_empty else Provenance.MEASURED_CPU)
        self._mark_in_map()

    def _draw_formats(self, plan: Plan, fitting: QuantizationResult | None) -> None:
        """Draw a row per format of the selected tensor or the first one; without a run, of the plan's sample."""
        panel, tensor = self.map_panel, self._tensor
        report = None if fitting is None else fitting.report(plan.params.format)
        by_run = report is not None and view_data.has_report(fitting)
        if by_run and tensor is not None and report is not None and report.map_of(tensor) is None:
            panel.set_grid(None)
            no_errors = tr(
                "This report has no errors of {tensor}: it may be skipped, or not measured yet.", tensor=tensor
            )
            panel.map.show_empty(no_errors)
            panel.show_facts(tensor)
            self.cards["map"].set_provenance(None)
            return
        panel.set_grid(error_maps.format_grid(plan, fitting, tensor))
        if by_run:
            panel.show_facts(source_label(tensor or view_data.first_tensor(plan, fitting)))
        else:
            panel.show_facts(
                tr("sample of {source}", source=source_label(plan.sampled)), tr_in("quantization", "sample"), ""
            )
        self.cards["map"].set_provenance(view_data.measured(by_run))

    def _draw_tensors(self, plan: Plan, result: QuantizationResult | None) -> None:
        panel = self.map_panel
        report = None if result is None else result.report(plan.params.format)
        if report is None or not report.tensors:
            panel.set_grid(None)
            panel.show_facts("")
            return
        by_layer, worst_first = panel.view == LAYERS, panel.order.isChecked()
        grid = error_maps.layer_grid(report) if by_layer else error_maps.tensor_grid(report, worst_first=worst_first)
        panel.set_grid(grid)
        if grid is None:
            no_layers = tr("Layers cannot be inferred from the tensor names: use another view.")
            panel.map.show_empty(no_layers)
        expected = 0 if plan.checkpoint is None else len(plan.checkpoint.measured)
        panel.show_facts(*error_maps.summary(report, expected, names_worst=not by_layer))

    def _mark_in_map(self) -> None:
        if self.state is not None:
            of_formats = self.map_panel.view == EVERY_FORMAT
            self.map_panel.select_key(self.state.plan.params.format if of_formats else self._tensor)


def _card(key: str, content: QWidget, title: Text, help: Text, *, row: int, column: int) -> CardSpec:
    return CardSpec(key, content, title, help, row=row, column=column, minimum_px=_CARD_PX)
