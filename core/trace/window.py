"""Tiles whose elements are evenly spaced along every axis, as most tiles of kernels are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.trace.affine import LANE, Affine, IntArray, Integer


@dataclass(frozen=True)
class Window:
    """A tile as a strided view: element offsets `start` [lanes or 1] plus an arithmetic progression per axis."""

    start: IntArray
    sizes: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def extent(self) -> int:
        """Elements from the first to the last element of one lane's tile, inclusive."""
        return 1 + sum((n - 1) * s for n, s in zip(self.sizes, self.steps, strict=True))

    def row_starts(self, inner: int) -> IntArray:
        """Start of each contiguous row along axis `inner`: [lanes or 1, *the other axes]."""
        others = [axis for axis in range(len(self.sizes)) if axis != inner]
        starts = self.start.reshape(-1, *(1,) * len(others))
        for position, axis in enumerate(others):
            along = [1] * (len(others) + 1)
            along[position + 1] = self.sizes[axis]
            starts = starts + (np.arange(self.sizes[axis]) * self.steps[axis]).reshape(along)
        return starts


def window(offset: Integer, rank: int) -> Window | None:
    """`offset` as a window, if every tensor axis is a progression with a positive step."""
    sizes, steps = [1] * rank, [0] * rank
    start: Any = offset.constant if isinstance(offset, Affine) else offset
    for term in offset.terms if isinstance(offset, Affine) else ():
        if term.axes == LANE:
            start = start + term.array.reshape(-1)
            continue
        step = None if term.axes & LANE else term.step
        if step is None or step <= 0:
            return None
        axis = term.axes.bit_length() - 2
        sizes[axis], steps[axis] = term.array.shape[axis + 1], step
        start = start + term.low
    return Window(np.atleast_1d(np.asarray(start, dtype=np.int64)), tuple(sizes), tuple(steps))
