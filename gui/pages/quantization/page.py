"""The view of quantization: codebooks over the weights, error map, errors against size, what it means in practice."""

from __future__ import annotations

from typing import Any

from core.contracts.params import Params
from core.contracts.result import Provenance, Result
from core.contracts.result_builder import from_partial
from core.topics.quantization.model.plan import Plan
from core.topics.quantization.params import FORMATS, QuantizationParams
from core.topics.quantization.payload import MAP_PREFIX
from gui.page.page import Page
from gui.page.selection import Selection
from gui.pages.quantization import key_metrics, view_data
from gui.pages.quantization.codebook_view import CodebookView
from gui.pages.quantization.deployment_view import DeploymentView
from gui.pages.quantization.error_maps import Report, format_grid, layer_grid, tensor_grid
from gui.pages.quantization.formats_view import FormatsView
from gui.pages.quantization.report_figures import LABELS
from gui.pages.quantization.views import EVERY_FORMAT, LAYERS, TENSORS, MapPanel
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
    "Error against bits a parameter for every format and block size (filled: scales in 8 bits): click a point to work "
    "with it. How large single errors are; what one outlier in a thousand does; which format wins on which "
    "distribution."
)
_DEPLOYMENT_HELP = (
    "What double quantization does to the scales; the memory that a whole model's weights take; the loss of a trained "
    "model with each format; the kernels beside bitsandbytes; and the report, tensor by tensor, to sort, filter and "
    "export."
)
_CARD_PX = 272
"""The least height at which six formats and their axes can be read; a lower window scrolls."""


