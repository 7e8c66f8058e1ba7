"""Error against size: a line of settings for each format, those that nothing beats, and where one stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui import theme as themes
from gui.charts.axis import Axis, QuantityAxis
from gui.charts.chart import Chart, read_out
from gui.theme import Theme, colour
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend

_NEAR_PX = 26
_CODE_BITS, _LEAST_BITS = 4.0, 1 / 1024
"""Of the smaller codes, and the bits of scales up to which the axis is about linear."""
_BEYOND = (0, 4, 0.125, 0.5, 2, 4.125, 4.5, 6, 8, 0.03, 4.03, 0.01, 4.01, 0.25, 4.25, 1, 5)
_TICK_PX = 34


@dataclass(frozen=True)
class Setting:
    """One way to store the weights: `size` bits per parameter, `error` relative RMSE in percent (both above zero).

    Settings of one `line` are joined in the order given and stand in the legend under `name`; `ink` counts into the
    theme's series. `hollow` draws a ring. `best` says that nothing smaller is as exact. `key` (format, block size,
    nested) is what a click on it hands back.
    """

    line: str
    name: str
    label: str
    size: float
    error: float
    ink: int
    key: tuple[str, int, bool]
    hollow: bool = False
    best: bool = False


class SpreadAxis(QuantityAxis):
    """Bits by the logarithm of what lies beyond `base`, and from every 4 bits on anew.

    Scales cost from a hundredth of a bit to several, on top of codes of 4 and of 8 bits.
    """

    base = 0.0

    def place(self, size: Any) -> Any:
        beyond = np.maximum(np.asarray(size, dtype=float) - self.base, 0)
        whole = np.floor(beyond / _CODE_BITS)
        return whole * _spread(_CODE_BITS) + _spread(beyond - whole * _CODE_BITS)

    def size_at(self, place: float) -> float:
        """The bits at a place: the inverse of `place`."""
        whole = math.floor(place / _spread(_CODE_BITS) + 1e-9)
        return self.base + whole * _CODE_BITS + _LEAST_BITS * math.expm1(place - whole * float(_spread(_CODE_BITS)))

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        room = (maxVal - minVal) / max(1.0, size) * _TICK_PX
        shown: list[float] = []
        for beyond in _BEYOND:  # most important first
            place = float(self.place(self.base + beyond))
            if minVal <= place <= maxVal and all(abs(place - other) >= room for other in shown):
                shown.append(place)
        return [(1.0, sorted(shown))]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{self.size_at(value):.4g}" for value in values]


def _spread(bits: Any) -> Any:
    return np.log1p(np.asarray(bits, dtype=float) / _LEAST_BITS)


class Pareto(Figure):
    """Bits per parameter to the right, errors upwards on a logarithmic axis: better is further down and to the left.

    Bits are spread by the logarithm of what lies beyond the codes', so that settings of small scales do not fall
    together.

    `setting_picked` carries the key of the setting nearest to a click.
    """

    setting_picked = Signal(object)

    def __init__(self, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(empty, parent)
        self.settings: tuple[Setting, ...] = ()
        self.here: tuple[str, int, bool] | None = None
        self.chosen = ""
        self.chart, self._axis = _chart()
        self._lines: dict[str, pg.PlotCurveItem] = {}
        self._front, self._dots, self._here = pg.PlotCurveItem(), pg.ScatterPlotItem(), pg.ScatterPlotItem(size=17)
        for depth, item in enumerate((self._front, self._here, self._dots), start=2):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self.legend, self.marks = Legend(), Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.chart, 1)
        column.addWidget(self.legend)
        column.addWidget(self.marks)
        read_out(self.chart, self, self.describe)
        self.chart.clicked.connect(self._on_click)
        self.set_content(content)

    def set_settings(
        self, settings: Sequence[Setting], here: tuple[str, int, bool] | None = None, chosen: str = ""
    ) -> None:
        """Draw these; `here` is the key of the setting in force, `chosen` the first part of the keys to bring out."""
        self.settings, self.here, self.chosen = tuple(settings), here, chosen
        if not settings:
            self.show_empty()
            return
        self._match_lines()
        self._axis.base = math.floor(min(s.size for s in settings))
        for line, item in self._lines.items():
            item.setData(*self._places([s for s in settings if s.line == line]))
        self._front.setData(*self._places(sorted((s for s in settings if s.best), key=lambda s: s.size)))
        x, y = self._places(settings)
        room = 0.04 * (float(x.max() - x.min()) or 1.0)
        # In steps of a tenth of a decade, so that axes stay as they are while a slider moves.
        low, high = math.floor(10 * y.min() - 0.5) / 10, math.ceil(10 * y.max() + 0.5) / 10
        self.chart.setRange(xRange=(-room, x.max() + room), yRange=(low, high), padding=0)
        self._dress(themes.current())
        self.show_content()

    def nearest(self, x: float, y: float) -> Setting | None:
        """The setting nearest to a point of the chart (as the axes place it), None where none is near."""
        if not self.settings:
            return None
        wide, high = self.chart.getViewBox().viewPixelSize()
        places = self._places(self.settings)
        distances = np.hypot((places[0] - x) / (wide or 1.0), (places[1] - y) / (high or 1.0))
        index = int(distances.argmin())
        return self.settings[index] if distances[index] <= _NEAR_PX else None

    def describe(self, x: float, y: float) -> str | None:
        """The read-out of the setting nearest to a point."""
        setting = self.nearest(x, y)
        if setting is None:
            return None
        lines = [setting.label, f"{setting.size:.4g} bits per parameter", f"relative RMSE {setting.error:.4g}%"]
        if setting.best:
            lines.append("on the Pareto front: nothing smaller is as exact")
        if setting.key == self.here:
            lines.append("the setting in force")
        return "\n".join(lines)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._front.setPen(pg.mkPen(colour(theme.text, 0.28), width=6))
        self._here.setPen(pg.mkPen(theme.tiles["current"], width=2.4))
        self._here.setBrush(None)
        self._dress(theme)

    def _match_lines(self) -> None:
        wanted = dict.fromkeys(s.line for s in self.settings)
        for gone in [line for line in self._lines if line not in wanted]:
            self.chart.removeItem(self._lines.pop(gone))
        for line in wanted:
            if line not in self._lines:
                self._lines[line] = pg.PlotCurveItem(antialias=True)
                self.chart.addItem(self._lines[line], ignoreBounds=True)

    def _dress(self, theme: Theme) -> None:
        inks = {s.line: theme.series[s.ink % len(theme.series)] for s in self.settings}
        chosen = {s.line for s in self.settings if s.key[0] == self.chosen}
        hollow = {s.line for s in self.settings if s.hollow}
        for line, item in self._lines.items():
            if line in inks:
                style = Qt.PenStyle.DashLine if line in hollow else Qt.PenStyle.SolidLine
                item.setPen(pg.mkPen(colour(inks[line], 1.0 if line in chosen else 0.55), width=1.8, style=style))
        pens = {line: pg.mkPen(ink, width=1.6) for line, ink in inks.items()}
        brushes, hollow_brush = {line: pg.mkBrush(ink) for line, ink in inks.items()}, pg.mkBrush(theme.sunken)
        x, y = self._places(self.settings)
        self._dots.setData(
            x=x,
            y=y,
            size=[8 if s.line in chosen else 6 for s in self.settings],
            pen=[pens[s.line] for s in self.settings],
            brush=[hollow_brush if s.hollow else brushes[s.line] for s in self.settings],
        )
        here = [s for s in self.settings if s.key == self.here]
        x, y = self._places(here)
        self._here.setData(x=x, y=y)
        entries = [Entry(name, theme.series[ink % len(theme.series)], "dot") for name, ink in self._names().items()]
        self.legend.set_entries(entries)
        marks = [Entry("setting in force", theme.tiles["current"], "ring")] if here else []
        front = Entry("Pareto front: nothing smaller is as exact", themes.mix(theme.sunken, theme.text, 0.4), "line")
        plain = [Entry("scales in float32", theme.muted, "ring")] if any(s.hollow for s in self.settings) else []
        self.marks.set_entries([*marks, front, *plain])

    def _places(self, settings: Sequence[Setting]) -> tuple[np.ndarray, np.ndarray]:
        """Where settings lie in the chart, [settings] each."""
        return self._axis.place([s.size for s in settings]), np.log10([s.error for s in settings])

    def _names(self) -> dict[str, int]:
        return {s.name: s.ink for s in self.settings}

    def _on_click(self, x: float, y: float) -> None:
        setting = self.nearest(x, y)
        if setting is not None:
            self.setting_picked.emit(setting.key)


def _chart() -> tuple[Chart, SpreadAxis]:
    x, y = Axis("bits per parameter (logarithmic beyond the codes)"), Axis("relative RMSE", "%", "1-2-5", log=True)
    chart, axis = Chart(x, y), SpreadAxis("bottom")
    chart.setAxisItems({"bottom": axis})
    chart.freeze()
    return chart, axis
