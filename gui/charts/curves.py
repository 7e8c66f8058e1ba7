"""Curves on logarithmic axes, with units, the point where one stands, and an exact read-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.format import format_quantity
from gui import theme as themes
from gui.charts.chart import Chart, read_out
from gui.theme import Theme, colour
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend


@dataclass(frozen=True)
class Curve:
    """One line: x and y float [points], all above zero. `ink` counts into the theme's series.

    `marks`: single observations, drawn as rings on the line of the same ink and not joined.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    ink: int
    marks: bool = False


class Curves(Figure):
    """Log-log curves. `here` is the x at which the person stands now: a line with a dot on each curve."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The curves appear here once there is something to compare.", parent)
        self.chart = Chart()
        self.chart.freeze()
        for side in ("bottom", "left"):
            self.chart.getAxis(side).setLogMode(True)
        self._curves: tuple[Curve, ...] = ()
        self._lines: list[pg.PlotCurveItem] = []
        self._dots = pg.ScatterPlotItem(size=9)
        self._rings = pg.ScatterPlotItem(size=8, brush=None)
        for depth, item in enumerate((self._rings, self._dots), start=2):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self._here_line = pg.InfiniteLine(angle=90)
        self._here: float | None = None
        self._x_name, self._units = "", ("", "")
        self.chart.addItem(self._here_line, ignoreBounds=True)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.chart, 1)
        column.addWidget(self.legend)
        read_out(self.chart, self, self.describe)
        self.set_content(content)

    def set_axes(self, x_name: str, x_unit: str, y_name: str, y_unit: str) -> None:
        """Name both axes; the units prefix the ticks and the read-out."""
        self._x_name, self._units = x_name, (x_unit, y_unit)
        for side, name, unit in (("bottom", x_name, x_unit), ("left", y_name, y_unit)):
            self.chart.getAxis(side).unit = unit
            self.chart.label(side, name)

    def set_curves(self, curves: Sequence[Curve], here: float | None = None) -> None:
        """Draw other curves and stand at `here`; no curve shows the empty state."""
        self._curves, self._here = tuple(curves), here
        lines = [curve for curve in curves if not curve.marks]
        if not lines:
            self.show_empty()
            return
        self._match_lines(len(lines))
        for line, curve in zip(self._lines, lines, strict=True):
            line.setData(np.log10(curve.x), np.log10(curve.y))
        x, y = np.concatenate([c.x for c in curves]), np.concatenate([c.y for c in curves])
        self.chart.setRange(
            xRange=np.log10((x.min(), x.max())), yRange=np.log10((y.min() / 1.6, y.max() * 1.6)), padding=0
        )
        self._here_line.setVisible(here is not None)
        self._dots.setVisible(here is not None)
        if here is not None:
            self._here_line.setValue(np.log10(here))
        self._dress(themes.current())
        self.show_content()

    def value_at(self, curve: Curve, x: float) -> float:
        """The curve at `x`, interpolated between its points in the logarithm; NaN outside them."""
        return float(10.0 ** np.interp(np.log10(x), np.log10(curve.x), np.log10(curve.y), left=np.nan, right=np.nan))

    def describe(self, log_x: float, log_y: float) -> str | None:
        """Every curve's value at the abscissa under the pointer (both in powers of ten)."""
        if not self._curves:
            return None
        x = 10.0**log_x
        lines = [f"{self._x_name} = {format_quantity(x, self._units[0])}"]
        for curve in self._curves:
            at, y = (x, self.value_at(curve, x)) if not curve.marks else _nearest(curve, x)
            where = f" at {format_quantity(at, self._units[0])}" if curve.marks else ""
            lines.append(f"{curve.label}{where}: {format_quantity(y, self._units[1])}")
        return "\n".join(lines)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self.chart.showGrid(x=True, y=True, alpha=0.15)
        self._here_line.setPen(pg.mkPen(colour(theme.tiles["current"], 0.8), width=1.5))
        self._dress(theme)

    def _match_lines(self, count: int) -> None:
        while len(self._lines) < count:
            line = pg.PlotCurveItem(antialias=True)
            self._lines.append(line)
            self.chart.addItem(line, ignoreBounds=True)
        while len(self._lines) > count:
            self.chart.removeItem(self._lines.pop())

    def _dress(self, theme: Theme) -> None:
        lines = [curve for curve in self._curves if not curve.marks]
        for line, curve in zip(self._lines, lines, strict=True):
            line.setPen(pg.mkPen(_ink(theme, curve), width=2.2))
        marks = [curve for curve in self._curves if curve.marks]
        self._rings.setData(
            [
                {"pos": (np.log10(x), np.log10(y)), "pen": pg.mkPen(_ink(theme, curve), width=2)}
                for curve in marks
                for x, y in zip(curve.x, curve.y, strict=True)
            ]
        )
        entries = [Entry(curve.label, _ink(theme, curve), "ring" if curve.marks else "line") for curve in self._curves]
        if self._here is not None:
            entries.append(Entry("set in the form", theme.tiles["current"], "tick"))
            self._dots.setData(
                [
                    {
                        "pos": (np.log10(self._here), np.log10(self.value_at(curve, self._here))),
                        "brush": pg.mkBrush(_ink(theme, curve)),
                        "pen": pg.mkPen(theme.sunken, width=1.5),
                    }
                    for curve in lines
                    if np.isfinite(self.value_at(curve, self._here))
                ]
            )
        self.legend.set_entries(entries)


def _ink(theme: Theme, curve: Curve) -> str:
    return theme.series[curve.ink % len(theme.series)]


def _nearest(curve: Curve, x: float) -> tuple[float, float]:
    """The observation nearest to `x`, in the logarithm."""
    index = int(np.argmin(np.abs(np.log(curve.x / x))))
    return float(curve.x[index]), float(curve.y[index])
