"""The card with the curves over the sweep: time, error, share of a ceiling, bytes, modelled time, and the roofline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import Text, tr
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.pages.compare import curve_series
from gui.pages.compare.curve_series import Curves, x_of, x_values
from gui.pages.compare.roofline_view import RooflineView
from gui.pages.compare.shown import Shown, first_axis
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.switcher import Switcher

TIME, ERROR, SHARE, BYTES, MODELLED, ROOFLINE = range(6)
_NAMES = ("time", "error", "share", "bytes", "modelled", "roofline")
_TITLES = (tr("Time"), tr("Error"), tr("Of ceiling"), tr("Bytes"), tr("Modelled"), tr("Roofline"))
_NO_TIMES = tr("Run (F5): times grow here, point by point. A recording that you drop on the page is drawn beside them.")
_NO_ERRORS = tr("Run (F5): the errors against float64 grow here, point by point, with the line of what is allowed.")
_NO_SHARES = tr("Run (F5): copy, read and matrix product are measured first, then the share of them that is reached.")
_NO_FORMULA = tr("Run (F5) to trace the Triton kernels: a file of your own has no formula for its bytes.")
_NOTHING_SWEPT = tr("Nothing is swept: the bars show the only point. Name a sweep in the form to see curves.")
_SIDE = 1.08
"""Space beside the first and the last point, as a factor."""


class CurvesView(QWidget):
    """Draws only the visible picture. `drawn` carries its provenance, `index_picked` the point of the sweep that is
    nearest to a click."""

    drawn = Signal(object)
    index_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.charts = tuple(LineChart(empty, Axis(steps="powers", log=True), y) for empty, y, _ in _PICTURES)
        self.roofline = RooflineView()
        pictures = zip(_NAMES, _TITLES, (*self.charts, self.roofline), strict=True)
        self.switcher = Switcher(list(pictures), "curves_view")
        self.badge, self.beside = ProvenanceBadge(), FittedLabel()
        self._shown: Shown | None = None
        self._chosen: int | None = None
        self._language = language.current()
        self._lay_out()
        self.switcher.switched.connect(self._on_switched)
        self.roofline.of.chosen.connect(lambda _: self._draw())
        for chart in self.charts:
            chart.chart.clicked.connect(lambda x, _y: self._on_click(x))

    def draw(self, shown: Shown) -> None:
        """Until the user chooses a picture, show the one that says most: before a run, what the plan knows."""
        self._shown = shown
        if self._chosen is None:
            self.switcher.blockSignals(True)
            self._show_picture(first_picture(shown))
            self.switcher.blockSignals(False)
        if self._language != language.current():  # hidden pictures have texts of the former language too
            self._language = language.current()
            for index in range(ROOFLINE + 1):
                self._draw_picture(shown, index)
        self._draw()

    def show_picture(self, index: int) -> None:
        """Bring a picture to the front, as its button does."""
        self.switcher.show_picture(index)

    def _show_picture(self, index: int) -> None:
        self._automatic = True
        self.switcher.show_picture(index)
        self._automatic = False

    def _lay_out(self) -> None:
        self._automatic = False
        line = QHBoxLayout()
        line.setContentsMargins(2, 0, 2, 0)
        line.setSpacing(6)
        line.addWidget(self.badge)
        line.addWidget(self.beside, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.switcher, 1)
        column.addLayout(line)

    def _draw(self) -> None:
        shown = self._shown
        if shown is None:
            return
        self.drawn.emit(self._draw_picture(shown, self.switcher.index))
        beside = curve_series.beside(shown) if self.switcher.index in (TIME, ERROR, SHARE) else ""
        recorded = any(source.provenance is Provenance.RECORDED for source in shown.sources)
        self.badge.setVisible(bool(beside) and recorded)
        self.badge.set_provenance(Provenance.RECORDED if beside and recorded else None)
        self.beside.setVisible(bool(beside))
        self.beside.set_wordings(beside)

    def _draw_picture(self, shown: Shown, index: int) -> Provenance | None:
        if index == ROOFLINE:
            return self.roofline.draw(shown)
        chart, axis, values = self.charts[index], first_axis(shown.plan), x_values(shown)
        if axis is None or shown.planned is None:
            chart.set_series(())
            chart.show_empty(_NOTHING_SWEPT if shown.plan.points else shown.plan.problem or None)
            return None
        curves = _PICTURES[index][2](shown)
        places = [x_of(values, value) for value in values]
        chart.chart.label("bottom", curve_series.x_name(shown))
        ends = (min(places) / _SIDE, max(places) * _SIDE)
        read = partial(curve_series.read_out, shown, curves.series, chart.y.unit)
        chart.set_series(curves.series, x_range=ends, note=curves.note if curves.series else "", read=read)
        chart.select_x(x_of(values, shown.planned.case[axis.name]))
        return curves.provenance

    def _on_switched(self, index: int) -> None:
        if not self._automatic:
            self._chosen = index
        self._draw()

    def _on_click(self, place: float) -> None:
        """The point of the sweep whose value on the first axis is nearest, all else equal."""
        shown = self._shown
        axis = None if shown is None else first_axis(shown.plan)
        if shown is None or axis is None or shown.planned is None:
            return
        values, here = x_values(shown), shown.planned.case
        away = [abs(np.log10(x_of(values, value)) - place) for value in values]
        value = values[int(np.argmin(away))]
        for index, planned in enumerate(shown.plan.points):
            others = [name for name, _ in planned.case.items() if name in _swept_names(shown) and name != axis.name]
            if planned.case[axis.name] == value and all(planned.case[name] == here[name] for name in others):
                self.index_picked.emit(index)
                return


def first_picture(shown: Shown) -> int:
    """Times if there are any, else bands and bounds, or bytes where no band differs from another, else errors."""
    if curve_series.time_curves(shown).series:
        return TIME
    bands = curve_series.modelled_curves(shown).series
    if bands:
        return BYTES if curve_series.bands_coincide(bands) else MODELLED
    if curve_series.error_curves(shown).series:
        return ERROR
    return TIME if shown.plan.swept or not shown.plan.points else ROOFLINE


def _swept_names(shown: Shown) -> set[str]:
    return {axis.name for axis, _ in shown.plan.swept}


_PICTURES: tuple[tuple[Text, Axis, Callable[[Shown], Curves]], ...] = (
    (_NO_TIMES, Axis(tr("time"), "ms", "1-2-5", log=True), curve_series.time_curves),
    (_NO_ERRORS, Axis(tr("RMS error"), "", "1-2-5", log=True), curve_series.error_curves),
    (_NO_SHARES, Axis(tr("share of the nearest ceiling"), "%"), curve_series.share_curves),
    (_NO_FORMULA, Axis(tr("bytes"), "bytes", "1-2-5", log=True), curve_series.byte_curves),
    (_NO_FORMULA, Axis(tr("modelled time"), "ms", "1-2-5", log=True), curve_series.modelled_curves),
)
"""The empty sentence, the y axis, and the curves of each picture but the roofline."""
