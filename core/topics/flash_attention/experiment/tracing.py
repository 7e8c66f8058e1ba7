"""Runs the two Triton kernels under the tracer, on the device of the inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from core.engine.phases import in_parts
from core.engine.steps import ProgressCallback
from core.interpreter import Launch, intercept
from core.topics.flash_attention.experiment.problem import Problem, launch, make_problem
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import TRACE_BUDGET_BYTES
from core.topics.flash_attention.result import SweepStep
from core.topics.flash_attention.tiles import block_count
from core.trace.file import EncodedTrace
from core.trace.kernel_traffic import KernelTraffic, kernel_traffic, moved_bytes, shown_path
from kernels.attention import TENSOR_OF_ARGUMENT, Impl

_WATCH_LIMIT_BYTES = 512 << 20
_SHORTEST_SWEEP_STEP = 64


@dataclass(frozen=True)
class Traced:
    """The launches of one kernel, 'standard' (three) or 'flash' (one), and their output."""

    kernel: str
    launches: tuple[Launch, ...]
    out: torch.Tensor

    def traffic(self) -> KernelTraffic:
        return kernel_traffic(self.kernel, self.launches, TENSOR_OF_ARGUMENT)

    def encoded(self) -> EncodedTrace:
        """The accesses, with tensors and files named as in the rest of the result."""
        return EncodedTrace.of([_accesses_alone(launch) for launch in self.launches])


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


def training_bytes(problem: Problem, progress: ProgressCallback) -> dict[str, int]:
    """Bytes that a forward and a backward pass move, by kernel. Only addresses are computed, which is quick."""
    moved = {}
    part_progress = in_parts(
        progress, 11
    )  # standard attention has three kernels forward and five backward, flash 1 + 2
    for kernel, impl in (("standard", Impl.TRITON_STANDARD), ("flash", Impl.TRITON_FLASH)):
        q, k, v = (tensor.detach().requires_grad_() for tensor in (problem.q, problem.k, problem.v))
        with intercept(memory_budget_bytes=TRACE_BUDGET_BYTES, addresses_only=True, progress=part_progress) as tracer:
            out = launch(replace(problem, q=q, k=k, v=v), impl).out
            # Of a sum: for the gradient of a tensor, PyTorch compares shapes, and imports SymPy for that.
            torch.autograd.grad(out.sum(), (q, k, v))
        moved[kernel] = moved_bytes(kernel_traffic(kernel, tracer.launches, TENSOR_OF_ARGUMENT).traffic)
    return moved


def sweep(problem: Problem, whole: tuple[int, int], progress: ProgressCallback) -> tuple[SweepStep, ...]:
    """Traffic of one head of one sequence at N/4, N/2 and N (keys likewise); () if the sequence is too short.

    `whole` are the bytes that the standard and the flash kernel move for one head at N.
    """
    params = problem.params
    if min(params.seq_len, params.key_len) // 4 < _SHORTEST_SWEEP_STEP:
        return ()
    steps = []
    part_progress = in_parts(progress, 8)  # twice three standard kernels and flash
    for share in (4, 2):
        shorter = params.changed(
            seq_len=params.seq_len // share, kv_len=params.kv_len // share, batch=1, heads=1, kv_heads=1
        )
        one_head = make_problem(shorter, problem.device.type)
        standard, flash = (trace(one_head, part_progress).traffic() for trace in (trace_standard, trace_flash_traffic))
        steps.append(_sweep_step(shorter, moved_bytes(standard.traffic), moved_bytes(flash.traffic)))
    return (*steps, _sweep_step(params, *whole))


def _sweep_step(params: FlashAttentionParams, standard_bytes: int, flash_bytes: int) -> SweepStep:
    return SweepStep(params.seq_len, params.key_len, standard_bytes, flash_bytes)


def _accesses_alone(launch: Launch) -> Launch:
    """Without sources and watched values, which are already in the result."""
    return replace(
        launch,
        file=shown_path(launch.file),
        source="",
        ttir="",
        watched={},
        buffers=tuple(replace(b, name=TENSOR_OF_ARGUMENT.get(b.name, b.name)) for b in launch.buffers),
        accesses=tuple(replace(access, file=shown_path(access.file)) for access in launch.accesses),
    )


def _affordable_states(problem: Problem) -> tuple[str, ...]:
    """m and l always; acc, which is tile_dim times as large, if all its iterations fit the limit."""
    params = problem.params
    q_blocks = block_count(params.seq_len, params.block_q)
    row_states = q_blocks * params.block_q * block_count(params.key_len, params.block_kv)
    fits = row_states * (params.tile_dim + 2) * 4 <= _WATCH_LIMIT_BYTES
    return ("m_i", "l_i", "acc") if fits else ("m_i", "l_i")
