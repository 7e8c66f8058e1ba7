"""What a mask saves in cells, FLOPs and bytes, signed. Every number here is modelled.

A tiled kernel saves whole tiles only: the hidden cells of a partial tile are computed and discarded, and a tile that
extends past the edge is computed in full. So tiles never save more than the share of hidden cells, and on short or
ragged sequences they can cost more than the dense matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.masks.counting import TileClass, classify, tile_counts
from core.masks.layout import Layout
from core.masks.nodes import Mask


@dataclass(frozen=True)
class Tiling:
    """One sequence cut into tiles. `counts` int64 and `classes` uint8 [q_blocks, kv_blocks]."""

    block_q: int
    block_kv: int
    counts: NDArray[np.int64]
    classes: NDArray[np.uint8]

    def count(self, tile_class: TileClass) -> int:
        return int(np.count_nonzero(self.classes == tile_class))

    @property
    def visited(self) -> int:
        """Tiles that the kernel computes: full and partial."""
        return self.classes.size - self.count(TileClass.EMPTY)


def tiling(mask: Mask, layout: Layout, block_q: int, block_kv: int) -> Tiling:
    """The tiles of one sequence, exact."""
    counts = tile_counts(mask, layout, block_q, block_kv)
    return Tiling(block_q, block_kv, counts, classify(counts, layout, block_q, block_kv))


@dataclass(frozen=True)
class Cost:
    """The sequences of a batch and all heads together.

    Cells and tiles are counted once per sequence (heads share the mask); FLOPs and bytes over all heads. FLOPs are
    4 head_dim per cell: Q K^T and P V, one multiply and one add each; softmax is left out, as usual.
    """

    cells: int
    visible_cells: int
    tiles: int
    full_tiles: int
    partial_tiles: int
    computed_cells: int
    dense_flops: int
    visible_flops: int
    tile_flops: int
    dense_bytes: int
    tile_bytes: int
    dense_mask_bytes: int
    tile_list_bytes: int

    @property
    def empty_tiles(self) -> int:
        return self.tiles - self.full_tiles - self.partial_tiles

    @property
    def sparsity(self) -> float:
        """The share of hidden cells, 0 to 1; 0 if there are no cells."""
        return 1 - self.visible_cells / self.cells if self.cells else 0.0

    @property
    def flops_saved(self) -> int:
        """dense_flops - tile_flops: positive when tiles save work, negative when they cost more than the matrix."""
        return self.dense_flops - self.tile_flops

    @property
    def bytes_saved(self) -> int:
        """dense_bytes - tile_bytes: the bytes of a kernel that visits every tile, minus those with the mask."""
        return self.dense_bytes - self.tile_bytes

    @property
    def share_of_flops_saved(self) -> float:
        """flops_saved as a share of dense_flops; at most `sparsity`, and below 0 where tiles cost more."""
        return self.flops_saved / self.dense_flops if self.dense_flops else 0.0


_INDEX_BYTES = 4


def cost(
    layouts: tuple[Layout, ...],
    tilings: tuple[Tiling, ...],
    *,
    heads: int,
    head_dim: int,
    element_bytes: int,
) -> Cost:
    """The cost of a mask over a batch; `tilings[b]` belongs to `layouts[b]`.

    Bytes, per head: Q read and O written once, K and V read once per visited tile, existing rows only. The dense mask
    is a bool tensor [batch, 1, query_len, key_len]; tile lists hold an int32 per visited tile and two per row of tiles.
    """
    flops_per_cell = 4 * head_dim * heads
    row_bytes = head_dim * element_bytes * heads
    cells = visible_cells = computed = key_rows = dense_key_rows = query_rows = 0
    counts = dict.fromkeys(TileClass, 0)
    rows_of_tiles = 0
    for layout, tiles in zip(layouts, tilings, strict=True):
        cells += layout.query_len * layout.key_len
        visible_cells += int(tiles.counts.sum())
        computed += tiles.visited * tiles.block_q * tiles.block_kv
        starts = np.arange(tiles.classes.shape[1]) * tiles.block_kv
        widths = np.minimum(starts + tiles.block_kv, layout.key_len) - starts
        key_rows += int(((tiles.classes != TileClass.EMPTY) * widths).sum())
        dense_key_rows += int(widths.sum()) * tiles.classes.shape[0]
        query_rows += layout.query_len
        rows_of_tiles += tiles.classes.shape[0]
        for tile_class in TileClass:
            counts[tile_class] += tiles.count(tile_class)
    visited = counts[TileClass.FULL] + counts[TileClass.PARTIAL]
    return Cost(
        cells=cells,
        visible_cells=visible_cells,
        tiles=sum(counts.values()),
        full_tiles=counts[TileClass.FULL],
        partial_tiles=counts[TileClass.PARTIAL],
        computed_cells=computed,
        dense_flops=flops_per_cell * cells,
        visible_flops=flops_per_cell * visible_cells,
        tile_flops=flops_per_cell * computed,
        dense_bytes=2 * row_bytes * (query_rows + dense_key_rows),
        tile_bytes=2 * row_bytes * (query_rows + key_rows),
        dense_mask_bytes=cells,
        tile_list_bytes=_INDEX_BYTES * (visited + 2 * rows_of_tiles),
    )
