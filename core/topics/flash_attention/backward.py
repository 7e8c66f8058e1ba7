"""The bytes of the backward passes: of our kernels, tile by tile, and of the algorithms of the FlashAttention paper.

Bytes are counted as in `tiles`: what the programs request, a tile that several programs load each time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.masks import TileClass
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.tiles import block_count, tile_classes
from core.trace.kernel_traffic import TensorTraffic

_STATISTIC_BYTES = 4
"""The log-sum-exp and D = rowsum(dO * O) are float32."""


def algorithm_4_bytes(length: int, head_dim: int, block: int, element_bytes: int) -> int:
    """FlashAttention's backward pass (Dao et al. 2022, Algorithm 4), one head without a mask, tiles of `block` keys.

    dQ is set to zero (N d elements, line 5), K and V are read once (2 N d, line 7) and dK and dV written once (2 N d,
    line 24). For each of T = ceil(N / block) key tiles Q, O, dO and dQ are read (4 N d) with l and m (line 10), and dQ
    is written (N d, line 21). With `block` = M / (4 d) for M elements of SRAM, the order is N^2 d^2 / M (Theorem 5).
    """
    tiles = block_count(length, block)
    return (5 + 5 * tiles) * length * head_dim * element_bytes + 2 * tiles * length * _STATISTIC_BYTES


def two_kernel_bytes(length: int, head_dim: int, block: int, element_bytes: int) -> int:
    """The same for our two kernels, with tiles of `block` queries and of `block` keys.

    Q, O, dO, K and V are read once and dQ, dK and dV written once (8 N d). For each of T tiles of queries the first
    kernel reads K and V, and for each of T tiles of keys the second reads Q and dO with both statistics (4 N d). The
    first also reads the log-sum-exp and writes D. No dQ comes back, so from T = 4 on it is less than Algorithm 4.
    """
    tiles = block_count(length, block)
    return (8 + 4 * tiles) * length * head_dim * element_bytes + (2 + 2 * tiles) * length * _STATISTIC_BYTES


def standard_backward_traffic(params: FlashAttentionParams) -> tuple[TensorTraffic, ...]:
    """Standard attention as five tiled kernels (Algorithm 3): dV, dP, dS, dQ and dK, with P, dP and dS in HBM.

    For every tile of keys, Q and dO are read again (twice dO: for dV and for dP), for every tile of queries K and V.
    Nothing is skipped under a causal mask.
    """
    q_blocks, kv_blocks = block_count(params.seq_len, params.block_q), block_count(params.key_len, params.block_kv)
    rows, keys, kv_keys = _matrix_bytes(params)
    scores = params.batch * params.heads * params.seq_len * params.key_len * params.element_bytes
    return (
        _read("standard", "Q", rows * kv_blocks, rows),
        _read("standard", "K", keys * q_blocks, kv_keys),
        _read("standard", "V", keys * q_blocks, kv_keys),
        _read("standard", "P", 2 * scores, scores),
        _read("standard", "dO", 2 * rows * kv_blocks, rows),
        TensorTraffic("standard", "", "dP", scores, scores, scores),
        TensorTraffic("standard", "", "dS", 2 * scores, scores, scores),
        *(_written("standard", name, size) for name, size in (("dQ", rows), ("dK", kv_keys), ("dV", kv_keys))),
    )


def flash_backward_traffic(params: FlashAttentionParams) -> tuple[TensorTraffic, ...]:
    """Our two flash kernels. The first keeps block_q queries and walks the keys in tiles of block_kv, like the forward
    kernel; the second keeps block_q keys and walks the queries in tiles of block_kv."""
    rows, _, kv_keys = _matrix_bytes(params)
    heads = params.batch * params.heads
    row_bytes = params.head_dim * params.element_bytes
    by_query = tile_classes(params.seq_len, params.key_len, params.block_q, params.block_kv, params.causal)
    keys_loaded = _walked(by_query, params.key_len, params.block_kv)
    by_key = tile_classes(params.seq_len, params.key_len, params.block_kv, params.block_q, params.causal).T
    queries_loaded = _walked(by_key, params.seq_len, params.block_kv)

    walked_keys = heads * keys_loaded * row_bytes
    walked_queries = heads * queries_loaded * row_bytes
    statistic, walked_statistic = (heads * count * _STATISTIC_BYTES for count in (params.seq_len, queries_loaded))
    return (
        _read("flash", "Q", rows + walked_queries, rows),
        _read("flash", "K", walked_keys + kv_keys, kv_keys),
        _read("flash", "V", walked_keys + kv_keys, kv_keys),
        _read("flash", "O", rows, rows),
        _read("flash", "LSE", statistic + walked_statistic, statistic),
        _read("flash", "dO", rows + walked_queries, rows),
        TensorTraffic("flash", "", "D", walked_statistic, statistic, statistic),
        *(_written("flash", name, size) for name, size in (("dQ", rows), ("dK", kv_keys), ("dV", kv_keys))),
    )


def _walked(classes: NDArray[np.uint8], length: int, block: int) -> int:
    """Rows that all kept tiles walk together; classes [kept tiles, walked tiles], the last walked one may be ragged."""
    tile_rows = np.full(classes.shape[1], block, dtype=np.int64)
    tile_rows[-1] = length - (classes.shape[1] - 1) * block
    return int((classes != TileClass.EMPTY).sum(axis=0) @ tile_rows)


def _matrix_bytes(params: FlashAttentionParams) -> tuple[int, int, int]:
    """Of Q, of K as all query heads read it, and of K as it is."""
    row_bytes = params.head_dim * params.element_bytes * params.batch
    rows, keys = params.seq_len * row_bytes, params.key_len * row_bytes
    return rows * params.heads, keys * params.heads, keys * params.kv_heads


def _read(kernel: str, tensor: str, size: int, unique: int) -> TensorTraffic:
    return TensorTraffic(kernel, "", tensor, size, 0, unique)


def _written(kernel: str, tensor: str, size: int) -> TensorTraffic:
    return TensorTraffic(kernel, "", tensor, 0, size, size)
