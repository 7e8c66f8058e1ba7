"""An access as contiguous rows of elements. Traffic counts and address maps use rows instead of single elements."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.trace.affine import Affine, IntArray, dense
from core.trace.mask import BoolArray, Mask
from core.trace.record import Access


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
    """The rows of an access. Elements that are not contiguous along any axis, or are irregularly masked, become rows of
    length 1. The rows themselves may be anywhere, as those that a kernel gathers."""
    lanes, shape = len(access.programs), access.shape
    inner = _contiguous_axis(access)
    lengths = None if inner is None else _lengths(access.mask, shape, inner)
    if inner is None or lengths is None:
        return _elements(access, lanes)
    outer = tuple(size for axis, size in enumerate(shape) if axis != inner)
    count = int(np.prod(outer, dtype=np.int64))
    return Rows(_flattened(_row_starts(access, inner), outer), _flattened(lengths, outer), (lanes, count))


def row_count(access: Access) -> int:
    """How many rows of `rows_of` touch memory at most, without the rows themselves."""
    lanes, shape = len(access.programs), access.shape
    inner = _contiguous_axis(access)
    if inner is None or _lengths(access.mask, shape, inner) is None:
        return int(np.count_nonzero(access.active()))
    return lanes * math.prod(shape) // max(1, shape[inner])


def _contiguous_axis(access: Access) -> int | None:
    """The last tensor axis along which every step is one element, whatever the others do."""
    if not isinstance(access.offset, Affine):
        return None
    for axis in reversed(range(len(access.shape))):
        terms = [term for term in access.offset.terms if term.axes >> axis + 1 & 1]
        if len(terms) == 1 and terms[0].axes == 1 << axis + 1 and terms[0].step == 1:
            return axis
    return None


def _row_starts(access: Access, inner: int) -> IntArray:
    """The offset of the first element of each row along axis `inner`, [lanes or 1, *outer or 1]."""
    assert isinstance(access.offset, Affine)
    total = np.full((1,) * (len(access.shape) + 1), access.offset.constant, dtype=np.int64)
    for term in access.offset.terms:
        total = total + np.take(term.array, [0], axis=inner + 1)
    return np.squeeze(total, axis=inner + 1)


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
