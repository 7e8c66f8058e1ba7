"""A square mask against its transpose: the cells that differ, counted one by one and pooled for a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.masks.counting import visible
from core.masks.layout import Layout
from core.masks.nodes import Mask

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Symmetry:
    """How many `cells` the matrix has, how many are `differing` from their mirror image, and both as pictures.

    `seen` float32 [n, n]: the visible share under each pixel; `differs` float32 [n, n]: the share that differs.
    """

    cells: int
    differing: int
    seen: NDArray[np.float32]
    differs: NDArray[np.float32]

    @property
    def is_symmetric(self) -> bool:
        return self.differing == 0


def symmetry(mask: Mask, layout: Layout, max_px: int = 512) -> Symmetry:
    """Compare M with M^T, exactly; pictures are at most `max_px` pixels wide. Raises InvalidParams if not square."""
    length = layout.query_len
    if length != layout.key_len:
        raise InvalidParams(
            tr(
                "The mask is {query_len:,} x {key_len:,}, and only a square mask can equal its transpose: make both "
                "lengths equal.",
                query_len=length,
                key_len=layout.key_len,
            )
        )
    stride = max(1, -(-length // max_px))
    starts = np.arange(0, length, stride)
    seen, differs = (np.zeros((starts.size, starts.size), dtype=np.float32) for _ in range(2))
    differing = 0
    rows_at_once = max(1, _ROWS_AT_ONCE // stride) * stride
    everything = np.arange(length)
    for first in range(0, length, rows_at_once):
        rows = everything[first : first + rows_at_once]
        cells = visible(mask, layout, rows, everything)
        unlike = cells ^ visible(mask, layout, everything, rows).T
        differing += int(np.count_nonzero(unlike))
        pooled_rows = slice(first // stride, first // stride + -(-rows.size // stride))
        seen[pooled_rows], differs[pooled_rows] = _pooled(cells, stride), _pooled(unlike, stride)
    return Symmetry(length * length, differing, seen, differs)


def _pooled(cells: NDArray[np.bool_], stride: int) -> NDArray[np.float32]:
    """The share of True in blocks of stride x stride, smaller at the edges."""
    sums = cells.astype(np.int32)
    for axis in (0, 1):
        sums = np.add.reduceat(sums, np.arange(0, cells.shape[axis], stride), axis=axis)
    heights, widths = (np.minimum(stride, n - np.arange(0, n, stride)) for n in cells.shape)
    shares: NDArray[np.float32] = (sums / (heights[:, None] * widths[None, :])).astype(np.float32)
    return shares
