"""The online-softmax state of the inspected head, from the loop-carried values of the kernel itself."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.interpreter import Launch, Watched
from core.topics.flash_attention.model.tiles import block_count
from core.topics.flash_attention.params import FlashAttentionParams

_LARGEST_ACCUMULATOR_BYTES = 32 << 20
Array = NDArray[np.float32]


def softmax_arrays(launch: Launch, params: FlashAttentionParams) -> dict[str, np.ndarray]:
    """'softmax.max', 'softmax.sum' [query_len, iterations] and the accumulator, of batch 0, head 0.

    The kernel's maximum is in base 2; here it is in the natural domain, as scores are. The sum and the accumulator
    are the same in both. A name is left out when the tracer's byte limit cut its programs off.
    """
    states = {name: _rows_of_first_head(launch.watched.get(name), params) for name in ("m_i", "l_i", "acc")}
    arrays: dict[str, np.ndarray] = {}
    if (maximum := states["m_i"]) is not None:
        arrays["softmax.max"] = maximum * np.float32(math.log(2))
    if (total := states["l_i"]) is not None:
        arrays["softmax.sum"] = total
    if (accumulator := states["acc"]) is not None:
        if accumulator.nbytes <= _LARGEST_ACCUMULATOR_BYTES:
            arrays["softmax.acc"] = accumulator
        else:
            arrays["softmax.acc_norm"] = np.linalg.norm(accumulator, axis=-1).astype(np.float32)
    return arrays


def _rows_of_first_head(watched: Watched | None, params: FlashAttentionParams) -> Array | None:
    """[query_len, iterations, *rest] from [programs, iterations, block_q, *rest]; None if programs are missing."""
    if watched is None:
        return None
    q_blocks = block_count(params.seq_len, params.block_q)
    lane_of = {int(program): lane for lane, program in enumerate(watched.programs)}
    rest = watched.values.shape[3:]
    rows = np.full((q_blocks, params.block_q, watched.values.shape[1], *rest), np.nan, dtype=np.float32)
    for program in range(q_blocks):
        if program not in lane_of:
            # A program that visits no tile carries nothing; one that the byte limit dropped makes the array partial.
            if watched.truncated:
                return None
            continue
        q_block = q_blocks - 1 - program if params.causal else program
        rows[q_block] = np.moveaxis(watched.values[lane_of[program]], 1, 0)
    flat: Array = rows.reshape(q_blocks * params.block_q, *rows.shape[2:])[: params.seq_len]
    return flat
