"""Compares the formats: by block size, errors, outliers and distributions; one picture at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.contracts.text import Text, tr, tr_in
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
_RELATIVE_RMSE = tr("relative RMSE")
_BUTTONS = {
    "normal": tr_in("distribution", "Normal"),
    "student-t": tr_in("distribution", "Student's t"),
    "laplace": tr_in("distribution", "Laplace"),
    "uniform": tr_in("distribution", "Uniform"),
}
_SWEEP_EVERY_MS = 100
_SWEEP_EMPTY = tr("Error against bits per parameter appears here once the parameters are valid.")
_ERRORS_EMPTY = tr("The errors of each format appear here once the parameters are valid.")
_OUTLIERS_EMPTY = tr("Run (F5) to see how the error of each format grows with one outlier in a thousand weights.")
_NO_DISTRIBUTIONS = tr("Run (F5) to compare the formats on normal, Student's t, Laplace and uniform weights.")


class FormatsView(Switcher):
    """Draws only the picture that is shown; the others are drawn when the user switches to them.

    `drawn` carries the provenance of the shown picture (None for an empty one), and whether it is outdated (None if
    that follows from the whole run).
    """

    drawn = Signal(object, object)

    def __init__(self) -> None:
        self.pareto, self.errors = Pareto(_SWEEP_EMPTY), error_histogram()
        self.outliers = error_chart(_OUTLIERS_EMPTY, tr("size of outliers"), "σ", tr("error of the other weights"))
        self.distributions = DistributionCurves()
        super().__init__(
            [
                ("block-sizes", tr("Block sizes"), self.pareto),
                ("errors", tr("Errors"), self.errors),
                ("outliers", tr("Outliers"), self.outliers),
                ("distributions", tr("Distributions"), self.distributions),
            ],
            "formats_view",
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
        """Draw the sweep of the run, or of the plan. That takes too long for a slider, so another thread makes it."""
        if points:
            self._sweep_soon.stop()
            self._sweep.forget()
            self._show_sweep((plan, points, True))
        elif not self._sweep_soon.isActive():
            rested_ms = int((time.monotonic() - self._swept_at) * 1e3)
            self._sweep_soon.start(max(0, _SWEEP_EVERY_MS - rested_ms))

    def _request_sweep(self) -> None:
        """Request the sweep of the newest plan, at most every 100 ms: more would slow down the rest of the page."""
        self._swept_at = time.monotonic()
        if self._state is not None:
            plan = self._state.plan
            self._sweep.request(lambda: (plan, plan.sweep, False))

    def _show_sweep(self, answer: tuple[Plan, Sequence[Point], bool]) -> None:
        plan, points, by_run = answer
        current = view_data.current_setting(plan.params)
        self.pareto.set_settings(view_data.settings(points), current, plan.params.format)
        if self.index == SIZES:
            self.drawn.emit(view_data.measured(by_run), None)

    def _draw_outliers(self, state: State) -> None:
        """Draw the outliers of the last run."""
        params, result = state.plan.params, state.result
        curves = view_data.outlier_curves(result)
        self.outliers.set_series(curves)
        self.outliers.select_x(params.outlier_scale)
        outdated = result is not None and not params.asks_for_the_outliers_of(result.params)
        self.drawn.emit(Provenance.MEASURED_CPU if curves else None, outdated)

    def _draw_distributions(self, state: State) -> None:
        """Draw the distributions of the last run. They are never outdated: no parameter but the seed changes them."""
        curves = view_data.distribution_curves(state.result, self.distributions.distribution)
        shown = self.distributions.curves
        shown.set_series(curves)
        shown.select_x(state.plan.params.block_size)
        self.drawn.emit(Provenance.MEASURED_CPU if curves else None, False)


class DistributionCurves(QWidget):
    """Error against block size, for one distribution at a time. `changed` carries the chosen distribution."""

    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = Segments([_BUTTONS[name] for name in DISTRIBUTIONS])
        self.curves = error_chart(_NO_DISTRIBUTIONS, tr("block size"), "weights")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.buttons)
        column.addWidget(self.curves, 1)
        self.buttons.chosen.connect(lambda _: self.changed.emit(self.distribution))

    @property
    def distribution(self) -> str:
        return DISTRIBUTIONS[self.buttons.index]


def error_chart(empty: Text, x_name: Text, x_unit: str, y_name: Text = _RELATIVE_RMSE) -> LineChart:
    """An error in percent against sizes, which are powers of two."""
    x, y = Axis(x_name, x_unit, "powers", log=True), Axis(y_name, "%", "1-2-5", log=True)
    return LineChart(empty, x, y, selected_label=tr("current parameter"))


def error_histogram() -> LineChart:
    """Shares of the weights by error, on a logarithmic axis."""
    x, y = Axis(tr("error / absmax of the block")), Axis(tr("share of weights"), "%", "1-2-5", log=True)
    return LineChart(_ERRORS_EMPTY, x, y)
