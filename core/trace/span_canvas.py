"""Draws runs of accesses of any length. The cost depends on their number and the width of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.trace.affine import IntArray

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Spans:
    """Runs of `length` elements that begin at access `x` and byte `y`; `site` identifies their source. [n] each."""

    x: Array
    y: Array
    length: Array
    site: Array

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: IntArray) -> Spans:
        return Spans(self.x[indices], self.y[indices], self.length[indices], self.site[indices])

    def slices(self, first: IntArray, last: IntArray) -> Spans:
        """The spans of several slices, concatenated."""
        slices = [slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True) if b > a]
        return Spans.joined([Spans(self.x[s], self.y[s], self.length[s], self.site[s]) for s in slices])

    @staticmethod
    def joined(parts: Sequence[Spans]) -> Spans:
        if len(parts) == 1:
            return parts[0]
        none = np.empty(0, dtype=np.int32)
        parts = parts or [Spans(none, none, none, none)]
        return Spans(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y", "length", "site"))
        )


class SpanCanvas:
    """A picture of `height` x `width` pixels; row 0 is the lowest y of `y_range`, column 0 the first x of `x_range`."""

    def __init__(self, width: int, height: int, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        self._width, self._height = width, height
        self._left, self._low = float(x_range[0]), float(y_range[0])
        self._x_scale = width / (x_range[1] - x_range[0])
        self._y_scale = height / (y_range[1] - y_range[0])

    def counts(
        self, spans: Spans, element_bytes: Array, selected: npt.NDArray[np.bool_], weight: float
    ) -> npt.NDArray[np.uint32]:
        """Accesses per pixel, each counted as `weight`. A touched pixel never rounds to 0."""
        if not selected.all():
            chosen = np.flatnonzero(selected)
            spans, element_bytes = spans.take(chosen), element_bytes[chosen]
        if not len(spans):
            return np.zeros((self._height, self._width), dtype=np.uint32)
        plane = self._drawn(spans, element_bytes)
        # Sums of fractions of elements leave rounding errors in untouched pixels.
        touched = plane > 1e-9
        return np.where(touched, np.maximum(np.rint(plane * weight), 1), 0).astype(np.uint32)

    def _drawn(self, spans: Spans, element_bytes: Array) -> npt.NDArray[np.float64]:
        left = (spans.x - self._left) * self._x_scale
        low = (spans.y - self._low) * self._y_scale
        wide = spans.length * self._x_scale
        high = spans.length * element_bytes * self._y_scale
        column, low, high, weight = self._cut(left, wide, low, high, spans.length)
        if high.max(initial=0) <= 1:
            row = np.floor(low + high / 2).astype(np.int64)
            inside = (column >= 0) & (column < self._width) & (row >= 0) & (row < self._height)
            flat = row[inside] * self._width + column[inside]
            plane = np.bincount(flat, weight[inside], minlength=self._height * self._width).astype(np.float64)
            return plane.reshape(self._height, self._width)
        return self._columns(column, low, high, weight)

    def _cut(self, left: Array, wide: Array, low: Array, high: Array, length: Array) -> tuple[Array, ...]:
        """Spans cut at pixel columns: column, y, height and elements of each part."""
        if wide.max(initial=0) <= 1:
            return np.floor(left + wide / 2).astype(np.int64), low, high, length.astype(np.float64)
        right = np.minimum(left + wide, self._width)
        first = np.floor(np.maximum(left, 0)).astype(np.int64)
        count = np.maximum(np.ceil(right).astype(np.int64) - first, 0)
        span = np.repeat(np.arange(len(left)), count)
        column = np.arange(len(span)) - np.repeat(count.cumsum() - count, count) + first[span]
        begin = np.maximum(column, left[span])
        end = np.minimum(column + 1, left[span] + wide[span])
        part = np.maximum(end - begin, 0) / wide[span]
        return (
            column,
            low[span] + high[span] * (begin - left[span]) / wide[span],
            high[span] * part,
            length[span] * part,
        )

    def _columns(self, column: Array, low: Array, high: Array, weight: Array) -> npt.NDArray[np.float64]:
        """Vertical strokes, drawn as a cumulative sum: each adds at its first pixel and subtracts after its last."""
        first = np.floor(low).astype(np.int64)
        last = np.maximum(np.ceil(low + high).astype(np.int64), first + 1)
        each = weight / (last - first)
        first, last = np.clip(first, 0, self._height), np.clip(last, 0, self._height)
        inside = (column >= 0) & (column < self._width) & (last > first)
        column, first, last, each = column[inside], first[inside], last[inside], each[inside]
        size = (self._height + 1) * self._width
        steps = np.bincount(first * self._width + column, each, minlength=size)
        steps -= np.bincount(last * self._width + column, each, minlength=size)
        strokes: npt.NDArray[np.float64] = steps.reshape(self._height + 1, self._width)[:-1].cumsum(axis=0)
        return strokes
