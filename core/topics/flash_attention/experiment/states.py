"""The flash kernel over time: tile order and softmax of the inspected head, and its timeline on the GPU."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.interpreter import Launch, Watched
from core.topics.flash_attention.experiment.problem import Problem, launch
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.result import GpuTimeline, SoftmaxStates
from core.topics.flash_attention.tiles import block_count
from core.trace.tile_loads import first_offset, in_launch_order, loads_of
from kernels.attention import Impl
from kernels.errors import KernelError

_LARGEST_ACCUMULATOR_BYTES = 32 << 20
Array = NDArray[np.float32]


def traced_schedule(flash: Launch, params: FlashAttentionParams) -> NDArray[np.int32]:
    """int32 [steps, 4] of (step, q_block, iteration, kv_block) of batch 0, head 0, in launch order."""
    q_blocks = block_count(params.seq_len, params.block_q)
    rows: list[NDArray[np.int64]] = []
    for access in loads_of(flash, "k_ptr"):
        lanes = np.flatnonzero(access.programs < q_blocks)
        kv_block = first_offset(access)[lanes] // (params.block_kv * params.head_dim)
        rows.append(np.stack([access.programs[lanes], np.full(lanes.size, access.order), kv_block], axis=1))
    program, iteration, kv_block = in_launch_order(rows)
    q_block = q_blocks - 1 - program if params.causal else program
    return np.stack([np.arange(program.size), q_block, iteration, kv_block], axis=1).astype(np.int32)


def softmax_states(flash: Launch, params: FlashAttentionParams) -> SoftmaxStates:
    """m, l and the accumulator of batch 0, head 0, from the loop-carried values of the kernel itself.

    The kernel's maximum is in base 2; here it is in the natural domain, like the scores. The sum and the accumulator
    are the same in both. An array that the tracer's byte limit cut off is left out entirely.
    """
    maximum, total, accumulator = (
        _rows_of_first_head(flash.watched.get(name), params) for name in ("m_i", "l_i", "acc")
    )
    if accumulator is not None:
        accumulator = np.ascontiguousarray(accumulator[..., : params.head_dim])  # without the padding of the head
    too_large = accumulator is not None and accumulator.nbytes > _LARGEST_ACCUMULATOR_BYTES
    return SoftmaxStates(
        maximum=None if maximum is None else maximum * np.float32(math.log(2)),
        total=total,
        accumulator=None if too_large else accumulator,
        accumulator_norm=np.linalg.norm(accumulator, axis=-1).astype(np.float32)
        if accumulator is not None and too_large
        else None,
    )


def gpu_timeline(problem: Problem) -> GpuTimeline | None:
    """Which SM ran which program of the flash kernel when; None if it cannot run or the GPU has no such clock."""
    try:
        timeline = launch(problem, Impl.TRITON_FLASH, timeline=True).timeline
    except KernelError:
        return None
    assert timeline is not None
    start_ns = int(timeline.start_ns.min())
    return GpuTimeline(
        sm=timeline.sm.astype(np.int32),
        start_us=(timeline.start_ns - start_ns) / 1e3,
        end_us=(timeline.end_ns - start_ns) / 1e3,
        q_block=timeline.q_block.astype(np.int32),
        head=timeline.head.astype(np.int32),
        batch=timeline.batch.astype(np.int32),
    )


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
            # A program that visits no tile has no state; one that the byte limit dropped makes the array incomplete.
            if watched.truncated:
                return None
            continue
        q_block = q_blocks - 1 - program if params.causal else program
        rows[q_block] = np.moveaxis(watched.values[lane_of[program]], 1, 0)
    flat: Array = rows.reshape(q_blocks * params.block_q, *rows.shape[2:])[: params.seq_len]
    return flat
