"""Which places of memory are elements of a tensor, by its shape and strides."""

from __future__ import annotations

import math

import numpy as np

from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import Buffer


class Layout:
    """The elements of a buffer, as offsets from its `data_ptr`. Exact unless elements overlap: then gaps count too.

    Axes that lie behind one another in memory are joined, so a dense tensor in any order of axes is a single run.
    """

    def __init__(self, buffer: Buffer) -> None:
        axes = [(size, stride) for size, stride in zip(buffer.shape, buffer.strides, strict=True) if size != 1]
        self.count = math.prod(buffer.shape)
        self._outer, self._run = _joined(sorted(((n, s) for n, s in axes if s), key=lambda axis: axis[1]))
        self.extent = self._run + sum((size - 1) * stride for size, stride in self._outer) if self.count else 0
        packed, expected = True, 1
        for size, stride in reversed(axes):
            packed, expected = packed and stride == expected, expected * size
        self.packed = packed
        """Whether the elements lie in row-major order without gaps."""

    @property
    def dense(self) -> bool:
        """Whether every offset within the extent is an element."""
        return not self._outer

    def holds(self, starts: IntArray, lengths: IntArray | int) -> BoolArray:
        """Whether all elements of each contiguous row belong to the tensor; the arguments broadcast."""
        rest = starts
        inside: BoolArray = starts >= 0
        for size, stride in self._outer:
            place, rest = np.divmod(rest, stride)
            inside = inside & (place < size)
        fits: BoolArray = (inside & (rest + lengths <= self._run)) | (np.asarray(lengths) <= 0)
        return fits


def _joined(axes: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], int]:
    """Axes (size, stride), given from the innermost, as the outer ones from the outermost, and the innermost run."""
    run = 1
    outer: list[tuple[int, int]] = []
    extent = 1
    for size, stride in axes:
        if not outer and stride <= run:  # behind one another, or overlapping
            run += (size - 1) * stride
        elif outer and stride == outer[-1][0] * outer[-1][1]:
            outer[-1] = outer[-1][0] * size, outer[-1][1]
        elif stride < extent:
            outer, run = [], extent + (size - 1) * stride
        else:
            outer.append((size, stride))
        extent += (size - 1) * stride
    return outer[::-1], run
