"""Curves over the steps of a training run, on linear axes: they grow while it runs, and one step is selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.format import format_quantity
from gui import theme as themes
from gui.charts.chart import Chart, read_out
from gui.theme import Theme, colour
from gui.widgets.figure import Figure
from gui.widgets.keyboard_nav import ArrowPad
from gui.widgets.legend import Entry, Legend

Style = Literal["line", "faint", "dashed", "rings", "stairs"]
_WIDTH_PX = {"line": 1.8, "faint": 1.0, "dashed": 1.4, "rings": 1.8, "stairs": 1.8}
_FAINT, _EDGE = 0.55, 0.06
_MOST_POINTS = 800
"""Of a curve that is drawn: more than there are pixels only cost time."""


@dataclass(frozen=True)
class Series:
    """One curve: x float or int [points], ascending, and y float [points], NaN where there is none.

    `ink` counts into the theme's series. 'faint' is for noisy values behind others, 'rings' for single observations
    joined by a line, 'stairs' for values that hold until the next one. `in_legend` False leaves out its name.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    ink: int
    style: Style = "line"
    in_legend: bool = True


@dataclass(frozen=True)
class Mark:
    """A named vertical line; `height` is the share of the plot's height at which its name stands."""

    x: float
    label: str
    height: float = 0.12


class StepCurves(Figure):
    """`step_picked` carries the whole abscissa that was clicked, or that the arrows reached."""

    step_picked = Signal(int)

    def __init__(self, empty: str = "The curves appear here once a run begins.", parent: QWidget | None = None) -> None:
        super().__init__(empty, parent)
        self.series: tuple[Series, ...] = ()
        self.marks: tuple[Mark, ...] = ()
        self.step: int | None = None
        self._x_name, self._y_unit, self._x_range = "step", "", (0.0, 1.0)
        self.chart = Chart(x_steps="whole")
        self.chart.freeze(x=False, y=True)
        self.chart.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # An axis that gave room back with each shorter number would be laid out, and all painted, twice an update.
        self.chart.getAxis("left").setStyle(autoReduceTextSpace=False)
        self._lines: list[pg.PlotCurveItem] = []
        self._mark_lines: list[pg.InfiniteLine] = []
        self._rings = pg.ScatterPlotItem(size=7, brush=None)
        self._dots = pg.ScatterPlotItem(size=8)
        self._cursor = pg.InfiniteLine(angle=90)
        for depth, item in enumerate((self._rings, self._cursor, self._dots), start=3):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self.legend = Legend()
        self.pad = ArrowPad("Curves over steps", self._walk)
        column = QVBoxLayout(self.pad)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.chart, 1)
        column.addWidget(self.legend)
        self.chart.clicked.connect(self._on_click)
        read_out(self.chart, self, self.describe)
        self.set_axes("step", "", "")
        self.set_content(self.pad)

    def set_axes(self, x_name: str, y_name: str, y_unit: str, *, y_steps_whole: bool = False) -> None:
        """Name both axes; `y_unit` stands behind the ticks and in the read-out."""
        self._x_name, self._y_unit = x_name, y_unit
        left = self.chart.getAxis("left")
        left.unit, left.steps = y_unit, "whole" if y_steps_whole else "any"
        self.chart.label("bottom", x_name)
        self.chart.label("left", y_name)

    def set_series(
        self,
        series: Sequence[Series],
        *,
        x_range: tuple[float, float] | None = None,
        marks: Sequence[Mark] = (),
        from_zero: bool = False,
    ) -> None:
        """Draw other curves; none with a point shows the empty state.

        `x_range` is what the axis spans, None being what there is; a zoom stays while it is the same.
        """
        self.series = tuple(one for one in series if np.isfinite(one.y).any())
        self.marks = tuple(marks)
        if not self.series:
            self.show_empty()
            return
        known = np.concatenate([one.y[np.isfinite(one.y)] for one in self.series])
        ends = [float(end) for one in self.series for end in (one.x[0], one.x[-1])]
        wide = x_range or (min(ends), max(ends))
        self._set_ranges(wide if wide[1] > wide[0] else (wide[0] - 0.5, wide[0] + 0.5), known, from_zero)
        self._match(self._lines, len(self.series), lambda: pg.PlotCurveItem(antialias=True, connect="finite"))
        for line, one in zip(self._lines, self.series, strict=True):
            line.setData(*drawn(one))
        self._match(self._mark_lines, len(self.marks), _new_mark)
        for line, mark in zip(self._mark_lines, self.marks, strict=True):
            line.setValue(mark.x)
            line.label.setFormat(mark.label)
            line.label.setPosition(mark.height)
        self._dress(themes.current())
        self.show_content()

    def select_step(self, step: int | None) -> None:
        """Stand at a step: a line, and a dot on each curve that has a value there. Emits nothing."""
        if step != self.step:
            self.step = step
            self._place_cursor(themes.current())

    def describe(self, x: float, _y: float) -> str | None:
        """Every curve's own value at the step nearest to the pointer."""
        if not self.series:
            return None
        low, high = self._x_range
        if not low <= x <= high:
            return None
        at = round(x)
        lines = [f"{self._x_name} {at:,}"]
        for one in self.series:
            where, value = value_at(one, at)
            if np.isfinite(value):
                of = "" if where == at else f" at {where:,.0f}"
                lines.append(f"{one.label}{of}: {format_quantity(value, self._y_unit, 4)}")
        return "\n".join((*lines, *(mark.label for mark in self.marks if round(mark.x) == at)))

    def walk(self, by: int) -> None:
        """Pick the step that lies `by` further, within the axis."""
        low, high = (round(end) for end in self._x_range)
        step = min(high, max(low, (low - 1 if self.step is None else self.step) + by))
        if step != self.step:
            self.step_picked.emit(step)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._cursor.setPen(pg.mkPen(colour(theme.tiles["current"], 0.9), width=1.5))
        self._dress(theme)

    def _set_ranges(self, wide: tuple[float, float], known: np.ndarray, from_zero: bool) -> None:
        low, high = (0.0 if from_zero else float(known.min())), float(known.max())
        margin = _EDGE * (high - low) or 0.5
        tall = (low if from_zero else low - margin, high + margin)
        box = self.chart.getViewBox()
        at_home = self.chart._home is None or self._x_range != wide or self._shows_all(box)
        self._x_range = wide
        if at_home:
            self.chart.set_home(wide, tall)
        else:
            self.chart._home = (wide, tall)
            box.setLimits(xMin=wide[0], xMax=wide[1], yMin=tall[0], yMax=tall[1])

    def _shows_all(self, box: pg.ViewBox) -> bool:
        home, (_, shown) = self.chart._home, box.viewRange()
        return home is None or bool(np.allclose(shown, home[1]))

    def _match(self, items: list[Any], count: int, make: Callable[[], Any]) -> None:
        while len(items) < count:
            items.append(make())
            self.chart.addItem(items[-1], ignoreBounds=True)
        while len(items) > count:
            self.chart.removeItem(items.pop())

    def _dress(self, theme: Theme) -> None:
        points = []
        for line, one in zip(self._lines, self.series, strict=True):
            ink = theme.series[one.ink % len(theme.series)]
            pen = pg.mkPen(colour(ink, _FAINT if one.style == "faint" else 1.0), width=_WIDTH_PX[one.style])
            if one.style == "dashed":
                pen.setStyle(Qt.PenStyle.DashLine)
            line.setPen(pen)
            line.setZValue(0 if one.style == "faint" else 1)
            if one.style == "rings":
                ring = pg.mkPen(ink, width=1.8)
                points += [{"pos": at, "pen": ring} for at in zip(one.x, one.y, strict=True) if np.isfinite(at[1])]
        self._rings.setData(points)
        for line in self._mark_lines:
            line.setPen(pg.mkPen(colour(theme.muted, 0.7), width=1, style=Qt.PenStyle.DotLine))
            line.label.setColor(theme.muted)
            line.label.setFont(themes.ui_font("small"))
        self._place_cursor(theme)
        self.legend.set_entries(
            Entry(one.label, theme.series[one.ink % len(theme.series)], "ring" if one.style == "rings" else "line")
            for one in self.series
            if one.in_legend
        )

    def _place_cursor(self, theme: Theme) -> None:
        step = self.step
        self._cursor.setVisible(step is not None)
        self._dots.setVisible(step is not None)
        if step is None:
            return
        self._cursor.setValue(step)
        spots = []
        for one in self.series:
            where, value = value_at(one, step)
            if np.isfinite(value) and where == step:
                brush = pg.mkBrush(theme.series[one.ink % len(theme.series)])
                spots.append({"pos": (step, value), "brush": brush, "pen": pg.mkPen(theme.sunken, width=1.2)})
        self._dots.setData(spots)

    def _walk(self, _rows: int, steps: int) -> bool:
        if steps:
            self.walk(steps)
        return bool(steps)

    def _on_click(self, x: float, _y: float) -> None:
        low, high = self._x_range
        if low <= x <= high:
            self.step_picked.emit(round(x))


