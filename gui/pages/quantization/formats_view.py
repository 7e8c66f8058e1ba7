"""The formats against each other: block sizes, errors, outliers, distributions; one shown at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.topics.quantization.params import DISTRIBUTIONS
from core.topics.quantization.plan import Plan
from core.topics.quantization.sweep import Point
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.pages.quantization import view_data
from gui.pages.quantization.error_shares import error_shares
from gui.pages.quantization.pareto import Pareto
from gui.pages.quantization.view_data import State
from gui.widgets.latest_work import LatestWork
from gui.widgets.segments import Segments
from gui.widgets.switcher import Switcher

SIZES, ERRORS, OUTLIERS, DISTRIBUTION = range(4)
_SWEEP_EVERY_MS = 100
_SWEEP_EMPTY = "Error against bits per parameter appears here once the parameters are valid."
_ERRORS_EMPTY = "The errors of each format appear here once the parameters are valid."
_OUTLIERS_EMPTY = "Run (F5) to see what one outlier in a thousand weights costs each format as it grows."
_NO_DISTRIBUTIONS = "Run (F5) to compare the formats on normal, Student-t, Laplace and uniform weights."


class FormatsView(Switcher):
    """What is behind the other buttons is made when it is looked at.

    `drawn` carries where what is now shown comes from, None for nothing, and whether it is of other parameters; None
    for what goes with the whole run.
    """

    drawn = Signal(object, object)

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
        self._state: State | None = None
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

    def draw(self, state: State) -> None:
        self._state = state
        self._draw()

    def _draw(self) -> None:
        state = self._state
        if state is None:
            return
        if self.index == SIZES:
            self._draw_sweep(state.plan, () if state.fitting is None else state.fitting.sweep)
        elif self.index == ERRORS:
            shares = error_shares(state.plan, state.fitting)
            self.errors.set_series(shares.series, x_range=shares.x_range, y_range=shares.y_range, read=shares.read)
            self.drawn.emit(view_data.measured(view_data.has_samples(state.fitting)), None)
        elif self.index == OUTLIERS:
            self._draw_outliers(state)
        else:
            self._draw_distributions(state)

    def _draw_sweep(self, plan: Plan, points: Sequence[Point]) -> None:
        """That of the run, or the plan's own, which takes too long for a slider and is made beside the GUI thread."""
        if points:
            self._sweep_soon.stop()
            self._sweep.forget()
            self._show_sweep((plan, points, True))
        elif not self._sweep_soon.isActive():
            rested_ms = int((time.monotonic() - self._swept_at) * 1e3)
            self._sweep_soon.start(max(0, _SWEEP_EVERY_MS - rested_ms))

    def _request_sweep(self) -> None:
        """The newest plan's. Not one for each move of a slider: they would take the time of what follows it at once."""
        self._swept_at = time.monotonic()
        if self._state is not None:
            plan = self._state.plan
            self._sweep.request(lambda: (plan, plan.sweep, False))

    def _show_sweep(self, answer: tuple[Plan, Sequence[Point], bool]) -> None:
        plan, points, by_run = answer
        here = view_data.setting_in_force(plan.params)
        self.pareto.set_settings(view_data.settings(points), here, plan.params.format)
        if self.index == SIZES:
            self.drawn.emit(view_data.measured(by_run), None)

    def _draw_outliers(self, state: State) -> None:
        """Of the last run: they are grown among weights of their own number."""
        params, result = state.plan.params, state.result
        curves = view_data.outlier_curves(result)
        self.outliers.set_series(curves)
        self.outliers.select_x(params.outlier_scale)
        outdated = result is not None and not params.asks_for_the_outliers_of(result.params)
        self.drawn.emit(Provenance.MEASURED_CPU if curves else None, outdated)

    def _draw_distributions(self, state: State) -> None:
        """Of the last run, and never outdated: no parameter but the seed changes them."""
        curves = view_data.distribution_curves(state.result, self.distributions.distribution)
        shown = self.distributions.curves
        shown.set_series(curves)
        shown.select_x(state.plan.params.block_size)
        self.drawn.emit(Provenance.MEASURED_CPU if curves else None, False)


class DistributionCurves(QWidget):
    """Error against block size, for one distribution at a time. `changed` carries the one that was chosen."""

    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ways = Segments([name.capitalize() for name in DISTRIBUTIONS])
        self.curves = error_chart(_NO_DISTRIBUTIONS, "block size", "weights")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.ways)
        column.addWidget(self.curves, 1)
        self.ways.chosen.connect(lambda _: self.changed.emit(self.distribution))

    @property
    def distribution(self) -> str:
        return DISTRIBUTIONS[self.ways.index]


def error_chart(empty: str, x_name: str, x_unit: str, y_name: str = "relative RMSE") -> LineChart:
    """An error, in percent, over sizes that come in powers of two."""
    x, y = Axis(x_name, x_unit, "powers", log=True), Axis(y_name, "%", "1-2-5", log=True)
    return LineChart(empty, x, y, selected_label="set in the form")


def error_histogram() -> LineChart:
    """Shares of the weights by error, on a logarithmic axis."""
    x, y = Axis("error / absmax of the block"), Axis("share of weights", "%", "1-2-5", log=True)
    return LineChart(_ERRORS_EMPTY, x, y)