class QuantizationPage(Page):
    """Selection kinds: tensor (its name), format (its id), code."""

    def build(self) -> None:
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._stale = False
        self._reports: dict[str, Report] = {}
        self._drawn_map: object = None
        self._shown_tensor: str | None = None
        self.headline, self.codebooks, self.map_panel = BadgedMetrics(), CodebookView(), MapPanel()
        self.formats_view, self.deployment_view = FormatsView(), DeploymentView()
        self.add_strip(self.headline)
        self.codebook_card = self.add_plot(self.codebooks, 0, 0, "Codebooks", _CODEBOOK_HELP)
        self.map_card = self.add_plot(self.map_panel, 0, 1, "Error map", _MAP_HELP)
        self.formats_card = self.add_plot(self.formats_view, 1, 0, "Formats", _FORMATS_HELP)
        self.deployment_card = self.add_plot(self.deployment_view, 1, 1, "In practice", _DEPLOYMENT_HELP)
        for card in self.plots.cards:
            card.setMinimumHeight(_CARD_PX)
        self._link()

    @property
    def drawing(self) -> bool:
        return self.formats_view.drawing

    # What the controller calls.

    def show_plan(self, plan: Plan, params: Params) -> None:
        self._plan = plan
        if plan.problem:
            self.form.show_fault(plan.problem, plan.blames)
        self.selection.update(format=plan.params.format)
        self._draw()

    def show_partial(self, payload: dict[str, Any]) -> None:
        """A report grows tensor by tensor, and the map with it."""
        self._take(from_partial(payload))

    def show_result(self, result: Result) -> None:
        self._drop_what_is_gone(result)
        self._take(result)

    def clear_result(self) -> None:
        self._take(None)
        self.selection.update(tensor=None)

    def set_stale(self, stale: bool) -> None:
        """Only what is still of a run of other weights or blocks is marked: the rest follows the parameters."""
        self._stale = stale
        old = stale and self._result is not None and not self._fits
        self.map_card.set_stale(old and self.map_panel.way != EVERY_FORMAT)
        self.formats_card.set_stale(stale and self.formats_view.shows_old_run)
        self.deployment_card.set_stale(stale and self.deployment_view.shows_old_run)

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

    # What a person does.

    def _link(self) -> None:
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
        self.map_panel.changed.connect(self._mark_stale)
        for view, card in ((formats, self.formats_card), (deployment, self.deployment_card)):
            view.provenance_changed.connect(card.set_provenance)
            view.switched.connect(self._mark_stale)

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
        found = self.selection.selection.get("tensor")
        return found if isinstance(found, str) else None

    @property
    def _fits(self) -> bool:
        """Whether the last run measured what the parameters ask for."""
        return self._plan is not None and view_data.fits(self._plan, self._result)

    def _take(self, result: Result | None) -> None:
        self._result, self._drawn_map = result, None
        self._reports.clear()
        if self._plan is None and result is not None:
            self.show_plan(self.topic.plan(view_data.params_of(result)), self.params)
        else:
            self._draw()

    def _draw(self) -> None:
        plan, fits = self._plan, self._fits
        if plan is None:
            return
        fitting = self._result if fits else None
        rows, weights = view_data.codebooks(plan, fitting), view_data.weight_counts(plan, fitting)
        self.codebooks.set_codebooks(rows, weights, plan.params.format)
        self.codebook_card.set_provenance(view_data.measured(view_data.has_samples(fitting)))
        self._draw_headline()
        self._draw_map()
        self.formats_view.draw(plan, self._result, fits=fits)
        self.deployment_view.draw(plan, self._result, fits=fits)
        self._mark_stale()

    def _draw_headline(self) -> None:
        if self._plan is not None:
            fitting = self._result if self._fits else None
            self.headline.set_groups(key_metrics.groups(self._plan, fitting, self._tensor))

    def _draw_map(self) -> None:
        """Tensors are of the last run, even one of other blocks (then the card says so); formats follow the plan."""
        plan, result, panel = self._plan, self._result, self.map_panel
        if plan is None:
            return
        panel.suggest(EVERY_FORMAT if view_data.is_of_one_tensor(result) else TENSORS)
        if panel.way == EVERY_FORMAT:
            self._draw_formats(plan, result if self._fits else None)
            self._drawn_map = None
        else:
            key = panel.way, panel.order.isChecked(), plan.params.format
            if self._drawn_map != key:
                self._drawn_map = key
                self._draw_tensors(plan, self._report(result, plan.params.format))
            self.map_card.set_provenance(None if panel.map.is_empty else Provenance.MEASURED_CPU)
        self._mark_in_map()

    def _draw_formats(self, plan: Plan, fitting: Result | None) -> None:
        """Of the selected tensor or the first one, where a run measured it; without a run of the plan's sample."""
        panel, tensor = self.map_panel, self._tensor
        report = self._report(fitting, plan.params.format)
        by_run = report is not None and view_data.has_report(fitting)
        if by_run and tensor is not None and report is not None and report.map_of(tensor) is None:
            panel.set_grid(None)
            panel.map.show_empty(f"This report has no errors of {tensor}: see Skipped, or wait for its turn.")
            panel.say(tensor)
            self.map_card.set_provenance(None)
            return
        panel.set_grid(format_grid(plan, lambda name: self._report(fitting, name), tensor))
        name = tensor or view_data.first_tensor(plan, fitting)
        panel.say(name if by_run else f"sample of {plan.sampled}")
        self.map_card.set_provenance(view_data.measured(by_run))

    def _draw_tensors(self, plan: Plan, report: Report | None) -> None:
        panel = self.map_panel
        if report is None or not report.tensors:
            panel.set_grid(None)
            panel.say("")
            return
        by_layer = panel.way == LAYERS
        grid = layer_grid(report) if by_layer else tensor_grid(report, worst_first=panel.order.isChecked())
        panel.set_grid(grid)
        if grid is None:
            panel.map.show_empty("No tensor's name tells its layer: the other views show them.")
        expected = 0 if plan.checkpoint is None else len(plan.checkpoint.measured)
        panel.say(*report.summary(expected, names_worst=not by_layer))

    def _mark_in_map(self) -> None:
        if self._plan is not None:
            of_formats = self.map_panel.way == EVERY_FORMAT
            self.map_panel.select_key(self._plan.params.format if of_formats else self._tensor)

    def _mark_stale(self, *_: object) -> None:
        self.set_stale(self._stale)

    def _report(self, result: Result | None, format_id: str) -> Report | None:
        """The report of the last run in one format, made once."""
        if result is None or f"{MAP_PREFIX}{format_id}" not in result.arrays:
            return None
        if format_id not in self._reports:
            self._reports[format_id] = Report(result, format_id)
        return self._reports[format_id]

    def _drop_what_is_gone(self, result: Result) -> None:
        """A tensor that this report does not have is no longer selected."""
        tensor = self._tensor
        if tensor is not None and all(row["tensor"] != tensor for row in result.tables.get("map_rows", [])):
            self.selection.update(tensor=None)
