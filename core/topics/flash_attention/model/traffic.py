"""Bytes that the two kernels move between HBM and the chip, tensor by tensor.

The count is of the bytes that the programs ask for, as a trace counts them: a tile that several programs load counts
each time. An L2 cache may serve part of it; what no cache can remove is the unique bytes, which are here too.
Masked-out lanes (ragged edges) move nothing and are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.topics.flash_attention.model.sram import ELEMENT_BYTES
from core.topics.flash_attention.params import FlashAttentionParams

_LSE_BYTES = 4


@dataclass(frozen=True)
class TensorTraffic:
    """Bytes of one tensor, whole launch. `unique_bytes` is the size of what is touched at least once."""

    kernel: str
    tensor: str
    read_bytes: int
    written_bytes: int
    unique_bytes: int

    @property
    def bytes(self) -> int:
        return self.read_bytes + self.written_bytes


def total_bytes(rows: Iterable[TensorTraffic], kernel: str) -> int:
    """Read and written bytes of all tensors of one kernel."""
    return sum(row.bytes for row in rows if row.kernel == kernel)


def gain_limit(params: FlashAttentionParams) -> float:
    """Standard bytes over flash bytes as N grows and the tiles stay: both are quadratic, so it is a constant.

    Per score, standard attention moves head_dim / block_kv elements of Q, 2 head_dim / block_q of K and V, and S and P
    twice each; flash moves K and V alone, and under a causal mask only for the scores that it lets through: half of
    them for equal lengths, whose ratio is kept.
    """
    key_share = 2 * params.head_dim / params.block_q
    standard = params.head_dim / params.block_kv + key_share + 4
    visited = 1.0
    if params.causal:
        keys_a_query = params.key_len / params.seq_len
        visited = 1 - 0.5 / keys_a_query if keys_a_query >= 1 else 0.5 * keys_a_query
    return standard / (key_share * visited)


def standard_traffic(params: FlashAttentionParams, classes: NDArray[np.uint8]) -> tuple[TensorTraffic, ...]:
    """Standard attention as three tiled kernels: S = Q K^T, P = softmax(S), O = P V, with S and P in HBM.

    Every tile of S is computed, the causal mask being written into it as -inf; a Q tile is loaded once per KV
    tile, a K tile once per Q tile, a V tile once per Q tile. S and P are each written once and read once.
    """
    q_blocks, kv_blocks = classes.shape
    element = ELEMENT_BYTES[params.dtype]
    heads = params.batch * params.heads
    kv_heads = params.batch * params.kv_heads
    rows = params.seq_len * params.head_dim * element
    columns = params.key_len * params.head_dim * element
    scores = heads * params.seq_len * params.key_len * element
    return (
        TensorTraffic("standard", "Q", heads * rows * kv_blocks, 0, heads * rows),
        TensorTraffic("standard", "K", heads * columns * q_blocks, 0, kv_heads * columns),
        TensorTraffic("standard", "V", heads * columns * q_blocks, 0, kv_heads * columns),
        TensorTraffic("standard", "S", scores, scores, scores),
        TensorTraffic("standard", "P", scores, scores, scores),
        TensorTraffic("standard", "O", 0, heads * rows, heads * rows),
    )


def flash_traffic(params: FlashAttentionParams, classes: NDArray[np.uint8]) -> tuple[TensorTraffic, ...]:
    """FlashAttention forward, one program per Q block: Q read once, K and V once per tile that is not skipped."""
    element = ELEMENT_BYTES[params.dtype]
    heads = params.batch * params.heads
    kv_heads = params.batch * params.kv_heads
    rows = params.seq_len * params.head_dim * element
    tile_rows = np.full(classes.shape[1], params.block_kv, dtype=np.int64)
    tile_rows[-1] = params.key_len - (classes.shape[1] - 1) * params.block_kv
    visited = classes != 0
    key_rows_loaded = int(visited.sum(axis=0) @ tile_rows)
    key_rows_touched = int(visited.any(axis=0) @ tile_rows)
    loaded = heads * key_rows_loaded * params.head_dim * element
    touched = kv_heads * key_rows_touched * params.head_dim * element
    log_sum_exp = heads * params.seq_len * _LSE_BYTES
    return (
        TensorTraffic("flash", "Q", heads * rows, 0, heads * rows),
        TensorTraffic("flash", "K", loaded, 0, touched),
        TensorTraffic("flash", "V", loaded, 0, touched),
        TensorTraffic("flash", "S", 0, 0, 0),
        TensorTraffic("flash", "P", 0, 0, 0),
        TensorTraffic("flash", "O", 0, heads * rows, heads * rows),
        TensorTraffic("flash", "LSE", 0, log_sum_exp, log_sum_exp),
    )
