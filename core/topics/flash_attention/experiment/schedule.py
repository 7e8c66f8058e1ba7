"""The order in which the flash kernel really loaded its K tiles, read off the trace."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.interpreter import Launch
from core.topics.flash_attention.model.tiles import block_count
from core.topics.flash_attention.params import FlashAttentionParams
from core.trace.tile_loads import first_offset, loads_of

IntArray = NDArray[np.int64]


def traced_schedule(flash: Launch, params: FlashAttentionParams) -> NDArray[np.int32]:
    """int32 [steps, 4] of (step, q_block, iteration, kv_block) of batch 0, head 0, in launch order."""
    q_blocks = block_count(params.seq_len, params.block_q)
    rows: list[IntArray] = []
    for access in loads_of(flash, "k_ptr"):
        lanes = np.flatnonzero(access.programs < q_blocks)
        kv_block = first_offset(access)[lanes] // (params.block_kv * params.head_dim)
        rows.append(np.stack([access.programs[lanes], np.full(lanes.size, access.order), kv_block], axis=1))
    if not rows:
        return np.empty((0, 4), dtype=np.int32)
    program, order, kv_block = np.concatenate(rows).T
    in_launch_order = np.lexsort((order, program))
    program, kv_block = program[in_launch_order], kv_block[in_launch_order]
    step = np.arange(program.size)
    iteration = step - np.searchsorted(program, program)
    q_block = q_blocks - 1 - program if params.causal else program
    return np.stack([step, q_block, iteration, kv_block], axis=1).astype(np.int32)
