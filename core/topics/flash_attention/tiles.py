"""The score tiles that a tiled attention kernel visits, their order, and their cost in FLOPs and bytes as N grows.

The score matrix [query_len, key_len] is cut into tiles of block_q x block_kv. Under the bottom-right aligned causal
mask, query i sees key j when j <= i + key_len - query_len.

FLOPs are those of the two matrix products, 2 per multiply-add; softmax (a few operations per score, against 4 head_dim
for the products) is left out, as usual. Bytes are what the programs request, as a trace counts them: a tile that
several programs load counts each time. An L2 cache may serve part of it, but never the unique bytes. Masked-off lanes
(ragged edges) move nothing and are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.masks import TileClass
from core.topics.flash_attention.params import FlashAttentionParams
from core.trace.kernel_traffic import TensorTraffic, moved_bytes

_LSE_BYTES = 4
_POINTS = 65
Curve = NDArray[np.float64]


def block_count(length: int, block: int) -> int:
    """Tiles of `block` rows that cover `length` rows, the last one possibly padded."""
    return -(-length // block)


def tile_classes(query_len: int, key_len: int, block_q: int, block_kv: int, causal: bool) -> NDArray[np.uint8]:
    """TileClass of every tile, uint8 [q_blocks, kv_blocks]. Exact; tiles that extend past the edge are partial."""
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
    # One pass each over large grids: attended adds 1 (FULL), attended but not whole adds 1 more (PARTIAL).
    classes = attended.view(np.uint8).copy()
    classes += (attended & ~whole).view(np.uint8)
    return classes


def launch_order(classes: NDArray[np.uint8], causal: bool) -> NDArray[np.int32]:
    """Tiles in the order in which one head visits them: int32 [steps, 3] of (q_block, iteration, kv_block).

    Programs in launch order: under a causal mask the last Q block first (it has the most work, and short ones fill the
    tail of the grid), otherwise the first. Within a program, KV tiles in key order. On a GPU as many programs as fit
    run in parallel: the order between them is that of their start, not of their end.
    """
    q_blocks = classes.shape[0]
    launch, kv_block = np.nonzero((classes[::-1] if causal else classes) != TileClass.EMPTY)
    tiles_per_program = np.bincount(launch, minlength=q_blocks)
    first_step = np.cumsum(tiles_per_program) - tiles_per_program
    iteration = np.arange(launch.size) - first_step[launch]
    q_block = q_blocks - 1 - launch if causal else launch
    return np.stack([q_block, iteration, kv_block], axis=1).astype(np.int32)


def attended_pairs(query_len: int, key_len: int, causal: bool) -> int:
    """(query, key) pairs of one head that the mask shows."""
    if not causal:
        return query_len * key_len
    keys_seen = np.arange(query_len, dtype=np.int64) + 1 + key_len - query_len
    return int(np.clip(keys_seen, 0, key_len).sum())


@dataclass(frozen=True)
class ForwardFlops:
    """`formula` counts attended (query, key) pairs; the others count whole tiles, padding and masked cells included,
    and the padding of the head."""

    formula: int
    dense: int
    """The formula without the causal mask."""
    flash_tiles: int
    """Tiles that the flash kernel visits (skipped tiles cost nothing)."""
    standard_tiles: int
    """Tiles of the standard kernels, which compute every tile."""


def forward_flops(params: FlashAttentionParams, classes: NDArray[np.uint8]) -> ForwardFlops:
    """Q K^T and P V: 2 x 2 x pairs x head_dim per head (Dao 2023, section 4.1)."""
    per_pair = 4 * params.head_dim * params.batch * params.heads
    per_tile = 4 * params.tile_dim * params.batch * params.heads * params.block_q * params.block_kv
    return ForwardFlops(
        formula=per_pair * attended_pairs(params.seq_len, params.key_len, params.causal),
        dense=per_pair * params.seq_len * params.key_len,
        flash_tiles=per_tile * int(np.count_nonzero(classes != TileClass.EMPTY)),
        standard_tiles=per_tile * classes.size,
    )


def total_bytes(traffic: Iterable[TensorTraffic], kernel: str) -> int:
    """Read and written bytes of all tensors of one kernel."""
    return moved_bytes(row for row in traffic if row.kernel == kernel)


def gain_limit(params: FlashAttentionParams) -> float:
    """Standard bytes over flash bytes as N grows and the tiles stay: both are quadratic, so it is a constant.

    Per score, standard attention moves head_dim / block_kv elements of Q, 2 head_dim / block_q of K and V, and S and P
    twice each. Flash moves only K and V, and under a causal mask only for visible scores: half of them if both lengths
    are equal. The ratio of the lengths is kept as N grows.
    """
    key_share = 2 * params.head_dim / params.block_q
    standard = params.head_dim / params.block_kv + key_share + 4
    visited = 1.0
    if params.causal:
        keys_per_query = params.key_len / params.seq_len
        visited = 1 - 0.5 / keys_per_query if keys_per_query >= 1 else 0.5 * keys_per_query
    return standard / (key_share * visited)


def standard_traffic(params: FlashAttentionParams, classes: NDArray[np.uint8]) -> tuple[TensorTraffic, ...]:
    """Standard attention as three tiled kernels: S = Q K^T, P = softmax(S), O = P V, with S and P in HBM.

    Every tile of S is computed, and the causal mask is written into it as -inf; a Q tile is loaded once per KV
    tile, a K tile once per Q tile, a V tile once per Q tile. S and P are each written once and read once.
    """
    q_blocks, kv_blocks = classes.shape
    element = params.element_bytes
    heads = params.batch * params.heads
    kv_heads = params.batch * params.kv_heads
    rows = params.seq_len * params.head_dim * element
    columns = params.key_len * params.head_dim * element
    scores = heads * params.seq_len * params.key_len * element
    return (
        TensorTraffic("standard", "", "Q", heads * rows * kv_blocks, 0, heads * rows),
        TensorTraffic("standard", "", "K", heads * columns * q_blocks, 0, kv_heads * columns),
        TensorTraffic("standard", "", "V", heads * columns * q_blocks, 0, kv_heads * columns),
        TensorTraffic("standard", "", "S", scores, scores, scores),
        TensorTraffic("standard", "", "P", scores, scores, scores),
        TensorTraffic("standard", "", "O", 0, heads * rows, heads * rows),
    )


def flash_traffic(params: FlashAttentionParams, classes: NDArray[np.uint8]) -> tuple[TensorTraffic, ...]:
    """FlashAttention forward, one program per Q block: Q read once, K and V once per visited tile."""
    element = params.element_bytes
    heads = params.batch * params.heads
    kv_heads = params.batch * params.kv_heads
    rows = params.seq_len * params.head_dim * element
    tile_rows = np.full(classes.shape[1], params.block_kv, dtype=np.int64)
    tile_rows[-1] = params.key_len - (classes.shape[1] - 1) * params.block_kv
    visited = classes != TileClass.EMPTY
    key_rows_loaded = int(visited.sum(axis=0) @ tile_rows)
    key_rows_touched = int(visited.any(axis=0) @ tile_rows)
    loaded = heads * key_rows_loaded * params.head_dim * element
    touched = kv_heads * key_rows_touched * params.head_dim * element
    log_sum_exp = heads * params.seq_len * _LSE_BYTES
    return (
        TensorTraffic("flash", "", "Q", heads * rows, 0, heads * rows),
        TensorTraffic("flash", "", "K", loaded, 0, touched),
        TensorTraffic("flash", "", "V", loaded, 0, touched),
        TensorTraffic("flash", "", "S", 0, 0, 0),
        TensorTraffic("flash", "", "P", 0, 0, 0),
        TensorTraffic("flash", "", "O", 0, heads * rows, heads * rows),
        TensorTraffic("flash", "", "LSE", 0, log_sum_exp, log_sum_exp),
    )


@dataclass(frozen=True)
class IoComplexity:
    """HBM accesses by N and by SRAM size, in bytes of the whole problem (batch x heads). Modelled.

    Dao et al. 2022, Theorem 2: standard attention needs Theta(N d + N^2) accesses, FlashAttention Theta(N^2 d^2 / M)
    with d <= M <= N d elements of SRAM. The curves take the constants of the algorithms, one head, no mask: standard
    attention reads Q, K, V, writes O (4 N d) and passes four times over N^2 scores (S written, S read, P written, P
    read); FlashAttention with one Q block of B rows in SRAM at a time reads Q, writes O (2 N d) and reads K and V once
    per Q block (2 N d N / B). Theorem 2's tile takes a quarter of the SRAM: B = M / (4 d), hence 8 N^2 d^2 / M.

    All arrays float64 [65].

    By N: `lengths`, with `standard_by_length`, `flash_by_length` at the SRAM of one SM.
    By M: `sram_bytes`, with `standard_by_sram`, `flash_by_sram` at the chosen sequence length.
    """

    lengths: Curve
    standard_by_length: Curve
    flash_by_length: Curve
    sram_bytes: Curve
    standard_by_sram: Curve
    flash_by_sram: Curve


def standard_accesses(length: Curve | float, head_dim: int) -> Curve:
    """Elements of HBM that standard attention reads and writes, one head: 4 N d + 4 N^2."""
    n = np.asarray(length, dtype=np.float64)
    return 4 * n * head_dim + 4 * n * n


def flash_accesses(length: Curve | float, head_dim: int, sram_elements: Curve | float) -> Curve:
    """Elements of HBM that FlashAttention reads and writes, one head: 2 N d + 2 N d ceil(N / B), B = M / (4 d)."""
    n = np.asarray(length, dtype=np.float64)
    rows = np.maximum(1.0, np.floor(np.asarray(sram_elements, dtype=np.float64) / (4 * head_dim)))
    return 2 * n * head_dim + 2 * n * head_dim * np.ceil(n / rows)


def io_complexity(params: FlashAttentionParams, sram_per_sm_bytes: float) -> IoComplexity:
    """Both curves for the chosen width, precision, heads and GPU; N from 64 to 65536, M from 8 KiB to 1 MiB."""
    element = params.element_bytes
    scale = element * params.batch * params.heads
    lengths = np.geomspace(64, 65536, _POINTS)
    sram_bytes = np.geomspace(8 * 1024, 1024 * 1024, _POINTS)
    width = params.head_dim
    seq_len = float(params.seq_len)
    return IoComplexity(
        lengths=lengths,
        standard_by_length=scale * standard_accesses(lengths, width),
        flash_by_length=scale * flash_accesses(lengths, width, sram_per_sm_bytes / element),
        sram_bytes=sram_bytes,
        standard_by_sram=np.full(_POINTS, scale * float(standard_accesses(seq_len, width))),
        flash_by_sram=scale * flash_accesses(seq_len, width, sram_bytes / element),
    )
