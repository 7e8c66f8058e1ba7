"""The data of the codebook view: the levels of each format, and the geometry of its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF

from core.contracts.text import tr
from gui.zoom import Px


@dataclass(frozen=True)
class LevelRow:
    """One format. `levels` [codes] ascend in [-1, 1], `boundaries` [codes - 1] lie between them, `won` [codes] counts
    the weights that go to each level. `colour` is an index into the theme's series; `value` stands at the end of the
    row.

    `affine` levels are positions between a block's minimum (-1) and maximum (1), not multiples of its absmax.
    """

    id: str
    label: str
    levels: np.ndarray
    boundaries: np.ndarray
    won: np.ndarray
    colour: int
    value: str = ""
    affine: bool = False

    @property
    def codes(self) -> int:
        return len(self.levels)

    @property
    def shares(self) -> np.ndarray:
        """The share of the weights that go to each code, [codes]; zeros if none were counted."""
        return np.asarray(self.won / max(1, int(self.won.sum())))

    @property
    def edges(self) -> np.ndarray:
        """The edges of the bins of all codes, [codes + 1]."""
        return np.concatenate(([-1.0], np.clip(self.boundaries, -1, 1), [1.0]))

    def code_at(self, x: float) -> int:
        """The code of a weight at `x`."""
        return int(np.searchsorted(self.boundaries, x))

    def describe(self, code: int) -> str:
        """Level, bin and share of the weights of a code."""
        first, last = map(float, self.edges[code : code + 2])
        total = int(self.won.sum())
        values = {"format": self.label, "code": code, "codes": self.codes, "level": float(self.levels[code])}
        if self.affine:
            head = tr(
                "{format}, code {code} of {codes}: level {level:.4g} between the block's minimum (-1) and maximum (1)",
                **values,
            )
        else:
            head = tr("{format}, code {code} of {codes}: level {level:.4g} of the block's absmax", **values)
        if total:
            share = tr(
                "{share:.2%} of the weights: {won:,} of {total:,}",
                share=float(self.shares[code]),
                won=int(self.won[code]),
                total=total,
            )
        else:
            share = tr("no weights were counted")
        bin_ = tr("bin: {first:.4g} to {last:.4g}", first=first, last=last)
        return f"{head}\n{bin_}\n{share}"


@dataclass(frozen=True)
class Geometry:
    """The rectangles of the view's parts. x of the middle column goes from -1 to 1 in every part."""

    histogram: QRectF
    shares: QRectF
    rows: QRectF
    axis: QRectF
    row_count: int

    @classmethod
    def within(cls, area: QRectF, row_count: int, labels_px: float, values_px: float) -> Geometry:
        """The rows take up to about half of the height, the histogram takes the rest."""
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


_AXIS_PX, _SHARES_PX = Px(32.0), Px(16.0)
