"""The online softmax of one query row, in float64.

For each KV tile with scores s: m' = max(m, max s), l' = l exp(m - m') + sum exp(s - m'),
acc' = acc exp(m - m') + exp(s - m') V; in the end O = acc / l.
Milakov and Gimelshein 2018, Algorithm 3; Dao et al. 2022, Algorithm 1, unnormalised as in Dao 2023, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.topics.flash_attention.model.inputs import head_inputs
from core.topics.flash_attention.model.tiles import block_count
from core.topics.flash_attention.params import FlashAttentionParams

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RowSoftmax:
    """State of one query row after each KV tile that its program visits. float64.

    `maximum`, `total`, `rescale` [iterations]; `accumulator` [iterations, head_dim], unnormalised; `output` [head_dim].
    `rescale` is exp(m - m'), the factor applied to the sum and the accumulator before the tile was added.
    Before a row has seen a key its maximum is -inf; a row that never sees one has zeros as its output.
    """

    maximum: Array
    total: Array
    rescale: Array
    accumulator: Array
    output: Array


def online_softmax(scores: Array, values: Array, block_kv: int) -> RowSoftmax:
    """The recurrence over tiles of `block_kv` keys: scores [keys] (-inf where masked), values [keys, head_dim]."""
    iterations = block_count(scores.size, block_kv)
    maximum, total, rescale = (np.empty(iterations) for _ in range(3))
    accumulator = np.empty((iterations, values.shape[1]))
    running_max, running_sum, acc = -np.inf, 0.0, np.zeros(values.shape[1])
    for i in range(iterations):
        tile = slice(i * block_kv, (i + 1) * block_kv)
        new_max = max(running_max, float(scores[tile].max()))
        base = new_max if np.isfinite(new_max) else 0.0  # no key seen yet: exp(-inf - 0) is 0, and not NaN
        weights = np.exp(scores[tile] - base)
        alpha = float(np.exp(running_max - base))
        running_max, running_sum = new_max, running_sum * alpha + float(weights.sum())
        acc = acc * alpha + weights @ values[tile]
        maximum[i], total[i], rescale[i], accumulator[i] = running_max, running_sum, alpha, acc
    return RowSoftmax(maximum, total, rescale, accumulator, acc / (running_sum or 1.0))


def row_softmax(params: FlashAttentionParams, row: int, batch: int = 0, head: int = 0) -> RowSoftmax:
    """The states of query `row` of one head, for the inputs that the experiment also uses.

    Iterations are those of the row's program: every KV tile that any row of its Q block attends.
    """
    kv_head = head // (params.heads // params.kv_heads)
    query = head_inputs(params, "Q", batch, head)[row].astype(np.float64)
    last_row = min((row // params.block_q + 1) * params.block_q, params.seq_len) - 1
    keys_loaded = _keys_seen(params, last_row)
    keys_loaded = min(block_count(keys_loaded, params.block_kv) * params.block_kv, params.key_len)
    keys = head_inputs(params, "K", batch, kv_head)[:keys_loaded].astype(np.float64)
    values = head_inputs(params, "V", batch, kv_head)[:keys_loaded].astype(np.float64)
    scores = keys @ query / np.sqrt(params.head_dim)
    scores[_keys_seen(params, row) :] = -np.inf
    return online_softmax(scores, values, params.block_kv)


def _keys_seen(params: FlashAttentionParams, row: int) -> int:
    if not params.causal:
        return params.key_len
    return max(0, min(params.key_len, row + 1 + params.key_len - params.seq_len))
