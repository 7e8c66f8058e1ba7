"""Lines over one axis, linear or logarithmic, with a legend, an exact read-out and a selected x."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, tr
from core.format import quantity
from gui import theme as themes
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.charts.pinned import A_NAME, behind
from gui.charts.series import RINGED, Mark, Series, away, corners, outline, point_at
from gui.theme import Theme, colour
from gui.widgets.data_table import DataTable, Value
from gui.widgets.figure import Figure
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.keyboard_nav import ArrowPad
from gui.widgets.legend import Entry, Legend

_WIDTH_PX = {"line": 2.0, "faint": 1.0, "dashed": 1.4, "rings": 1.8, "path": 1.8, "stairs": 1.8, "bins": 1.0}
_FILLED_PX, _FILL, _BEHIND = 2.0, 0.22, {"faint": 0.55, "bins": 0.75}
_MARK_FILL, _ABOVE_ALL = 0.6, 6
_PINNED = 0.4
_EDGE, _LOG_EDGE = 0.1, 0.2
"""Margins above and below: a share of the range of the values on a linear axis, decades on a logarithmic one."""
Ends = tuple[float, float]


class LineChart(Figure):
    """Lines over `x`. If x counts whole steps, the chart zooms, values are read at steps, and arrow keys walk along it.

    `x_picked` carries the whole x that was clicked or walked to, `series_picked` the key of the line nearest to a
    click.
    """

    x_picked = Signal(int)
    series_picked = Signal(str)

    def __init__(
        self, empty: Text | str, x: Axis, y: Axis, *, selected_label: Text = EMPTY, parent: QWidget | None = None
    ) -> None:
        """`selected_label` names the selected x in the legend."""
        super().__init__(empty, parent)
        self.x, self.y = x, y
        self.series: tuple[Series, ...] = ()
        self.marks: tuple[Mark, ...] = ()
        self.selected_x: float | None = None
        self._selected_label = selected_label
        self._x_ends, self._floor = (0.0, 1.0), 0.0
        self._read: Callable[[float], str | None] | None = None
        self.chart = self._make_chart()
        self._lines: list[pg.PlotCurveItem] = []
        self._mark_lines: list[pg.InfiniteLine] = []
        self._rings = pg.ScatterPlotItem(size=7, brush=None)
        self._cursor, self._dots = pg.InfiniteLine(angle=90), pg.ScatterPlotItem(size=8)
        for depth, item in enumerate((self._rings, self._cursor, self._dots), start=3):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self.legend, self._note = Legend(), FittedLabel()
        self.pad = ArrowPad(tr("Lines over {axis}", axis=x.name), self._on_arrow) if self._walks else QWidget()
        if isinstance(self.pad, ArrowPad):
            self.chart.leave_focus_to(self.pad)
        column = QVBoxLayout(self.pad)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.chart, 1)
        column.addWidget(self.legend)
        column.addWidget(self._note)
        self.chart.clicked.connect(self._on_click)
        read_out(self.chart, self, self.describe)
        self.set_content(self.pad)

    def set_series(
        self,
        series: Sequence[Series],
        *,
        x_range: Ends | None = None,
        y_range: Ends | None = None,
        from_zero: bool = False,
        marks: Sequence[Mark] = (),
        note: Text | str = "",
        read: Callable[[float], str | None] | None = None,
        pinned: Sequence[Series] = (),
    ) -> None:
        """Draw these series; without a line that has a point, show the empty state.

        The axes span the ranges given; None is the range of the values (`from_zero`: including 0 on a linear y axis).
        A zoom stays while the x range is the same. `note` is written below. `read` returns the read-out at an x,
        instead of the value of every series. `pinned` are those of run A, drawn faint behind.
        """
        series = (*behind(pinned, series), *series)
        self.series = tuple(one for one in series if np.isfinite(one.y).any())
        self.marks, self._read = tuple(marks), read
        self._note.set_wordings(note)
        self._note.setVisible(bool(note))
        if not self._joined:
            self.series = ()
            self.show_empty()
            return
        self._set_ranges(x_range, y_range, from_zero)
        self._match(self._lines, len(self._joined), lambda: pg.PlotCurveItem(connect="finite"))
        for line, one in zip(self._lines, self._joined, strict=True):
            line.setData(*self._line_of(one), antialias=one.style != "bins")
        self._match(self._mark_lines, len(self.marks), _new_mark)
        for line, mark in zip(self._mark_lines, self.marks, strict=True):
            line.setValue(_place(self.x, mark.x))
            line.label.setFormat(mark.label)
            line.label.setPosition(mark.height)
        self._dress(themes.current())
        self.show_content()

    def select_x(self, x: float | None) -> None:
        """Mark an x with a line, and each series that has a value there with a dot. Emits no signal."""
        if x != self.selected_x:
            self.selected_x = x
            self._place_cursor(themes.current())

    def point_at(self, series: Series, place: float) -> Ends:
        """Where the point that is read of a series at `place` is on both axes; NaN if there is none."""
        return point_at(series.style, *self._places(series), place, between=not self._walks)

    def describe(self, x: float, _y: float) -> str | None:
        """The value of every series at a place of the x axis (the power of ten if it is logarithmic)."""
        low, high = self._x_ends
        if not self.series or not low <= x <= high:
            return None
        place = float(_place(self.x, round(x))) if self._walks else x
        if self._read is not None:
            return self._read(_value(self.x, place))
        digits = 4 if self._walks else 3
        x_value = quantity(_value(self.x, place), self.x.unit)
        head = tr("{axis} {value}", axis=self.x.name, value=x_value)
        lines = [head if self._walks else tr("{axis} = {value}", axis=self.x.name, value=x_value)]
        for one in self.series:
            x_of_point, y = self.point_at(one, place)
            if np.isfinite(y):
                value = self._value_text(one, place, y, digits)
                here = tr("{name}: {value}", name=one.name, value=value)
                near = quantity(_value(self.x, x_of_point), self.x.unit)
                beside = tr("{name} at {place}: {value}", name=one.name, place=near, value=value)
                lines.append(here if x_of_point == place else beside)
        marks = (mark.label for mark in self.marks if _place(self.x, round(mark.x)) == place)
        return "\n".join((*map(str, lines), *marks))

    def data_table(self) -> DataTable | None:
        """One row per point of each series; `upper` is the upper end of a band. Bins begin at x."""
        if self.is_empty or not self.series:
            return None
        rows: list[tuple[Value, ...]] = []
        for one in self.series:
            tops = one.y if one.upper is None else one.upper
            for x, y, top in zip(one.x.tolist(), one.y.tolist(), tops.tolist(), strict=False):
                upper = None if one.upper is None else top
                rows.append((one.name, x, self.x.unit, y, upper, self.y.unit))
        return DataTable(("series", "x", "x_unit", "y", "upper", "y_unit"), tuple(rows))

    def walk(self, by: int) -> None:
        """Pick the whole x that is `by` further on, within the axis."""
        low, high = (round(end) for end in self._x_ends)
        x = min(high, max(low, (low - 1 if self.selected_x is None else round(self.selected_x)) + by))
        if x != self.selected_x:
            self.x_picked.emit(x)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._cursor.setPen(pg.mkPen(colour(theme.tiles["current"], 0.9), width=1.5))
        self._dress(theme)

    def _value_text(self, series: Series, place: float, y: float, digits: int) -> Text:
        """What the read-out says of a series at a place: a band has both its ends."""
        low = quantity(_value(self.y, y), self.y.unit, digits)
        if series.upper is None:
            return low
        top = point_at(series.style, _place(self.x, series.x), _place(self.y, series.upper), place, between=True)[1]
        return tr("{low} to {high}", low=low, high=quantity(_value(self.y, top), self.y.unit, digits))

    @property
    def _walks(self) -> bool:
        return self.x.steps == "whole"

    @property
    def _joined(self) -> list[Series]:
        return [one for one in self.series if one.style != "marks"]

    def _places(self, series: Series) -> tuple[np.ndarray, np.ndarray]:
        return _place(self.x, series.x), _place(self.y, series.y)

    def _line_of(self, series: Series) -> tuple[np.ndarray, np.ndarray]:
        x, y = self._places(series)
        return corners(series.style, x, y) if series.upper is None else outline(x, y, _place(self.y, series.upper))

    def _make_chart(self) -> Chart:
        chart = Chart(self.x, self.y)
        chart.freeze(x=not self._walks, y=True)
        # An axis that shrinks with each shorter number would cause a second layout and a second paint per update.
        chart.getAxis("left").setStyle(autoReduceTextSpace=False)
        return chart

    def _set_ranges(self, x_range: Ends | None, y_range: Ends | None, from_zero: bool) -> None:
        xs, ys = zip(*(self._places(one) for one in self.series), strict=True)
        x_ends = (min(x.min() for x in xs), max(x.max() for x in xs)) if x_range is None else _place(self.x, x_range)
        left, right = (float(end) for end in x_ends)
        self._x_ends = (left, right) if right > left else (left - 0.5, left + 0.5)
        if y_range is None:
            tops = [_place(self.y, one.upper) for one in self.series if one.upper is not None]
            known = np.concatenate([y[np.isfinite(y)] for y in (*ys, *tops)])
            low, high = (0.0 if from_zero else float(known.min())), float(known.max())
            margin = _LOG_EDGE if self.y.log else _EDGE * (high - low) or 0.5
            y_ends = (low if from_zero else low - margin, high + margin)
        else:
            y_ends = tuple(_place(self.y, y_range).tolist())
        self._floor = y_ends[0]
        self.chart.set_home(self._x_ends, y_ends, keep_zoom=True)

    def _match(self, items: list[Any], count: int, make: Callable[[], Any]) -> None:
        while len(items) < count:
            items.append(make())
            self.chart.addItem(items[-1], ignoreBounds=True)
        while len(items) > count:
            self.chart.removeItem(items.pop())

    def _dress(self, theme: Theme) -> None:
        for line, one in zip(self._lines, self._joined, strict=True):
            series_colour, is_faint = _ink(theme, one), one.style in _BEHIND and not one.filled
            share = (_BEHIND[one.style] if is_faint else 1.0) * (_PINNED if one.pinned else 1.0)
            pen = pg.mkPen(colour(series_colour, share))
            pen.setWidthF(_FILLED_PX if one.filled else _WIDTH_PX[one.style])
            pen.setStyle(Qt.PenStyle.DashLine if one.style == "dashed" else Qt.PenStyle.SolidLine)
            line.setPen(pen)
            filled = (one.filled or one.upper is not None) and not one.pinned
            line.setFillLevel(None if not filled else "enclosed" if one.upper is not None else self._floor)
            line.setBrush(colour(series_colour, _FILL) if filled else None)
            line.setZValue(-1 if one.pinned else 0 if is_faint else 1)
        spots = []
        for one in (one for one in self.series if one.style in RINGED and not one.pinned):
            pen = pg.mkPen(_ink(theme, one), width=1.8)
            spots += [
                {"pos": place, "pen": pen} for place in zip(*self._places(one), strict=True) if np.isfinite(place[1])
            ]
        self._rings.setData(spots)
        for line in self._mark_lines:
            line.setPen(pg.mkPen(colour(theme.muted, 0.7), width=1, style=Qt.PenStyle.DotLine))
            line.label.setColor(theme.muted)
            line.label.fill = pg.mkBrush(colour(theme.sunken, _MARK_FILL))
            line.label.setFont(themes.ui_font("small"))
        self._place_cursor(theme)

    def _place_cursor(self, theme: Theme) -> None:
        x, spots = self.selected_x, []
        self._cursor.setVisible(x is not None)
        if x is not None:
            place = float(_place(self.x, x))
            self._cursor.setValue(place)
            for one in (one for one in self._joined if one.upper is None and not one.pinned):
                where, height = self.point_at(one, place)
                if np.isfinite(height) and where == place:
                    brush = pg.mkBrush(_ink(theme, one))
                    spots.append({"pos": (place, height), "brush": brush, "pen": pg.mkPen(theme.sunken, width=1.5)})
        self._dots.setData(spots)
        self._write_legend(theme)

    def _write_legend(self, theme: Theme) -> None:
        entries = [Entry(one.name, _ink(theme, one), one.swatch) for one in self.series if one.in_legend]
        if any(one.pinned for one in self.series):
            entries.append(Entry(str(A_NAME), theme.muted, "line"))
        if self._selected_label and self.selected_x is not None:
            entries.append(Entry(self._selected_label, theme.tiles["current"], "tick"))
        self.legend.set_entries(entries)

    def _on_arrow(self, _rows: int, steps: int) -> bool:
        if steps:
            self.walk(steps)
        return bool(steps)

    def _on_click(self, x: float, y: float) -> None:
        low, high = self._x_ends
        if not low <= x <= high:
            return
        if self._walks:
            self.x_picked.emit(round(x))
        gaps = {
            one.key: away(one.style, *self._places(one), (x, y), between=not self._walks)
            for one in self.series
            if one.key
        }
        if gaps:
            self.series_picked.emit(min(gaps, key=lambda key: (np.isnan(gaps[key]), gaps[key])))


def _place(axis: Axis, values: Any) -> Any:
    """Where values are on an axis."""
    return np.log10(values) if axis.log else np.asarray(values, dtype=np.float64)


def _value(axis: Axis, place: float) -> float:
    return 10.0**place if axis.log else place


def _ink(theme: Theme, series: Series) -> str:
    return theme.series[series.colour % len(theme.series)]


def _new_mark() -> pg.InfiniteLine:
    options = {"movable": False, "anchors": [(0, 0.5), (1, 0.5)]}
    line = pg.InfiniteLine(angle=90, label="", labelOpts=options)
    line.setZValue(_ABOVE_ALL)  # its label has a background, so that lines do not cross the words
    return line
