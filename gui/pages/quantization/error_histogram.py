"""How large the errors are: the share of the weights in each bin of error over absmax, a line a format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui import theme as themes
from gui.charts.chart import Chart, read_out
from gui.charts.log_axis import LogAxis
from gui.theme import Theme, colour
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend

_FLOOR = 1e-3
"""Percent; shares below it are not told apart: a bin without a weight is at the bottom."""
_STEPS_A_DECADE, _REACH_STEP = 4, 0.05
"""Axes end at such steps, so that they stay as they are while a slider moves."""


@dataclass(frozen=True)
class ErrorCounts:
    """Of one format: `counts` int [bins]. `ink` counts into the theme's series."""

    id: str
    label: str
    counts: np.ndarray
    ink: int

    @property
    def shares(self) -> np.ndarray:
        return np.asarray(self.counts / max(1, int(self.counts.sum())))


class ErrorHistogram(Figure):
    """Shares on a logarithmic axis: the rare large errors are what differs. The chosen format is filled.

    `format_picked` carries the id of the line nearest to a click.
    """

    format_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The errors of each format appear here once the parameters are valid.", parent)
        self.formats: tuple[ErrorCounts, ...] = ()
        self.chosen = ""
        self._edges = np.linspace(-1, 1, 2)
        self.chart = Chart(x_label="error / absmax of the block")
        self.chart.setAxisItems({"left": LogAxis("left", "%")})
        self.chart.label("left", "share of weights")
        self.chart.freeze()
        self._lines: list[pg.PlotCurveItem] = []
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.chart, 1)
        column.addWidget(self.legend)
        read_out(self.chart, self, self.describe)
        self.chart.clicked.connect(self._on_click)
        self.set_content(content)

    def set_errors(self, formats: Sequence[ErrorCounts], edges: np.ndarray, chosen: str) -> None:
        """Errors between `edges` [bins + 1]; what lies beyond is in the outermost bins. None shows the empty state."""
        self.formats, self._edges, self.chosen = tuple(formats), edges, chosen
        if not any(found.counts.any() for found in formats):
            self.formats = ()
            self.show_empty()
            return
        while len(self._lines) < len(formats):
            line = pg.PlotCurveItem(antialias=False)
            self._lines.append(line)
            self.chart.addItem(line, ignoreBounds=True)
        while len(self._lines) > len(formats):
            self.chart.removeItem(self._lines.pop())
        for line, found in zip(self._lines, self.formats, strict=True):
            line.setData(edges, np.log10(np.maximum(100 * found.shares, _FLOOR)), stepMode="center")
        most = 100 * max(float(found.shares.max()) for found in formats)
        reach = self._reach()
        top = math.ceil(_STEPS_A_DECADE * (math.log10(most) + 0.1)) / _STEPS_A_DECADE
        self.chart.setRange(xRange=(-reach, reach), yRange=(np.log10(_FLOOR), top), padding=0)
        self._dress(themes.current())
        self.show_content()

    def describe(self, x: float, _y: float) -> str | None:
        """The share of every format in the bin at an error, the chosen one first."""
        index = self._bin_at(x)
        if index is None:
            return None
        first, last = self._edges[index : index + 2]
        ends = ("below " if index == 0 else "") + ("above " if index == len(self._edges) - 2 else "")
        lines = [f"error {ends}{first:+.4g} to {last:+.4g} of absmax"]
        for found in sorted(self.formats, key=lambda found: found.id != self.chosen):
            lines.append(f"{found.label}: {found.shares[index]:.3%} of the weights ({found.counts[index]:,})")
        return "\n".join(lines)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._dress(theme)

    def _reach(self) -> float:
        """The largest error that a weight has in any format, as the middle of the axis is 0."""
        some = np.flatnonzero(np.any([found.counts > 0 for found in self.formats], axis=0))
        furthest = float(max(abs(self._edges[some[0]]), abs(self._edges[some[-1] + 1])))
        return math.ceil(furthest / _REACH_STEP - 1e-9) * _REACH_STEP

    def _bin_at(self, x: float) -> int | None:
        index = int(np.searchsorted(self._edges, x, side="right")) - 1
        return index if self.formats and 0 <= index < len(self._edges) - 1 else None

    def _on_click(self, x: float, y: float) -> None:
        index = self._bin_at(x)
        if index is not None:
            nearest = min(self.formats, key=lambda found: abs(np.log10(max(100 * found.shares[index], _FLOOR)) - y))
            self.format_picked.emit(nearest.id)

    def _dress(self, theme: Theme) -> None:
        for line, found in zip(self._lines, self.formats, strict=False):
            ink, chosen = theme.series[found.ink % len(theme.series)], found.id == self.chosen
            line.setPen(pg.mkPen(colour(ink, 1.0 if chosen else 0.75), width=2 if chosen else 1))
            line.setFillLevel(np.log10(_FLOOR) if chosen else None)
            line.setBrush(colour(ink, 0.22) if chosen else None)
            line.setZValue(1 if chosen else 0)
        entries = [Entry(found.label, theme.series[found.ink % len(theme.series)], "line") for found in self.formats]
        self.legend.set_entries(entries)
