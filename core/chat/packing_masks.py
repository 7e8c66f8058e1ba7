"""The document mask of packed rows: its tiles, and the FLOPs of attention that it saves. Modelled, numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.chat.packing import Packing
from core.chat.rows import ConversationRows
from core.masks import Causal, Documents, Layout, Mask, Side, TileClass
from core.masks.cost import Tiling, tiling

CAUSAL: Mask = Causal()
CAUSAL_DOCUMENTS: Mask = Causal() & Documents()
MAX_ROWS = 16
"""Rows whose tiles are counted; of more, as many are taken, evenly spaced."""


@dataclass(frozen=True)
class MaskSaving:
    """What attention computes with causal attention alone, and with the document mask: FLOPs of Q K^T and P V of all
    heads, forward.

    The cells are those of all rows, exactly. The tiles are those of `tiled_rows` rows: a kernel computes whole tiles,
    so it saves fewer FLOPs than cells.
    """

    causal_flops: int
    document_flops: int
    tiled_rows: int
    causal_tile_flops: int
    document_tile_flops: int

    @property
    def saved(self) -> float:
        """The share of the FLOPs of causal attention that the mask hides, 0 to 1. NaN without tokens."""
        return 1 - self.document_flops / self.causal_flops if self.causal_flops else float("nan")

    @property
    def tiles_saved(self) -> float:
        """The share that a kernel saves that skips empty tiles, 0 to 1. NaN without tokens."""
        return 1 - self.document_tile_flops / self.causal_tile_flops if self.causal_tile_flops else float("nan")


def row_layout(packing: Packing, row: int) -> Layout:
    """The tokens of a row, without padding, and their documents. For `core.masks`."""
    segments = packing.segment_ids(row)
    return Layout.self_attention(Side.of(segments.size, documents=segments))


def rows_layout(rows: ConversationRows) -> Layout:
    """The tokens of `rows` that are kept, and their documents. For `core.masks`. Padding is of no document."""
    segment = rows.segment[rows.kept]
    documents = np.maximum(np.maximum.accumulate(segment) if segment.size else segment, 0)
    return Layout.self_attention(Side.of(segment.size, real=segment >= 0, documents=documents))


def row_tiling(packing: Packing, row: int, block: int, mask: Mask = CAUSAL_DOCUMENTS) -> Tiling:
    """The tiles of a row under a mask, exactly: `classes` uint8 [blocks, blocks] of TileClass."""
    return tiling(mask, row_layout(packing, row), block, block)


def mask_saving(packing: Packing, *, block: int = 64, heads: int = 1, head_dim: int = 64) -> MaskSaving:
    """What the document mask saves. 4 head_dim FLOPs per visible cell and head, as in `core.masks.cost`."""
    flops = 4 * head_dim * heads
    chosen = np.unique(np.linspace(0, packing.rows - 1, MAX_ROWS).round().astype(int)) if packing.rows else ()
    tiles = {CAUSAL: 0, CAUSAL_DOCUMENTS: 0}
    for row in chosen:
        for mask in tiles:
            tiled = row_tiling(packing, int(row), block, mask)
            tiles[mask] += int((tiled.classes != TileClass.EMPTY).sum()) * block * block
    return MaskSaving(
        causal_flops=flops * packing.causal_pairs,
        document_flops=flops * packing.own_pairs,
        tiled_rows=len(chosen),
        causal_tile_flops=flops * tiles[CAUSAL],
        document_tile_flops=flops * tiles[CAUSAL_DOCUMENTS],
    )
