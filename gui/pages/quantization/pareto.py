"""Error against size: one line of settings per format, the Pareto front, and the current setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from gui import theme as themes
from gui.charts.axis import Axis, QuantityAxis
from gui.charts.chart import Chart, read_out
from gui.theme import Theme, colour
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend
from gui.zoom import Px

_NEAR_PX = 26
_CODE_BITS, _LEAST_BITS = 4.0, 1 / 1024
"""Bits of the smaller codes, and the bits of scales up to which the axis is about linear."""
_BEYOND = (0, 4, 0.125, 0.5, 2, 4.125, 4.5, 6, 8, 0.03, 4.03, 0.01, 4.01, 0.25, 4.25, 1, 5)
_TICK_PX = Px(34)


@dataclass(frozen=True)
class Setting:
    """One way to store the weights: `size` bits per parameter, `error` relative RMSE in percent (both above zero).

    Settings of one `line` are joined in the given order and appear in the legend as `name`; `colour_index` is an index
    into the theme's series. `hollow` draws a ring. `on_front` says that no smaller setting is as exact. `key` (format,
    block size, nested) is what a click emits.
    """

    line: str
    name: str
    label: str
    size: float
    error: float
    colour_index: int
    key: tuple[str, int, bool]
    hollow: bool = False
    on_front: bool = False


class SpreadAxis(QuantityAxis):
    """Spreads bits by the logarithm of their distance to `base`, and starts again every 4 bits.

    Scales take from a hundredth of a bit to several bits, on top of codes of 4 or 8 bits.
    """

    base = 0.0

    def place(self, size: Any) -> Any:
        beyond = np.maximum(np.asarray(size, dtype=float) - self.base, 0)
        whole = np.floor(beyond / _CODE_BITS)
        return whole * _spread(_CODE_BITS) + _spread(beyond - whole * _CODE_BITS)

    def size_at(self, place: float) -> float:
        """The bits at a position: the inverse of `place`."""
        whole = math.floor(place / _spread(_CODE_BITS) + 1e-9)
        return self.base + whole * _CODE_BITS + _LEAST_BITS * math.expm1(place - whole * float(_spread(_CODE_BITS)))

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        margin = (maxVal - minVal) / max(1.0, size) * _TICK_PX
        shown: list[float] = []
        for beyond in _BEYOND:  # most important first
            place = float(self.place(self.base + beyond))
            if minVal <= place <= maxVal and all(abs(place - other) >= margin for other in shown):
                shown.append(place)
        return [(1.0, sorted(shown))]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{self.size_at(value):.4g}" for value in values]


def _spread(bits: Any) -> Any:
    return np.log1p(np.asarray(bits, dtype=float) / _LEAST_BITS)


class Pareto(Figure):
    """Bits per parameter to the right, errors upwards on a logarithmic axis: better is further down and to the left.

    The bits beyond those of the codes are on a logarithmic axis, so that settings with small scales do not overlap.

    `setting_picked` carries the key of the setting nearest to a click.
    """

    setting_picked = Signal(object)

    def __init__(self, empty: Text, parent: QWidget | None = None) -> None:
        super().__init__(empty, parent)
        self.settings: tuple[Setting, ...] = ()
        self.current: tuple[str, int, bool] | None = None
        self.chosen = ""
        self.chart, self._axis = _chart()
        self._lines: dict[str, pg.PlotCurveItem] = {}
        self._front, self._dots, self._current = pg.PlotCurveItem(), pg.ScatterPlotItem(), pg.ScatterPlotItem(size=17)
        for depth, item in enumerate((self._front, self._current, self._dots), start=2):
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
        self, settings: Sequence[Setting], current: tuple[str, int, bool] | None = None, chosen: str = ""
    ) -> None:
        """Draw these settings; `current` is the key of the current one, `chosen` the format to emphasize."""
        self.settings, self.current, self.chosen = tuple(settings), current, chosen
        if not settings:
            self.show_empty()
            return
        self._match_lines()
        self._axis.base = math.floor(min(s.size for s in settings))
        for line, item in self._lines.items():
            item.setData(*self._places([s for s in settings if s.line == line]))
        self._front.setData(*self._places(sorted((s for s in settings if s.on_front), key=lambda s: s.size)))
        x, y = self._places(settings)
        margin = 0.04 * (float(x.max() - x.min()) or 1.0)
        # In steps of a tenth of a decade, so that axes do not change while a slider moves.
        low, high = math.floor(10 * y.min() - 0.5) / 10, math.ceil(10 * y.max() + 0.5) / 10
        self.chart.setRange(xRange=(-margin, x.max() + margin), yRange=(low, high), padding=0)
        self._style_items(themes.current())
        self.show_content()

    def nearest(self, x: float, y: float) -> Setting | None:
        """The setting nearest to a point in the chart's coordinates; None if none is near."""
        if not self.settings:
            return None
        wide, high = self.chart.getViewBox().viewPixelSize()
        places = self._places(self.settings)
        distances = np.hypot((places[0] - x) / (wide or 1.0), (places[1] - y) / (high or 1.0))
        index = int(distances.argmin())
        return self.settings[index] if distances[index] <= _NEAR_PX else None

    def data_table(self) -> DataTable | None:
        """One row per setting."""
        return table_of(
            {
                "format": [setting.key[0] for setting in self.settings],
                "block_size": [setting.key[1] for setting in self.settings],
                "double_quantization": [setting.key[2] for setting in self.settings],
                "bits_per_parameter": [setting.size for setting in self.settings],
                "relative_rmse_percent": [setting.error for setting in self.settings],
                "on_front": [setting.on_front for setting in self.settings],
            }
        )

    def describe(self, x: float, y: float) -> str | None:
        """The read-out of the setting nearest to a point."""
        setting = self.nearest(x, y)
        if setting is None:
            return None
        lines = [
            setting.label,
            tr("{bits:.4g} bits per parameter", bits=setting.size),
            tr("relative RMSE {error:.4g}%", error=setting.error),
        ]
        if setting.on_front:
            lines.append(tr("on the Pareto front: no smaller setting is as accurate"))
        if setting.key == self.current:
            lines.append(tr("the current setting"))
        return "\n".join(map(str, lines))

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._front.setPen(pg.mkPen(colour(theme.text, 0.28), width=6))
        self._current.setPen(pg.mkPen(theme.tiles["current"], width=2.4))
        self._current.setBrush(None)
        self._style_items(theme)

    def _match_lines(self) -> None:
        shown_lines = dict.fromkeys(s.line for s in self.settings)
        for hidden in [line for line in self._lines if line not in shown_lines]:
            self.chart.removeItem(self._lines.pop(hidden))
        for line in shown_lines:
            if line not in self._lines:
                self._lines[line] = pg.PlotCurveItem(antialias=True)
                self.chart.addItem(self._lines[line], ignoreBounds=True)

    def _style_items(self, theme: Theme) -> None:
        colours = {s.line: theme.series[s.colour_index % len(theme.series)] for s in self.settings}
        chosen = {s.line for s in self.settings if s.key[0] == self.chosen}
        hollow = {s.line for s in self.settings if s.hollow}
        for line, item in self._lines.items():
            if line in colours:
                style = Qt.PenStyle.DashLine if line in hollow else Qt.PenStyle.SolidLine
                item.setPen(pg.mkPen(colour(colours[line], 1.0 if line in chosen else 0.55), width=1.8, style=style))
        pens = {line: pg.mkPen(colour_index, width=1.6) for line, colour_index in colours.items()}
        brushes, hollow_brush = (
            {line: pg.mkBrush(colour_index) for line, colour_index in colours.items()},
            pg.mkBrush(theme.sunken),
        )
        x, y = self._places(self.settings)
        self._dots.setData(
            x=x,
            y=y,
            size=[8 if s.line in chosen else 6 for s in self.settings],
            pen=[pens[s.line] for s in self.settings],
            brush=[hollow_brush if s.hollow else brushes[s.line] for s in self.settings],
        )
        current = [s for s in self.settings if s.key == self.current]
        x, y = self._places(current)
        self._current.setData(x=x, y=y)
        entries = [
            Entry(name, theme.series[colour_index % len(theme.series)], "dot")
            for name, colour_index in self._names().items()
        ]
        self.legend.set_entries(entries)
        marks = [Entry(tr("current setting"), theme.tiles["current"], "ring")] if current else []
        front = Entry(
            tr("Pareto front: nothing smaller is as accurate"), themes.mix(theme.sunken, theme.text, 0.4), "line"
        )
        plain = [Entry(tr("scales in float32"), theme.muted, "ring")] if any(s.hollow for s in self.settings) else []
        self.marks.set_entries([*marks, front, *plain])

    def _places(self, settings: Sequence[Setting]) -> tuple[np.ndarray, np.ndarray]:
        """The chart coordinates of settings, [settings] each."""
        return self._axis.place([s.size for s in settings]), np.log10([s.error for s in settings])

    def _names(self) -> dict[str, int]:
        return {s.name: s.colour_index for s in self.settings}

    def _on_click(self, x: float, y: float) -> None:
        setting = self.nearest(x, y)
        if setting is not None:
            self.setting_picked.emit(setting.key)


def _chart() -> tuple[Chart, SpreadAxis]:
    x = Axis(tr("bits per parameter (logarithmic beyond the codes)"))
    y = Axis(tr("relative RMSE"), "%", "1-2-5", log=True)
    chart, axis = Chart(x, y), SpreadAxis("bottom")
    chart.setAxisItems({"bottom": axis})
    chart.freeze()
    return chart, axis
