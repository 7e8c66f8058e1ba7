"""What the codebook view is given: the levels of each format, and where all that lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF


@dataclass(frozen=True)
class LevelRow:
    """One format. `levels` [codes] ascend in [-1, 1], `boundaries` [codes - 1] lie between them, `won` [codes] counts
    the weights that go to each. `ink` counts into the theme's series; `value` is written at the end of the row.

    `affine` levels stand between a block's minimum (-1) and its maximum (1) instead of at multiples of its absmax.
    """

    id: str
    label: str
    levels: np.ndarray
    boundaries: np.ndarray
    won: np.ndarray
    ink: int
    value: str = ""
    affine: bool = False

    @property
    def codes(self) -> int:
        return len(self.levels)

    @property
    def shares(self) -> np.ndarray:
        """The share of the weights that each code wins, [codes]; zeros where none were counted."""
        return np.asarray(self.won / max(1, int(self.won.sum())))

    @property
    def edges(self) -> np.ndarray:
        """Where each code begins and the last ends, [codes + 1]."""
        return np.concatenate(([-1.0], np.clip(self.boundaries, -1, 1), [1.0]))

    def code_at(self, x: float) -> int:
        """The code that wins a weight at `x`."""
        return int(np.searchsorted(self.boundaries, x))

    def describe(self, code: int) -> str:
        """Level, bin and share won of a code."""
        first, last = self.edges[code : code + 2]
        of = "of the way from the block's minimum (-1) to its maximum (1)" if self.affine else "of the block's absmax"
        won, total = int(self.won[code]), int(self.won.sum())
        share = f"wins {self.shares[code]:.2%} of the weights: {won:,} of {total:,}" if total else "no weights counted"
        return f"{self.label}, code {code} of {self.codes}: level {self.levels[code]:.4g} {of}\n" + (
            f"its bin: {first:.4g} to {last:.4g}\n{share}"
        )


@dataclass(frozen=True)
class Geometry:
    """Where the parts of the view lie. x of the middle column runs from -1 to 1 in every part."""

    histogram: QRectF
    shares: QRectF
    rows: QRectF
    axis: QRectF
    row_count: int

    @classmethod
    def within(cls, area: QRectF, row_count: int, labels_px: float, values_px: float) -> Geometry:
        """The rows take what they need up to half of the height, the histogram the rest."""
        left, width = area.left() + labels_px, area.width() - labels_px - values_px
        row_px = min(24.0, max(13.0, area.height() * 0.42 / max(1, row_count)))
        rows_px = row_px * row_count
        axis = QRectF(left, area.bottom() - _AXIS_PX, width, _AXIS_PX)
        rows = QRectF(left, axis.top() - rows_px, width, rows_px)
        shares = QRectF(left, rows.top() - _SHARES_PX - 4, width, _SHARES_PX)
        return cls(QRectF(left, area.top(), width, max(20.0, shares.top() - area.top())), shares, rows, axis, row_count)

    def x_of(self, value: float) -> float:
        return self.rows.left() + (value + 1) / 2 * self.rows.width()

    def value_at(self, x: float) -> float:
        return (x - self.rows.left()) / max(1.0, self.rows.width()) * 2 - 1

    def row_rect(self, index: int) -> QRectF:
        height = self.rows.height() / max(1, self.row_count)
        return QRectF(self.rows.left(), self.rows.top() + index * height, self.rows.width(), height)

    def row_at(self, y: float) -> int | None:
        """The row at a height, or None above and below."""
        height = self.rows.height() / max(1, self.row_count)
        index = int((y - self.rows.top()) // height)
        return index if 0 <= index < self.row_count else None


_AXIS_PX, _SHARES_PX = 32.0, 16.0