def value_at(series: Series, x: float) -> tuple[float, float]:
    """The abscissa and the value of the point that holds at `x`: of a line the nearest, of stairs the last one.

    NaN outside the curve.
    """
    xs = series.x
    if not xs.size or not xs[0] <= x <= xs[-1]:
        return x, np.nan
    after = int(np.searchsorted(xs, x, side="right"))
    index = after - 1
    if series.style != "stairs" and after < xs.size and xs[after] - x < x - xs[index]:
        index = after
    return float(xs[index]), float(series.y[index])


def drawn(series: Series) -> tuple[np.ndarray, np.ndarray]:
    """The points to join, float64: stairs have their corners, long curves the lowest and highest of each stretch."""
    x, y = series.x.astype(np.float64), series.y.astype(np.float64)
    if series.style == "stairs":
        corner = np.append(True, y[1:] != y[:-1])
        corner[-1] = True
        x, y = x[corner], y[corner]
        return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    if x.size <= _MOST_POINTS:
        return x, y
    stride = -(-2 * x.size // _MOST_POINTS)
    whole = x.size // stride * stride
    blocks = np.where(np.isfinite(y[:whole]), y[:whole], 0.0).reshape(-1, stride)
    starts = np.arange(0, whole, stride)
    picked = np.sort(np.concatenate([starts + blocks.argmin(1), starts + blocks.argmax(1), np.arange(whole, x.size)]))
    return x[picked], y[picked]


def _new_mark() -> pg.InfiniteLine:
    options = {"movable": False, "anchors": [(0, 0.5), (1, 0.5)]}
    return pg.InfiniteLine(angle=90, label="", labelOpts=options)
