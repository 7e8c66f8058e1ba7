"""The online softmax of one query row, in float64, and the random inputs shared with the experiment.

For each KV tile with scores s: m' = max(m, max s), l' = l exp(m - m') + sum exp(s - m'),
acc' = acc exp(m - m') + exp(s - m') V; finally O = acc / l.
Milakov and Gimelshein 2018, Algorithm 3; Dao et al. 2022, Algorithm 1, unnormalised as in Dao 2023, section 3.1.

Every head has its own random generator, so that one head can be inspected without generating the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.tiles import block_count

Array = NDArray[np.float64]
_TENSORS = ("Q", "K", "V")


@dataclass(frozen=True, eq=False)
class RowSoftmax:
    """State of query `row` after each KV tile that its program visits.

    `maximum`, `total` float [iterations]: m, in scaled scores, and l. `accumulator` float [iterations, head_dim],
    unnormalised; None if it was too large to keep: then `accumulator_norm` [iterations] is its L2 norm. Before a row
    has seen a key its maximum is -inf; NaN marks a tile that the program skipped.
    """

    row: int
    maximum: NDArray[np.floating]
    total: NDArray[np.floating]
    accumulator: NDArray[np.floating] | None = None
    accumulator_norm: NDArray[np.floating] | None = None

    @property
    def iterations(self) -> int:
        """Tiles up to the last visited one after the row has seen a key; 0 for a row that never sees one."""
        seen = np.flatnonzero(np.isfinite(self.maximum))
        return int(seen[-1]) + 1 if seen.size else 0

    def output(self) -> NDArray[np.floating]:
        """The output of the row, [head_dim]; zeros if it never sees a key."""
        assert self.accumulator is not None
        if not self.total.size:
            return np.zeros(self.accumulator.shape[1])
        output: NDArray[np.floating] = self.accumulator[-1] / (self.total[-1] or 1.0)
        return output


def online_softmax(scores: Array, values: Array, block_kv: int, row: int = 0) -> RowSoftmax:
    """The recurrence over tiles of `block_kv` keys: scores [keys] (-inf where masked), values [keys, head_dim]."""
    iterations = block_count(scores.size, block_kv)
    maximum, total = np.empty(iterations), np.empty(iterations)
    accumulator = np.empty((iterations, values.shape[1]))
    running_max, running_sum, acc = -np.inf, 0.0, np.zeros(values.shape[1])
    for i in range(iterations):
        tile = slice(i * block_kv, (i + 1) * block_kv)
        new_max = max(running_max, float(scores[tile].max()))
        base = new_max if np.isfinite(new_max) else 0.0  # no key seen yet: exp(-inf - 0) is 0, not NaN
        weights = np.exp(scores[tile] - base)
        alpha = float(np.exp(running_max - base))
        running_max, running_sum = new_max, running_sum * alpha + float(weights.sum())
        acc = acc * alpha + weights @ values[tile]
        maximum[i], total[i], accumulator[i] = running_max, running_sum, acc
    return RowSoftmax(row, maximum, total, accumulator)


def row_softmax(params: FlashAttentionParams, row: int, batch: int = 0, head: int = 0) -> RowSoftmax:
    """The states of query `row` of one head, for the inputs that the experiment also uses.

    The iterations are those of the row's program: every KV tile that any row of its Q block sees.
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
    return online_softmax(scores, values, params.block_kv, row)


def _keys_seen(params: FlashAttentionParams, row: int) -> int:
    if not params.causal:
        return params.key_len
    return max(0, min(params.key_len, row + 1 + params.key_len - params.seq_len))


def head_inputs(params: FlashAttentionParams, tensor: str, batch: int, head: int) -> NDArray[np.float32]:
    """Q, K or V of one head, standard normal, float32 [length, head_dim]; `head` is a KV head for K and V.

    The values are already rounded to the precision of the params, so that a cast changes nothing. Read-only.
    """
    length = params.seq_len if tensor == "Q" else params.key_len
    stream = (params.seed, _TENSORS.index(tensor), batch, head)
    return _normal(stream, length, params.head_dim, params.dtype)


def make_inputs(params: FlashAttentionParams) -> dict[str, NDArray[np.float32]]:
    """'Q' float32 [batch, heads, seq_len, head_dim], 'K' and 'V' float32 [batch, kv_heads, key_len, head_dim]."""
    heads = {"Q": params.heads, "K": params.kv_heads, "V": params.kv_heads}
    return {
        tensor: np.stack(
            [
                np.stack([head_inputs(params, tensor, batch, head) for head in range(heads[tensor])])
                for batch in range(params.batch)
            ]
        )
        for tensor in _TENSORS
    }


def rounded(values: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """float32 values rounded to 'fp32', 'fp16' or 'bf16' (nearest, ties to even)."""
    if dtype == "fp16":
        return values.astype(np.float16).astype(np.float32)
    if dtype == "bf16":
        bits = values.view(np.uint32)
        # bfloat16 is the upper half of float32: add half a unit in its last place, minus one if that half is even.
        bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
        return (bits & np.uint32(0xFFFF0000)).view(np.float32)
    return values


def _normal(stream: tuple[int, ...], length: int, width: int, dtype: str) -> NDArray[np.float32]:
    """The first rows of a stream do not depend on its length, so that a length slider regenerates none of them."""
    return _rows(stream, 1 << (length - 1).bit_length(), width, dtype)[:length]


@lru_cache(maxsize=4)  # Q, K and V of the head under inspection
def _rows(stream: tuple[int, ...], length: int, width: int, dtype: str) -> NDArray[np.float32]:
    values = rounded(np.random.default_rng(stream).standard_normal((length, width), dtype=np.float32), dtype)
    values.flags.writeable = False
    return values
