"""A logarithmic axis with more ticks than its decades: for ranges of one or two of them."""

from __future__ import annotations

import itertools
import math
from typing import Literal

from gui.charts.chart import QuantityAxis
from gui.charts.ticks import short_quantity

_LINE_PX, _DIGIT_PX, _GAP_PX = 17, 6, 12
"""Least pixels between ticks of a vertical axis; of a horizontal one by the length of their text."""


class LogAxis(QuantityAxis):
    """Ticks at 1, 2 and 5 of each decade, or at powers of two for sizes that come in them; as many as fit."""

    def __init__(self, side: str, unit: str = "", ticks: Literal["1-2-5", "powers of two"] = "1-2-5") -> None:
        super().__init__(side, unit)
        self._ticks = ticks
        self.setLogMode(True)

    def logTickValues(
        self, minVal: float, maxVal: float, size: float, stdTicks: list[tuple[float, list[float]]]
    ) -> list[tuple[float | None, list[float]]]:
        for candidates in self._from_dense_to_sparse(minVal, maxVal):
            inside = [tick for tick in candidates if minVal - 1e-9 <= tick <= maxVal + 1e-9]
            nearest = min((b - a for a, b in itertools.pairwise(inside)), default=math.inf)
            if nearest * max(1.0, size) >= self._room_px(inside) * (maxVal - minVal):
                break
        return [(1.0, inside)]

    def logTickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.unit == "%":
            return [f"{10.0**value:.3g}%" for value in values]
        return [short_quantity(float(f"{10.0**value:.6g}"), self.unit) for value in values]

    def _room_px(self, ticks: list[float]) -> float:
        if not self.isHorizontal():
            return _LINE_PX
        return _DIGIT_PX * max((len(text) for text in self.logTickStrings(ticks, 1, 1)), default=0) + _GAP_PX

    def _from_dense_to_sparse(self, low: float, high: float) -> list[list[float]]:
        """Ticks in powers of ten, each list sparser than the one before."""
        if self._ticks == "powers of two":
            first, last = math.floor(low / math.log10(2)), math.ceil(high / math.log10(2))
            every = [exponent * math.log10(2) for exponent in range(first, last + 1)]
            return [[t for i, t in enumerate(every, first) if i % stride == 0] for stride in (1, 2, 3, 4, 6)]
        decades = range(math.floor(low), math.ceil(high) + 1)
        return [
            [decade + math.log10(step) for decade in decades[::stride] for step in steps]
            for stride, steps in ((1, (1, 2, 5)), (1, (1, 3)), (1, (1,)), (2, (1,)), (3, (1,)))
        ]
