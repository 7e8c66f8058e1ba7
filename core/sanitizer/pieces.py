"""The byte axis under the spans of two sites, cut where spans end: each piece is touched as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.sanitizer.happens_before import HappensBefore
from core.sanitizer.spans import Spans
from core.trace.affine import IntArray
from core.trace.mask import BoolArray


class Pieces:
    """A piece is contested if two programs touch it, one at each of two sites, which may be the same.

    The lowest and highest program id per piece show whether more than one program touches it.
    """

    def __init__(self, a: Spans, b: Spans, further_cuts: IntArray) -> None:
        itself = a is b
        ends = (a.begin, a.end) if itself else (a.begin, a.end, b.begin, b.end)
        self.cuts: IntArray = np.unique(np.concatenate((*ends, further_cuts)))
        self.lengths: IntArray = np.diff(self.cuts)
        self._sides = (a,) if itself else (a, b)
        self._a = self._extremes(a)
        self._b = self._a if itself else self._extremes(b)

    def _extremes(self, spans: Spans) -> tuple[IntArray, IntArray]:
        """Lowest and highest program that touches each piece; (-1, -1) where none does."""
        low = np.full(len(self.lengths), np.iinfo(np.int64).max)
        high = np.full(len(self.lengths), -1)
        for piece, span in self._touched(spans):
            program = spans.program[span]
            np.minimum.at(low, piece, program)
            np.maximum.at(high, piece, program)
        return np.where(high < 0, -1, low), high

    def _touched(self, spans: Spans) -> Iterator[tuple[IntArray, IntArray]]:
        """(piece, span) pairs, for some spans at a time, since a long span covers many pieces."""
        first = np.searchsorted(self.cuts, spans.begin)
        count = np.searchsorted(self.cuts, spans.end) - first
        total = np.concatenate(([0], count.cumsum()))
        begin = 0
        while begin < len(first):
            end = max(begin + 1, int(np.searchsorted(total, total[begin] + (1 << 22), side="right")) - 1)
            n = count[begin:end]
            inside = np.arange(int(n.sum())) - np.repeat(total[begin:end] - total[begin], n)
            yield np.repeat(first[begin:end], n) + inside, np.repeat(np.arange(begin, end), n)
            begin = end

    def contested(self) -> BoolArray:
        (a_low, a_high), (b_low, b_high) = self._a, self._b
        both = (a_high >= 0) & (b_high >= 0)
        contested: BoolArray = both & ((a_low != b_high) | (a_high != b_low))
        return contested

    def first(self, contested: BoolArray) -> tuple[int, int, int]:
        """The lowest contested byte, and the programs that touch it at the two sites."""
        piece = int(contested.argmax())
        (a_low, a_high), (b_low, b_high) = self._a, self._b
        low, high = int(a_low[piece]), int(b_high[piece])
        if low == high:
            low, high = int(a_high[piece]), int(b_low[piece])
        return int(self.cuts[piece]), low, high

    def unordered(self, contested: BoolArray, order: HappensBefore) -> tuple[BoolArray, tuple[int, int, int]] | None:
        """The contested pieces with accesses that nothing orders, and what `first` says of them; None if all are.

        Orders pass on, so it is enough that each access to a piece is ordered after the last one of the other site, and
        before the next.
        """
        columns = []
        for side, spans in enumerate(self._sides):
            for piece, span in self._touched(spans):
                kept = contested[piece]
                piece, span = piece[kept], span[kept]
                columns.append(np.stack((piece, spans.time[span], spans.program[span], np.full(len(piece), side))))
        table = np.concatenate(columns, axis=1)
        piece, time, program, side = table[:, np.lexsort((table[1], table[0]))]
        before, after = self._neighbours(piece, side)
        differ = program[before] != program[after]
        before, after = before[differ], after[differ]
        pairs = np.stack((program[before], time[before], program[after], time[after]), axis=1)
        distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
        racing = np.array([not order.ordered(*pair) for pair in distinct.tolist()], dtype=np.bool_)[inverse.reshape(-1)]
        if not racing.any():
            return None
        pieces = np.zeros_like(contested)
        pieces[piece[before[racing]]] = True
        at = int(before[racing].argmin())
        one, other = int(before[racing][at]), int(after[racing][at])
        of_a, of_b = (one, other) if side[one] == 0 else (other, one)
        if len(self._sides) == 1:
            of_a, of_b = sorted((one, other), key=lambda row: int(program[row]))
        return pieces, (int(self.cuts[piece[one]]), int(program[of_a]), int(program[of_b]))

    def _neighbours(self, piece: IntArray, side: IntArray) -> tuple[IntArray, IntArray]:
        """The rows of each access and of the next one of the other site to the same piece, as (before, after)."""
        rows = np.arange(len(piece))
        if len(self._sides) == 1:
            before, after = rows[:-1], rows[1:]
        else:
            found = []
            for other in (0, 1):
                mine = np.flatnonzero(side != other)
                last = np.maximum.accumulate(np.where(side == other, rows, -1))[mine]
                following = np.minimum.accumulate(np.where(side == other, rows, len(rows))[::-1])[::-1][mine]
                has_last, has_following = last >= 0, following < len(rows)
                found.append((last[has_last], mine[has_last]))
                found.append((mine[has_following], following[has_following]))
            before, after = (np.concatenate(column) for column in zip(*found, strict=True))
        same = piece[before] == piece[after]
        return before[same], after[same]
