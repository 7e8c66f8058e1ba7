"""Which score tiles a tiled attention kernel visits, and in what order.

The score matrix [query_len, key_len] is cut into tiles of block_q x block_kv. Under the bottom-right aligned causal
mask, query i sees key j when j <= i + key_len - query_len.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SKIPPED, FULL, PARTIAL = 0, 1, 2
"""Tile classes: no cell attended, every cell attended, some of its cells attended (mask or ragged edge)."""


def block_count(length: int, block: int) -> int:
    """Tiles of `block` rows that cover `length` rows, the last one possibly padded."""
    return -(-length // block)


def tile_classes(query_len: int, key_len: int, block_q: int, block_kv: int, causal: bool) -> NDArray[np.uint8]:
    """Class of every tile, uint8 [q_blocks, kv_blocks]; exact, edges padded by length count as partial."""
    first_row = np.arange(block_count(query_len, block_q)) * block_q
    first_column = np.arange(block_count(key_len, block_kv)) * block_kv
    last_row = np.minimum(first_row + block_q, query_len) - 1
    row_is_whole = first_row + block_q <= query_len
    column_is_whole = first_column + block_kv <= key_len
    if causal:
        shift = key_len - query_len
        attended = first_column[None, :] <= (last_row + shift)[:, None]
        below_diagonal = (first_column + block_kv - 1)[None, :] <= (first_row + shift)[:, None]
        whole = row_is_whole[:, None] & column_is_whole[None, :] & below_diagonal
    else:
        attended = np.ones((first_row.size, first_column.size), dtype=bool)
        whole = row_is_whole[:, None] & column_is_whole[None, :]
    # 0, 1 or 2 in one pass each over large grids: attended adds one, attended but not whole another.
    classes = attended.view(np.uint8).copy()
    classes += (attended & ~whole).view(np.uint8)
    return classes


def launch_order(classes: NDArray[np.uint8], causal: bool) -> NDArray[np.int32]:
    """Tiles in the order in which one head visits them: int32 [steps, 3] of (q_block, iteration, kv_block).

    Programs in the order of their launch: under a causal mask the last Q block first (it has the most to do, and the
    short ones fill the tail of the grid), else the first. Within a program, KV tiles from the first key on. On a GPU
    programs run side by side, as many as fit: the order between them is that of their start, not of their end.
    """
    q_blocks = classes.shape[0]
    launch, kv_block = np.nonzero(classes[::-1] if causal else classes)
    tiles_per_program = np.bincount(launch, minlength=q_blocks)
    first_step = np.cumsum(tiles_per_program) - tiles_per_program
    iteration = np.arange(launch.size) - first_step[launch]
    q_block = q_blocks - 1 - launch if causal else launch
    return np.stack([q_block, iteration, kv_block], axis=1).astype(np.int32)


def attended_pairs(query_len: int, key_len: int, causal: bool) -> int:
    """(query, key) pairs of one head that the mask lets through."""
    if not causal:
        return query_len * key_len
    keys_seen = np.arange(query_len, dtype=np.int64) + 1 + key_len - query_len
    return int(np.clip(keys_seen, 0, key_len).sum())
