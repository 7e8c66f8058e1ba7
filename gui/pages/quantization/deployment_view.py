"""What a format means in practice: scales, memory of a whole model, outputs, kernels, the report, one at a time."""

from __future__ import annotations

from PySide6.QtCore import Signal

from core.contracts.result import Provenance, Result
from core.topics.quantization.model.plan import Plan
from gui.charts.row_chart import RowChart
from gui.pages.quantization import bit_budget, output_effect, report_figures, view_data
from gui.pages.quantization.kernels_view import KernelsView
from gui.pages.quantization.report_figures import LABELS
from gui.pages.quantization.report_table import ReportTable
from gui.pages.quantization.scales_view import ScalesView
from gui.widgets.switcher import Switcher

SCALES, MODEL, OUTPUTS, KERNELS, REPORT = range(5)
_OUTPUTS_OFF = "Switch Effect on outputs on and run (F5) to measure the loss of a small trained model in each format."


class DeploymentView(Switcher):
    """What is behind the other buttons is made when it is looked at.

    `provenance_changed` carries where what is now shown comes from, None for nothing.
    """

    provenance_changed = Signal(object)

    def __init__(self) -> None:
        self.scales, self.report = ScalesView(), ReportTable()
        self.budget = RowChart(bit_budget.EMPTY, "Whole model")
        self.outputs = RowChart(output_effect.EMPTY, "Effect on outputs")
        self.kernels = KernelsView()
        super().__init__(
            [
                ("Scales", self.scales),
                ("Whole model", self.budget),
                ("Outputs", self.outputs),
                ("Kernels", self.kernels),
                ("Report", self.report),
            ]
        )
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._fits = False
        self._tensor: str | None = None
        self._drawn: dict[int, object] = {}
        self.switched.connect(lambda _: self._draw())

    @property
    def shows_old_run(self) -> bool:
        """Whether what is shown is of a run of other parameters."""
        plan, result = self._plan, self._result
        if plan is None or result is None:
            return False
        if self.index == OUTPUTS:
            return not self.outputs.is_empty and not (self._fits and view_data.same_texts(plan, result))
        of_run = self.index == REPORT or (self.index == KERNELS and not self.kernels.shows_nothing)
        return of_run and not self._fits

    def draw(self, plan: Plan, result: Result | None, *, fits: bool) -> None:
        """Show a plan, and the last run; `fits` says whether that measured what the plan asks for."""
        if result is not self._result:
            self._drawn.clear()
        self._plan, self._result, self._fits = plan, result, fits
        self._draw()

    def select_tensor(self, tensor: str | None) -> None:
        """Light a tensor in the report."""
        self._tensor = tensor
        self.report.select_tensor(tensor)

    def _draw(self) -> None:
        plan, result = self._plan, self._result
        if plan is None:
            return
        provenance: Provenance | None = Provenance.MODELLED
        if self.index == SCALES:
            provenance = self._draw_scales(plan, result if view_data.fits_scales(plan, result) else None)
        elif self.index == MODEL:
            self.budget.choose(plan.params.format)
            self.budget.set_rows(bit_budget.budget_rows(report_figures.budget(plan), report_figures.memories()))
        elif self.index == OUTPUTS:
            outcomes = report_figures.outcomes(result)
            self.outputs.choose(plan.params.format)
            self.outputs.set_rows(output_effect.outcome_rows(outcomes))
            if not outcomes and not plan.params.outputs:
                self.outputs.show_empty(_OUTPUTS_OFF)
            provenance = Provenance.MEASURED_CPU if outcomes else None
        elif self.index == KERNELS:
            provenance = self.kernels.draw(plan, result)
        else:
            self._draw_report(plan, result)
            provenance = None if result is None else Provenance.MEASURED_CPU
        self.provenance_changed.emit(provenance)

    def _draw_scales(self, plan: Plan, fitting: Result | None) -> Provenance:
        """Scales do not depend on the format: they are drawn anew when something else changed."""
        by_run = fitting is not None and "scales.absmax" in fitting.arrays
        key = by_run, plan.params.changed(format="nf4")
        if self._drawn.get(SCALES) != key:
            self._drawn[SCALES] = key
            self.scales.set_scales(report_figures.scales(plan, fitting))
        return view_data.measured(by_run)

    def _draw_report(self, plan: Plan, result: Result | None) -> None:
        key = plan.params.checkpoint if result is None else ""
        if self._drawn.get(REPORT) != (key, result is None):
            self._drawn[REPORT] = key, result is None
            self.report.set_report(report_figures.report_tables(plan, result), LABELS, report_figures.saver(result))
        self.report.set_format(plan.params.format)
        self.report.select_tensor(self._tensor)
