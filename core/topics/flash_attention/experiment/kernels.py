"""Runs the two Triton kernels under the tracer, on whatever device the inputs are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.engine.steps import ProgressCallback
from core.interpreter import Launch, intercept
from core.topics.flash_attention.experiment.inputs import Problem, make_problem
from core.topics.flash_attention.model.cost import TRACE_BUDGET_BYTES
from core.topics.flash_attention.model.tiles import block_count
from kernels.attention import AttentionOutput, Impl, attention
from kernels.errors import KernelError

TENSOR_OF_ARGUMENT = {
    "q_ptr": "Q",
    "k_ptr": "K",
    "v_ptr": "V",
    "s_ptr": "S",
    "p_ptr": "P",
    "o_ptr": "O",
    "lse_ptr": "LSE",
}
_WATCH_LIMIT_BYTES = 512 << 20
_SHORTEST_SWEEP_STEP = 64


@dataclass(frozen=True)
class Traced:
    """The launches of one kernel, 'standard' (three) or 'flash' (one), and the output that they computed."""

    kernel: str
    launches: tuple[Launch, ...]
    out: torch.Tensor


def trace_standard(problem: Problem, progress: ProgressCallback) -> Traced:
    """Q Kᵀ, softmax and P V, with S and P in memory."""
    with intercept(memory_budget_bytes=TRACE_BUDGET_BYTES, progress=progress) as tracer:
        out = launch(problem, Impl.TRITON_STANDARD).out
    return Traced("standard", tuple(tracer.launches), out)


def trace_flash_traffic(problem: Problem, progress: ProgressCallback) -> Traced:
    """The flash kernel, without the states of its online softmax."""
    with intercept(memory_budget_bytes=TRACE_BUDGET_BYTES, progress=progress) as tracer:
        out = launch(problem, Impl.TRITON_FLASH).out
    return Traced("flash", tuple(tracer.launches), out)


def trace_flash(problem: Problem, progress: ProgressCallback) -> Traced:
    """The flash kernel, keeping m, l and acc of batch 0, head 0 after each iteration."""
    with intercept(
        memory_budget_bytes=TRACE_BUDGET_BYTES,
        watch=_affordable_states(problem),
        watch_programs=range(block_count(problem.params.seq_len, problem.params.block_q)),
        watch_limit_bytes=_WATCH_LIMIT_BYTES,
        progress=progress,
    ) as tracer:
        out = launch(problem, Impl.TRITON_FLASH).out
    return Traced("flash", tuple(tracer.launches), out)


def shorter_problems(problem: Problem) -> list[Problem]:
    """One head of one sequence at N/4 and N/2 (keys likewise), to see how the traffic grows; [] when too short."""
    params = problem.params
    if min(params.seq_len, params.key_len) // 4 < _SHORTEST_SWEEP_STEP:
        return []
    return [
        make_problem(
            params.changed(
                seq_len=params.seq_len // share, kv_len=params.kv_len // share, batch=1, heads=1, kv_heads=1
            ),
            problem.device.type,
        )
        for share in (4, 2)
    ]


def timeline_arrays(problem: Problem) -> dict[str, np.ndarray]:
    """Which SM ran which program of the flash kernel when, on the GPU; {} where it cannot run or has no such clock."""
    try:
        timeline = launch(problem, Impl.TRITON_FLASH, timeline=True).timeline
    except KernelError:
        return {}
    assert timeline is not None
    start_ns = int(timeline.start_ns.min())
    return {
        "timeline.sm": timeline.sm.astype(np.int32),
        "timeline.q_block": timeline.q_block.astype(np.int32),
        "timeline.head": timeline.head.astype(np.int32),
        "timeline.batch": timeline.batch.astype(np.int32),
        "timeline.start_us": (timeline.start_ns - start_ns) / 1e3,
        "timeline.end_us": (timeline.end_ns - start_ns) / 1e3,
    }


def launch(problem: Problem, impl: Impl, timeline: bool = False) -> AttentionOutput:
    """One forward pass with the tiles that the page asks for."""
    params = problem.params
    return attention(
        problem.q,
        problem.k,
        problem.v,
        impl=impl,
        causal=params.causal,
        block_q=params.block_q,
        block_kv=params.block_kv,
        timeline=timeline,
    )


def _affordable_states(problem: Problem) -> tuple[str, ...]:
    """m and l always; acc, head_dim times as large, where all its iterations fit the limit."""
    params = problem.params
    q_blocks = block_count(params.seq_len, params.block_q)
    row_states = q_blocks * params.block_q * block_count(params.key_len, params.block_kv)
    fits = row_states * (params.head_dim + 2) * 4 <= _WATCH_LIMIT_BYTES
    return ("m_i", "l_i", "acc") if fits else ("m_i", "l_i")
