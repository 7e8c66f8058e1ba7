"""How a cache would do: the share of requests that hit against its size, and the bytes in use as time goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.format import format_quantity
from gui import theme as themes
from gui.charts.chart import Chart, read_out
from gui.theme import Theme, colour
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend


@dataclass(frozen=True)
class ReuseLine:
    """y float [points] over x float [points], joined. `ink` counts into the theme's series."""

    label: str
    x: np.ndarray
    y: np.ndarray
    ink: int


class ReuseCurve(Figure):
    """Lines over one axis, which is logarithmic where `log_x`. `note` stands below: how the numbers were obtained."""

    def __init__(
        self,
        *,
        x: tuple[str, str],
        y: tuple[str, str],
        log_x: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("The reuse of bytes appears here after a run.", parent)
        self._x, self._y, self._log_x = x, y, log_x
        self.lines: tuple[ReuseLine, ...] = ()
        self._items: list[pg.PlotCurveItem] = []
        self.chart = Chart(x_label=x[0], y_label=y[0], x_unit=x[1], y_unit=y[1])
        self.chart.getAxis("bottom").setLogMode(log_x)
        self.chart.freeze()
        self.legend = Legend()
        self._note = QLabel()
        self._note.setProperty("role", "small")
        self._note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.chart, 1)
        column.addWidget(self.legend)
        column.addWidget(self._note)
        read_out(self.chart, self, self.describe)
        self.set_content(content)

    def set_lines(self, lines: Sequence[ReuseLine], note: str = "") -> None:
        """Draw other lines; none shows the empty state."""
        self.lines = tuple(line for line in lines if line.x.size)
        self._note.setText(note)
        self._note.setToolTip(note)
        self._note.setVisible(bool(note))
        if not self.lines:
            self.show_empty()
            return
        while len(self._items) < len(self.lines):
            self._items.append(pg.PlotCurveItem(antialias=True))
            self.chart.addItem(self._items[-1], ignoreBounds=True)
        while len(self._items) > len(self.lines):
            self.chart.removeItem(self._items.pop())
        for item, line in zip(self._items, self.lines, strict=True):
            item.setData(self._along(line.x), line.y)
        x = np.concatenate([self._along(line.x) for line in self.lines])
        highest = max(float(line.y.max()) for line in self.lines)
        top = 100.0 if self._y[1] == "%" else max(1e-9, highest * 1.08)
        self.chart.setRange(xRange=(float(x.min()), float(max(x.max(), x.min() + 1e-9))), yRange=(0, top), padding=0)
        self._dress(themes.current())
        self.show_content()

    def describe(self, x: float, _y: float) -> str | None:
        """Every line's value at the abscissa under the pointer."""
        if not self.lines:
            return None
        at = 10.0**x if self._log_x else x
        rows = [f"{self._x[0]}: {format_quantity(at, self._x[1])}"]
        for line in self.lines:
            value = float(np.interp(x, self._along(line.x), line.y))
            rows.append(f"{line.label}: {format_quantity(value, self._y[1])}")
        return "\n".join(rows)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self.chart.showGrid(x=True, y=True, alpha=0.15)
        self._dress(theme)

    def _along(self, x: np.ndarray) -> np.ndarray:
        return np.log10(np.maximum(x, 1.0)) if self._log_x else x.astype(np.float64)

    def _dress(self, theme: Theme) -> None:
        entries = []
        for item, line in zip(self._items, self.lines, strict=True):
            ink = theme.series[line.ink % len(theme.series)]
            item.setPen(pg.mkPen(colour(ink), width=2.2))
            entries.append(Entry(line.label, ink, "line"))
        self.legend.set_entries(entries)
