"""The formats against each other: block sizes, errors, outliers, distributions; one shown at a time."""

from __future__ import annotations

import time

from PySide6.QtCore import QTimer, Signal

from core.contracts.result import Provenance, Result, Row
from core.topics.quantization.model.plan import Plan
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.pages.quantization import view_data
from gui.pages.quantization.pareto import Pareto
from gui.pages.quantization.views import DistributionCurves, error_chart
from gui.widgets.latest_work import LatestWork
from gui.widgets.switcher import Switcher

SIZES, ERRORS, OUTLIERS, DISTRIBUTION = range(4)
_SWEEP_EVERY_MS = 100
_SWEEP_EMPTY = "Error against bits a parameter appears here once the parameters are valid."
_ERRORS_EMPTY = "The errors of each format appear here once the parameters are valid."
_OUTLIERS_EMPTY = "Run (F5) to see what one outlier in a thousand weights costs each format as it grows."


class FormatsView(Switcher):
    """What is behind the other buttons is made when it is looked at.

    `provenance_changed` carries where what is now shown comes from, None for nothing.
    """

    provenance_changed = Signal(object)

    def __init__(self) -> None:
        self.pareto, self.errors = Pareto(_SWEEP_EMPTY), error_histogram()
        self.outliers = error_chart(_OUTLIERS_EMPTY, "size of outliers", "σ", "error of the other weights")
        self.distributions = DistributionCurves()
        super().__init__(
            [
                ("Block sizes", self.pareto),
                ("Errors", self.errors),
                ("Outliers", self.outliers),
                ("Distributions", self.distributions),
            ]
        )
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._fits = False
        self._sweep = LatestWork(self)
        self._sweep_soon = QTimer(self, singleShot=True)
        self._swept_at = 0.0
        self._sweep_soon.timeout.connect(self._request_sweep)
        self._sweep.done.connect(self._show_sweep)
        self._sweep.failed.connect(self.pareto.show_empty)
        self.distributions.changed.connect(lambda _: self._draw())
        self.switched.connect(lambda _: self._draw())

    @property
    def drawing(self) -> bool:
        return self._sweep.busy or self._sweep_soon.isActive()

    @property
    def shows_old_run(self) -> bool:
        """Whether what is shown is of a run of other parameters. Distributions depend on none of them."""
        plan, shown = self._plan, self.index == OUTLIERS and not self.outliers.is_empty
        return plan is not None and shown and not view_data.fits_outliers(plan, self._result)

    def draw(self, plan: Plan, result: Result | None, *, fits: bool) -> None:
        """Show a plan, and the last run; `fits` says whether that measured what the plan asks for."""
        self._plan, self._result, self._fits = plan, result, fits
        self._draw()

    def _draw(self) -> None:
        plan = self._plan
        if plan is None:
            return
        fitting = self._result if self._fits else None
        if self.index == SIZES:
            self._draw_sweep(plan, [] if fitting is None else fitting.tables.get("sweep", []))
        elif self.index == ERRORS:
            shares = view_data.error_shares(plan, fitting)
            self.errors.set_series(shares.series, x_range=shares.x_range, y_range=shares.y_range, read=shares.read)
            self.provenance_changed.emit(view_data.measured(view_data.has_samples(fitting)))
        elif self.index == OUTLIERS:
            curves = view_data.outlier_curves(self._result)
            self.outliers.set_series(curves)
            self.outliers.select_x(plan.params.outlier_scale)
            self.provenance_changed.emit(Provenance.MEASURED_CPU if curves else None)
        else:
            self._draw_distributions(plan)

    def _draw_sweep(self, plan: Plan, rows: list[Row]) -> None:
        """That of the run, or the plan's own, which takes too long for a slider and is made beside the GUI thread."""
        if rows:
            self._sweep_soon.stop()
            self._sweep.forget()
            self._show_sweep((plan, rows, True))
        elif not self._sweep_soon.isActive():
            rested_ms = int((time.monotonic() - self._swept_at) * 1e3)
            self._sweep_soon.start(max(0, _SWEEP_EVERY_MS - rested_ms))

    def _request_sweep(self) -> None:
        """The newest plan's. Not one for each move of a slider: they would take the time of what follows it at once."""
        plan, self._swept_at = self._plan, time.monotonic()
        if plan is not None:
            self._sweep.request(lambda: (plan, view_data.sweep_rows(plan), False))

    def _show_sweep(self, answer: tuple[Plan, list[Row], bool]) -> None:
        plan, rows, by_run = answer
        here = view_data.setting_in_force(plan.params)
        self.pareto.set_settings(view_data.settings(rows), here, plan.params.format)
        if self.index == SIZES:
            self.provenance_changed.emit(view_data.measured(by_run))

    def _draw_distributions(self, plan: Plan) -> None:
        curves = view_data.distribution_curves(self._result, self.distributions.distribution)
        shown = self.distributions.curves
        shown.set_series(curves)
        shown.select_x(plan.params.block_size)
        self.provenance_changed.emit(Provenance.MEASURED_CPU if curves else None)


def error_histogram() -> LineChart:
    """Shares of the weights by error, on a logarithmic axis."""
    x, y = Axis("error / absmax of the block"), Axis("share of weights", "%", "1-2-5", log=True)
    return LineChart(_ERRORS_EMPTY, x, y)
