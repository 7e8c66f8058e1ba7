"""The random inputs of one head, the same for the model and for the experiment.

Each head has a generator of its own, so that one head can be inspected without making the others.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.topics.flash_attention.params import FlashAttentionParams

_TENSORS = ("Q", "K", "V")


def head_inputs(params: FlashAttentionParams, tensor: str, batch: int, head: int) -> NDArray[np.float32]:
    """Q, K or V of one head, standard normal, float32 [length, head_dim]; `head` is a KV head for K and V.

    The values are already rounded to the precision of the params, so that a cast to it changes nothing. Read-only.
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
    """float32 values rounded to 'fp32', 'fp16' or 'bf16', to nearest, ties to even."""
    if dtype == "fp16":
        return values.astype(np.float16).astype(np.float32)
    if dtype == "bf16":
        bits = values.view(np.uint32)
        # bfloat16 is the upper half of float32: add half a unit of it, less one where that half is even.
        bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
        return (bits & np.uint32(0xFFFF0000)).view(np.float32)
    return values


@lru_cache(maxsize=4)  # Q, K and V of the head under inspection
def _normal(stream: tuple[int, ...], length: int, width: int, dtype: str) -> NDArray[np.float32]:
    values = rounded(np.random.default_rng(stream).standard_normal((length, width), dtype=np.float32), dtype)
    values.flags.writeable = False
    return values
