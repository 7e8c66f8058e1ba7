"""Axes whose ticks carry units: where ticks are on a linear or logarithmic axis, as many as fit."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import pyqtgraph as pg
from PySide6.QtWidgets import QGraphicsSceneResizeEvent

from core.contracts.text import Text
from gui.charts.ticks import short_quantity
from gui.zoom import Px

Steps = Literal["any", "whole", "powers", "1-2-5"]
_TICK_ROOM_PX = {"whole": Px(26), "powers": Px(40), "1-2-5": Px(26)}
"""The least width of a tick's text along a horizontal linear axis; a long number takes more."""
_DIGIT_PX, _TICK_GAP_PX, _LIFTED_PX = Px(6), Px(10), Px(3)
_LOG_LINE_PX = {"any": Px(24), "whole": Px(24), "powers": Px(17), "1-2-5": Px(17)}
"""The least distance between ticks of a vertical logarithmic axis."""


@dataclass(frozen=True)
class Axis:
    """What an axis shows: its name, the unit of its values, and how they are spread. `short` is the name where the
    axis is too short for it."""

    name: Text | str = ""
    unit: str = ""
    steps: Steps = "any"
    log: bool = False
    short: Text | str = ""


UNNAMED = Axis()


class PlainAxis(pg.AxisItem):
    """An axis whose name says the unit as it is. pyqtgraph would lay out the name anew with each range and pen."""

    def __init__(self, side: str) -> None:
        self._written = ""
        super().__init__(side)
        self.enableAutoSIPrefix(False)

    def _updateLabel(self) -> None:
        written = self.labelString() if self.labelText else ""
        if written != self._written:
            self._written = written
            self.label.setHtml(written)
        self._adjustSize()
        self.picture = None
        self.update()


class QuantityAxis(PlainAxis):
    """An axis whose ticks carry their unit ('20 MB', '1.5 ms').

    `steps` says where ticks may be: at 'whole' numbers for counts, 'powers' of two for tokens and tiles. On a
    logarithmic axis 'any' is decades, '1-2-5' divides them: for ranges of one or two decades.
    """

    def __init__(self, side: str, unit: str = "", steps: Steps = "any", *, log: bool = False) -> None:
        super().__init__(side)
        self.unit = unit
        self.steps = steps
        self.setLogMode(log)

    def resizeEvent(self, ev: QGraphicsSceneResizeEvent | None = None) -> None:
        """pyqtgraph puts the name of a bottom axis so low that Chinese characters would be cut."""
        super().resizeEvent(ev)
        if self.orientation == "bottom":
            self.label.moveBy(0, -_LIFTED_PX)

    def retranslate(self) -> None:
        """Write the ticks again: pyqtgraph keeps a picture of them."""
        self.picture = None
        self.update()

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        if self.steps == "any" or maxVal <= minVal:
            return super().tickSpacing(minVal, maxVal, size)
        longest = _longest_tick(maxVal, self.unit)
        room = max(_TICK_ROOM_PX[self.steps], _DIGIT_PX * longest + _TICK_GAP_PX) if self.isHorizontal() else 30
        fitting = max(1.0, size / room)
        raw = max(1.0, (maxVal - minVal) / fitting)
        if self.steps == "powers":
            return [(2.0 ** math.ceil(math.log2(raw)), 0.0)]
        power = 10.0 ** math.floor(math.log10(raw))
        return [(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw), 0.0)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return self.logTickStrings(values, scale, spacing)
        return [short_quantity(float(f"{value:.6g}"), self.unit) for value in values]

    def logTickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [short_quantity(float(f"{10.0**value:.6g}"), self.unit) for value in values]

    def logTickValues(
        self, minVal: float, maxVal: float, size: float, stdTicks: list[tuple[float, list[float]]]
    ) -> list[tuple[float | None, list[float]]]:
        """The densest ticks, as powers of ten, whose texts fit."""
        for candidates in self._from_dense_to_sparse(minVal, maxVal):
            inside = [tick for tick in candidates if minVal - 1e-9 <= tick <= maxVal + 1e-9]
            nearest = min((b - a for a, b in itertools.pairwise(inside)), default=math.inf)
            if nearest * max(1.0, size) >= self._log_room_px(inside) * (maxVal - minVal):
                break
        return [(1.0, inside)]

    def isHorizontal(self) -> bool:
        return self.orientation in ("top", "bottom")

    def _log_room_px(self, ticks: list[float]) -> float:
        if not self.isHorizontal():
            return _LOG_LINE_PX[self.steps]
        longest = max((len(text) for text in self.logTickStrings(ticks, 1, 1)), default=0)
        return _DIGIT_PX * longest + _TICK_GAP_PX

    def _from_dense_to_sparse(self, low: float, high: float) -> list[list[float]]:
        """Ticks in powers of ten, each list sparser than the one before."""
        if self.steps == "powers":
            first, last = math.floor(low / math.log10(2)), math.ceil(high / math.log10(2))
            every = [exponent * math.log10(2) for exponent in range(first, last + 1)]
            return [[t for i, t in enumerate(every, first) if i % stride == 0] for stride in (1, 2, 3, 4, 6)]
        decades = range(math.floor(low), math.ceil(high) + 1)
        divided = ((1, (1, 2, 5)), (1, (1, 3))) if self.steps == "1-2-5" else ()
        return [
            [decade + math.log10(step) for decade in decades[::stride] for step in steps]
            for stride, steps in (*divided, *((stride, (1,)) for stride in (1, 2, 3, 4, 6, 8, 12)))
        ]


def _longest_tick(highest: float, unit: str) -> int:
    """Characters of the highest round number up to `highest`: 900,000 of 950,272, where 1 M would be shorter."""
    power = 10.0 ** math.floor(math.log10(max(highest, 1.0)))
    return len(short_quantity(power * math.floor(highest / power), unit))
