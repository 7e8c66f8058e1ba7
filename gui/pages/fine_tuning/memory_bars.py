"""What the memory of a training step holds: weights, gradients, optimizer state, activations, one after another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from core.format import format_quantity
from gui.charts.ticks import nice_ticks, short_quantity
from gui.theme import Theme, mix

PARTS = ("weights", "gradients", "optimizer", "activations")
_APART_PX = 46
_INKS = {"weights": 0, "gradients": 1, "optimizer": 3, "activations": 2}


@dataclass(frozen=True)
class MemorySplit:
    """Bytes of each part, NaN where it is not known; `how` says how they were obtained."""

    weights: float = math.nan
    gradients: float = math.nan
    optimizer: float = math.nan
    activations: float = math.nan
    how: str = ""

    def bytes_of(self, part: str) -> float:
        """Bytes of one of PARTS, 0 where it is not known."""
        value = float(getattr(self, part))
        return value if math.isfinite(value) else 0.0

    @property
    def total(self) -> float:
        """Bytes of all parts that are known."""
        return sum(self.bytes_of(part) for part in PARTS)


def ink(theme: Theme, part: str) -> str:
    """The colour of a part."""
    return mix(theme.surface, theme.series[_INKS[part]], 0.75)


def described(split: MemorySplit) -> list[str]:
    """The parts in words, exactly; a part that is not known says so."""
    if split.total <= 0:
        return []
    lines = [f"memory {format_quantity(split.total, 'bytes')} ({split.total:,.0f} B){_how(split)}"]
    for part in PARTS:
        value = float(getattr(split, part))
        lines.append(f"  {part} {value:,.0f} B" if math.isfinite(value) else f"  {part}: comes with a run")
    return lines


def longest(splits: Sequence[MemorySplit]) -> float:
    """Bytes at the right end of the axis."""
    return max((split.total for split in splits), default=0.0) or 1.0


def paint_axis(painter: QPainter, theme: Theme, area: QRectF, most: float) -> None:
    """Grid lines with bytes under them."""
    named = area.left() - _APART_PX
    for tick in _ticks(most, area.width()):
        x = area.left() + tick / most * area.width()
        painter.setPen(QPen(QColor(theme.grid), 1))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        if x - named < _APART_PX:
            continue
        named = x
        painter.setPen(QColor(theme.muted))
        box = QRectF(x - 34, area.bottom() + 1, 68, 15)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, short_quantity(tick, "bytes") if tick else "0")


def paint_bar(painter: QPainter, theme: Theme, lane: QRectF, split: MemorySplit, most: float) -> float:
    """The parts from left to right; returns where they end."""
    left = lane.left()
    for part in PARTS:
        wide = split.bytes_of(part) / most * lane.width()
        if wide > 0:
            painter.fillRect(QRectF(left, lane.top(), max(0.8, wide), lane.height()), QColor(ink(theme, part)))
        left += wide
    return left


def _ticks(most: float, width: float) -> list[float]:
    """As many as fit, and at least one besides zero: a scale without a number is none."""
    fitting = max(1, int(width / 62))
    return next(ticks for more in (0, 1, 2, 8) if len(ticks := nice_ticks(most, fitting + more)) > 1)


def _how(split: MemorySplit) -> str:
    return f", {split.how}" if split.how else ""
