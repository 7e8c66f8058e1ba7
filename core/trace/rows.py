"""An access as contiguous rows of elements. Traffic counts and address maps use rows instead of single elements."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.trace.affine import IntArray, dense
from core.trace.mask import BoolArray, Mask
from core.trace.record import Access
from core.trace.window import window


@dataclass(frozen=True)
class Rows:
    """Contiguous runs of elements, in the order of the tile.

    `starts` and `lengths` broadcast to [lanes, rows of one tile]; starts are element offsets from the buffer's
    data_ptr. A row of length 0 is fully masked.
    """

    starts: IntArray
    lengths: IntArray
    shape: tuple[int, int]

    def elements_per_lane(self) -> IntArray:
        """Elements that each lane touches, [lanes]."""
        lanes, rows = self.shape
        per_lane = self.lengths.sum(axis=1) * (rows // self.lengths.shape[1])
        return np.broadcast_to(per_lane, (lanes,))


def rows_of(access: Access) -> Rows:
    """The rows of an access. Irregularly spaced or irregularly masked elements become rows of length 1."""
    lanes, shape = len(access.programs), access.shape
    view = window(access.offset, len(shape))
    inner = None if view is None else next((a for a in reversed(range(len(shape))) if view.steps[a] == 1), None)
    lengths = None if inner is None else _lengths(access.mask, shape, inner)
    if view is None or inner is None or lengths is None:
        return _elements(access, lanes)
    others = [axis for axis in range(len(shape)) if axis != inner]
    starts = view.row_starts(inner)
    outer = tuple(shape[axis] for axis in others)
    count = int(np.prod(outer, dtype=np.int64))
    return Rows(_flattened(starts, outer), _flattened(lengths, outer), (lanes, count))


def row_count(access: Access) -> int:
    """How many rows of `rows_of` touch memory at most, without the rows themselves."""
    lanes, shape = len(access.programs), access.shape
    view = window(access.offset, len(shape))
    inner = None if view is None else next((a for a in reversed(range(len(shape))) if view.steps[a] == 1), None)
    if inner is None or _lengths(access.mask, shape, inner) is None:
        return int(np.count_nonzero(access.active()))
    return lanes * math.prod(shape) // max(1, shape[inner])


def _flattened(array: IntArray, outer: tuple[int, ...]) -> IntArray:
    """[lanes or 1, *outer or 1] as [lanes or 1, rows or 1]."""
    if all(size == 1 for size in array.shape[1:]):
        return array.reshape(array.shape[0], 1)
    return np.broadcast_to(array, (array.shape[0], *outer)).reshape(array.shape[0], -1)


def _lengths(mask: Mask | None, shape: tuple[int, ...], inner: int) -> IntArray | None:
    """Unmasked elements per row, [lanes or 1, *outer or 1]; None if they are not a prefix of their rows."""
    size = shape[inner]
    if mask is None:
        return np.full((1,) * len(shape), size, dtype=np.int64)
    keep = np.moveaxis(mask.array, inner + 1, -1)
    if keep.shape[-1] == 1:
        whole: IntArray = keep[..., 0] * np.int64(size)
        return whole
    if bool((keep[..., 1:] > keep[..., :-1]).any()):
        return None
    counts: IntArray = keep.sum(axis=-1, dtype=np.int64)
    return counts


def _elements(access: Access, lanes: int) -> Rows:
    shape = access.shape
    starts = dense(access.offset, len(shape))
    keep: BoolArray = np.ones((1,) * (len(shape) + 1), dtype=np.bool_) if access.mask is None else access.mask.array
    count = int(np.prod(shape, dtype=np.int64))
    return Rows(_flattened(starts, shape), _flattened(keep.astype(np.int64), shape), (lanes, count))
