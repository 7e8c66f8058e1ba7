"""A grid of tiles with their classes and the order of loading, and the part of it to draw at a given zoom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.masks import TileClass

NEVER = -1
"""The order of a tile that is never loaded."""


@dataclass(frozen=True)
class TileGrid:
    """Tiles of `block_q` x `block_kv` over `query_len` x `key_len` tokens.

    classes  uint8 [q_blocks, kv_blocks] of TileClass
    order    int32 [q_blocks, kv_blocks]: the step in which the tile is loaded, NEVER for those that are not
    """

    classes: np.ndarray
    order: np.ndarray
    block_q: int
    block_kv: int
    query_len: int
    key_len: int

    @classmethod
    def from_tiles(
        cls, classes: np.ndarray, tiles: np.ndarray, block_q: int, block_kv: int, query_len: int, key_len: int
    ) -> TileGrid:
        """A grid from its classes and the tiles in the order of loading, int [steps, 2] of (q_block, kv_block)."""
        order = np.full(classes.shape, NEVER, dtype=np.int32)
        order[tiles[:, 0], tiles[:, 1]] = np.arange(tiles.shape[0], dtype=np.int32)
        return cls(classes, order, block_q, block_kv, query_len, key_len)

    @property
    def q_blocks(self) -> int:
        return int(self.classes.shape[0])

    @property
    def kv_blocks(self) -> int:
        return int(self.classes.shape[1])

    @cached_property
    def _tile_of_step(self) -> np.ndarray:
        """int64 [steps]: flat index of the tile loaded in each step."""
        loaded = self.order.ravel() >= 0
        tiles = np.empty(int(loaded.sum()), dtype=np.int64)
        tiles[self.order.ravel()[loaded]] = np.flatnonzero(loaded)
        return tiles

    @property
    def steps(self) -> int:
        return int(self._tile_of_step.size)

    def tile_at(self, step: int) -> tuple[int, int]:
        """(q_block, kv_block) loaded in `step`."""
        q_block, kv_block = divmod(int(self._tile_of_step[step]), self.kv_blocks)
        return q_block, kv_block

    def share(self, tile_class: TileClass) -> float:
        """The share of the tiles that are of a class, 0 to 1."""
        return float(np.count_nonzero(self.classes == tile_class)) / self.classes.size


@dataclass(frozen=True)
class TilePicture:
    """Part of a grid at a resolution that a screen can show: one pixel stands for `stride` x `stride` tiles."""

    classes: np.ndarray
    order: np.ndarray
    first_q: int
    first_kv: int
    q_stride: int
    kv_stride: int

    def states(self, step: int) -> np.ndarray:
        """uint8, as `classes`: the class, plus 3 where the tile has been loaded by `step`."""
        loaded = (self.order >= 0) & (self.order <= step)
        return self.classes + np.uint8(3) * loaded.astype(np.uint8)


def picture(grid: TileGrid, q_range: tuple[int, int], kv_range: tuple[int, int], most: int = 512) -> TilePicture:
    """The tiles [q_range) x [kv_range), pooled so that neither side passes `most` pixels.

    A pixel shows the highest class among its tiles (partial, full, empty), and is loaded with the first of them.
    """
    first_q, last_q = max(0, q_range[0]), min(grid.q_blocks, q_range[1])
    first_kv, last_kv = max(0, kv_range[0]), min(grid.kv_blocks, kv_range[1])
    rows = np.s_[first_q:last_q, first_kv:last_kv]
    q_stride, kv_stride = -(-(last_q - first_q) // most), -(-(last_kv - first_kv) // most)
    classes, order = grid.classes[rows], grid.order[rows]
    if q_stride > 1 or kv_stride > 1:
        classes = _pooled(classes, q_stride, kv_stride, np.maximum)
        # As unsigned, NEVER is the largest value, so the minimum is the first load.
        order = _pooled(order.view(np.uint32), q_stride, kv_stride, np.minimum).view(np.int32)
    return TilePicture(classes, order, first_q, first_kv, q_stride, kv_stride)


def _pooled(values: np.ndarray, row_stride: int, column_stride: int, pool: np.ufunc) -> np.ndarray:
    """`values` reduced by `pool` over blocks of row_stride x column_stride, the last ones cut short."""
    rows = np.arange(0, values.shape[0], row_stride)
    columns = np.arange(0, values.shape[1], column_stride)
    return pool.reduceat(pool.reduceat(values, rows, axis=0), columns, axis=1)
