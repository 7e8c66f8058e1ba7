"""The view of quantization: codebooks over the weights, error map, errors against size, what it means in practice."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from core.checkpoint.tensor_table import TensorTable
from core.contracts.result import Provenance
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
from gui.pages.quantization.view_data import LABELS, State
from gui.widgets.badged_metrics import BadgedMetrics

_CODEBOOK_HELP = (
    "The weights of each block over its largest (absmax). Every format may only store its levels, the ticks in its "
    "row: where they lie is what it is good at. The histogram is cut into the bins that each code of the chosen format "
    "wins, with its share below. Click a row to choose a format, a bin to pick a code; the arrows do the same."
)
_MAP_HELP = (
    "Relative RMSE, in percent of the weights: brighter (darker in the light theme) is worse. Rows are tensors, kinds "
    "of tensors by layer, or formats. The wheel zooms along the rows, a double click shows all; click a row, or walk "
    "with the arrows, to select its tensor everywhere, and again to let it go."
)
_FORMATS_HELP = (
    "Error against bits per parameter for every format and block size (filled: scales in 8 bits): click a point to "
    "work with it. How large single errors are; what one outlier in a thousand does; which format wins on which "
    "distribution."
)
_DEPLOYMENT_HELP = (
    "What double quantization does to the scales; the memory that a whole model's weights take; the loss of a trained "
    "model with each format; the kernels beside bitsandbytes; and the report, tensor by tensor, to sort, filter and "
    "export."
)
_CARD_PX = 272
"""The least height at which six formats and their axes can be read; a lower window scrolls."""


class QuantizationPage(Page[Plan, QuantizationResult]):
    """Selection kinds: tensor (its name), format (its id), code."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._drawn_map: object = None
        self._shown_tensor: str | None = None
        self._tensors = TensorTable()
        self.headline, self.codebooks, self.map_panel = BadgedMetrics(), CodebookView(), MapPanel()
        self.formats_view, self.deployment_view = FormatsView(), DeploymentView()
        return (
            Strip(self.headline),
            _card("codebooks", self.codebooks, "Codebooks", _CODEBOOK_HELP, row=0, column=0),
            _card("map", self.map_panel, "Error map", _MAP_HELP, row=0, column=1),
            _card("formats", self.formats_view, "Formats", _FORMATS_HELP, row=1, column=0),
            _card("practice", self.deployment_view, "In practice", _DEPLOYMENT_HELP, row=1, column=1),
        )

    @property
    def drawing(self) -> bool:
        return self.formats_view.drawing

    def draw(self, state: State) -> None:
        plan, fitting = state.plan, state.fitting
        if plan.problem:
            self.form.show_fault(plan.problem, plan.blames)
        self.selection.update(format=plan.params.format)
        rows = view_data.codebooks(plan, fitting)
        self.codebooks.set_codebooks(rows, view_data.histogram(plan, fitting), plan.params.format)
        self.cards["codebooks"].set_provenance(view_data.measured(view_data.has_samples(fitting)))
        self._draw_headline()
        self._draw_map()
        self.formats_view.draw(state)
        self.deployment_view.draw(state)

    def draw_result(self, result: QuantizationResult | None) -> None:
        """A tensor that a whole report does not have is no longer selected; in one under way it may yet come."""
        self._drawn_map = None
        tensors = TensorTable() if result is None else result.tensors
        tensors.reuse_rows(self._tensors)
        self._tensors = tensors
        tensor = self._tensor
        gone = result is None or (result.has_whole_report and all(row.tensor != tensor for row in result.map_rows))
        if tensor is not None and gone:
            self.selection.update(tensor=None)

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Each setter is silent when nothing changes, so nothing loops."""
        tensor, code = self._tensor, selection.get("code")
        self.codebooks.select_code(code if isinstance(code, int) else None)
        self.deployment_view.select_tensor(tensor)
        if tensor != self._shown_tensor:
            self._shown_tensor = tensor
            self._draw_headline()
            if self.map_panel.way == EVERY_FORMAT:
                self._draw_map()
        self._mark_in_map()

    def dismiss(self) -> bool:
        """Escape lets a selected tensor go when there is nothing else to close."""
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
        """Another format in force: the form, and with it every picture, follows. '' (all, none) changes nothing."""
        if format_id in LABELS and format_id != self._params.format:
            self.form.propose(self._params.changed(format=format_id))

    def _choose_setting(self, key: tuple[str, int, bool]) -> None:
        format_id, block_size, nested = key
        changes: dict[str, Any] = {"format": format_id, "block_size": block_size}
        if not FORMATS[format_id].affine:  # its scales stay in float32, whatever is asked of the others
            changes["double_quantization"] = nested
        self.form.propose(self._params.changed(**changes))

    def _on_code(self, code: int) -> None:
        same = self.selection.selection.get("code") == code
        self.selection.update(code=None if same else code)

    def _on_map(self, key: str) -> None:
        if key in LABELS:
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

    def _draw_headline(self) -> None:
        if self.state is not None:
            self.headline.set_groups(key_metrics.groups(self.state.plan, self.state.fitting, self._tensor))

    def _draw_map(self) -> None:
        """Tensors are of the last run, even one of other blocks (then the card says so); formats follow the plan."""
        state, panel = self.state, self.map_panel
        if state is None:
            return
        panel.suggest(EVERY_FORMAT if view_data.is_of_one_tensor(state.result) else TENSORS)
        if panel.way == EVERY_FORMAT:
            self._draw_formats(state.plan, state.fitting)
            self._drawn_map = None
        else:
            key = panel.way, panel.order.isChecked(), state.plan.params.format
            if self._drawn_map != key:
                self._drawn_map = key
                self._draw_tensors(state.plan, state.result)
            self.cards["map"].set_provenance(None if panel.map.is_empty else Provenance.MEASURED_CPU)
        self._mark_in_map()

    def _draw_formats(self, plan: Plan, fitting: QuantizationResult | None) -> None:
        """Of the selected tensor or the first one, where a run measured it; without a run of the plan's sample."""
        panel, tensor = self.map_panel, self._tensor
        report = None if fitting is None else fitting.report(plan.params.format)
        by_run = report is not None and view_data.has_report(fitting)
        if by_run and tensor is not None and report is not None and report.map_of(tensor) is None:
            panel.set_grid(None)
            panel.map.show_empty(f"This report has no errors of {tensor}: see Skipped, or wait for its turn.")
            panel.say(tensor)
            self.cards["map"].set_provenance(None)
            return
        panel.set_grid(error_maps.format_grid(plan, fitting, tensor))
        if by_run:
            panel.say(tensor or view_data.first_tensor(plan, fitting))
        else:
            panel.say(f"sample of {plan.sampled}", "sample", "")
        self.cards["map"].set_provenance(view_data.measured(by_run))

    def _draw_tensors(self, plan: Plan, result: QuantizationResult | None) -> None:
        panel = self.map_panel
        report = None if result is None else result.report(plan.params.format)
        if report is None or not report.tensors:
            panel.set_grid(None)
            panel.say("")
            return
        by_layer, worst_first = panel.way == LAYERS, panel.order.isChecked()
        grid = error_maps.layer_grid(report) if by_layer else error_maps.tensor_grid(report, worst_first=worst_first)
        panel.set_grid(grid)
        if grid is None:
            panel.map.show_empty("Layers cannot be inferred from the tensor names: the other views show them.")
        expected = 0 if plan.checkpoint is None else len(plan.checkpoint.measured)
        panel.say(*error_maps.summary(report, expected, names_worst=not by_layer))

    def _mark_in_map(self) -> None:
        if self.state is not None:
            of_formats = self.map_panel.way == EVERY_FORMAT
            self.map_panel.select_key(self.state.plan.params.format if of_formats else self._tensor)


def _card(key: str, content: QWidget, title: str, help: str, *, row: int, column: int) -> CardSpec:
    return CardSpec(key, content, title, help, row=row, column=column, minimum_px=_CARD_PX)
