"""How often each element of a tensor is touched, as a picture of its two-dimensional view."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.contracts.archive import Array
from core.trace.affine import IntArray
from core.trace.record import Access, Buffer, Launch
from core.trace.rows import rows_of

_PIECES = 1 << 22
"""Parts of rows that are drawn at a time; limits the memory for drawing."""


_DENSE_ELEMENTS = 1 << 22
"""Tensors up to this size are counted element by element, which is as fast for long runs."""


@dataclass(frozen=True, eq=False)
class TensorHeatmap:
    """Accesses per pixel of a tensor of `rows` x `columns` elements: its last axis is x, the others are stacked on y.

    `reads` and `writes` are the smallest unsigned integers that hold the counts, [height, width], with row 0 (the first
    rows) at the top; each sums to the element accesses of its kind. An atomic counts as both.
    """

    reads: Array
    writes: Array
    rows: int
    columns: int

    def counts(self, way: str) -> Array:
        """`reads` or `writes`, by that name."""
        return self.reads if way == "reads" else self.writes

    def per_element(self, way: str) -> npt.NDArray[np.float64]:
        """Accesses per element of the tensor, averaged over each pixel: pixels may differ in size by an element."""
        height, width = self.reads.shape
        down, across = _extents(self.rows, height), _extents(self.columns, width)
        each: npt.NDArray[np.float64] = self.counts(way) / np.maximum(1, down[:, None] * across[None, :])
        return each


def tensor_heatmap(
    launches: Sequence[Launch],
    data_ptr: int,
    size_bytes: int,
    shape: Sequence[int],
    height: int,
    width: int,
    program: int | None = None,
) -> TensorHeatmap:
    """The accesses of `launches` to the contiguous tensor of `shape` that occupies `size_bytes` from `data_ptr`.

    The picture has at most one pixel per element: `height` and `width` are upper limits. With `program`, only the
    accesses of that linear program id count.
    """
    columns = int(shape[-1]) if len(shape) else 1
    rows = math.prod(int(n) for n in shape[:-1])
    shown = (max(1, min(height, rows)), max(1, min(width, columns)))
    kind = _Elements if rows * columns <= _DENSE_ELEMENTS else _Pixels
    planes = {"load": kind(max(1, rows), max(1, columns), shown), "store": kind(max(1, rows), max(1, columns), shown)}
    element_bytes = size_bytes // max(1, rows * columns)
    for launch in launches:
        for access in launch.accesses:
            base = _base(launch.buffers[access.buffer], data_ptr, size_bytes, element_bytes)
            if base is None:
                continue
            starts, lengths, repeat = _runs(access, program)
            for plane in ("load", "store") if access.kind == "atomic" else (access.kind,):
                planes[plane].add(starts + base, lengths, repeat)
    reads, writes = (_small(planes[way].counts()) for way in ("load", "store"))
    return TensorHeatmap(reads, writes, rows, columns)


def _base(buffer: Buffer, data_ptr: int, size_bytes: int, element_bytes: int) -> int | None:
    """The element of the tensor at which `buffer` begins (negative before it), or None for other memory.

    Views with another element size are left out.
    """
    apart = buffer.data_ptr + buffer.size_bytes <= data_ptr or data_ptr + size_bytes <= buffer.data_ptr
    if apart or buffer.element_bytes != element_bytes:
        return None
    return (buffer.data_ptr - data_ptr) // element_bytes


def _runs(access: Access, program: int | None) -> tuple[IntArray, IntArray, int]:
    """Contiguous runs of elements, [n] each, and how often each run occurs."""
    rows = rows_of(access)
    starts, lengths = np.broadcast_arrays(rows.starts, rows.lengths)
    if program is not None:
        lanes = np.flatnonzero(access.programs == program)
        many = starts.shape[0] == len(access.programs)
        starts, lengths = (a[lanes] if many else a[: len(lanes)] for a in (starts, lengths))
        repeat = 1
    else:
        repeat = rows.shape[0] // starts.shape[0] if starts.shape[0] else 1
    repeat *= rows.shape[1] // starts.shape[1] if starts.shape[1] else 1
    return starts.reshape(-1), lengths.reshape(-1), repeat


def _small(counts: IntArray) -> Array:
    """Counts as the smallest unsigned integers that hold them."""
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


def _extents(elements: int, pixels: int) -> IntArray:
    """Elements of each pixel along an axis, [pixels]."""
    return np.diff(_begins(elements, pixels), append=elements)


def _begins(elements: int, pixels: int) -> IntArray:
    """The first element of each pixel along an axis, [pixels]."""
    return -(-np.arange(pixels, dtype=np.int64) * elements // pixels)


class _Elements:
    """Counts runs per element, then elements per pixel; for tensors of moderate size."""

    def __init__(self, rows: int, columns: int, shown: tuple[int, int]) -> None:
        self._rows, self._columns, self._shown = rows, columns, shown
        self._steps = np.zeros(rows * columns + 1, dtype=np.int64)

    def add(self, starts: IntArray, lengths: IntArray, repeat: int) -> None:
        """Adds each run `repeat` times."""
        for edges, step in ((starts, repeat), (starts + lengths, -repeat)):
            np.add.at(self._steps, np.clip(edges, 0, self._rows * self._columns), step)

    def counts(self) -> IntArray:
        """Accesses per pixel, [height, width]."""
        counts: IntArray = self._steps[:-1].cumsum().reshape(self._rows, self._columns)
        for axis, pixels in enumerate(self._shown):
            counts = np.add.reduceat(counts, _begins(counts.shape[axis], pixels), axis=axis)
        return counts


class _Pixels:
    """Counts runs per pixel, cut at the ends of tensor rows and pixels; for tensors of any size."""

    def __init__(self, rows: int, columns: int, shown: tuple[int, int]) -> None:
        self._rows = rows
        self._columns = columns
        self._height, self._width = shown
        self._plane = np.zeros(shown, dtype=np.int64)

    def counts(self) -> IntArray:
        """Accesses per pixel, [height, width]."""
        return self._plane

    def add(self, starts: IntArray, lengths: IntArray, repeat: int) -> None:
        """Adds each run `repeat` times."""
        ends = np.clip(starts + lengths, 0, self._rows * self._columns)
        starts = np.clip(starts, 0, self._rows * self._columns)
        nonempty = ends > starts
        starts, ends = starts[nonempty], ends[nonempty]
        first, last = self._cell(starts), self._cell(ends - 1)
        count = last - first + 1
        total = np.concatenate(([0], count.cumsum()))
        begin = 0
        while begin < len(starts):
            end = max(begin + 1, int(np.searchsorted(total, total[begin] + _PIECES, side="right")) - 1)
            n = count[begin:end]
            cell = np.repeat(first[begin:end] - (total[begin:end] - total[begin]), n) + np.arange(int(n.sum()))
            low = np.maximum(self._begin(cell), np.repeat(starts[begin:end], n))
            high = np.minimum(self._begin(cell + 1), np.repeat(ends[begin:end], n))
            row = cell // self._width * self._height // self._rows
            flat = row * self._width + cell % self._width
            pieces = np.bincount(flat, high - low, minlength=self._plane.size).reshape(self._plane.shape)
            self._plane += repeat * np.rint(pieces).astype(np.int64)
            begin = end

    def _cell(self, element: IntArray) -> IntArray:
        """The cell of an element, counted through all tensor rows: row * width + column of the picture."""
        return element // self._columns * self._width + element % self._columns * self._width // self._columns

    def _begin(self, cell: IntArray) -> IntArray:
        """The first element of a cell."""
        return cell // self._width * self._columns + -(-(cell % self._width) * self._columns // self._width)
