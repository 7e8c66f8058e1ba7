"""The Triton kernels under the tracer: flash without a mask, block-sparse with it, causal at several sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch

from core.contracts.text import Text
from core.engine.phases import in_parts
from core.engine.steps import ProgressCallback
from core.interpreter import Launch, intercept
from core.masks import Causal, Layout
from core.topics.masks.experiment.block_sparse import attend, tiles_of
from core.topics.masks.experiment.problem import Problem, problem_of
from core.topics.masks.params import MasksParams
from core.topics.masks.result import SweepStep
from core.trace.kernel_traffic import KernelTraffic, kernel_traffic
from core.trace.tile_loads import tiles_visited
from core.wording import NOT_TRACED, reason_of
from kernels.attention import TENSOR_OF_ARGUMENT, Impl, attention
from kernels.errors import KernelError
from kernels.launching import has_triton

TRACE_BUDGET_BYTES = 1 << 30
"""How much memory the tracer may use for intermediate tiles."""
_SWEEP_TILES = (1, 2, 4, 8, 16)
_SWEEP_BLOCK = 16


@dataclass(frozen=True)
class Traced:
    """The launches of one kernel, 'dense' or 'block-sparse', and their output."""

    kernel: str
    launches: tuple[Launch, ...]
    out: torch.Tensor


def trace_dense(problem: Problem, progress: ProgressCallback) -> Traced | Text:
    """The flash kernel without a mask, which visits every tile; a sentence if it cannot be traced."""
    return _traced("dense", lambda: _flash(problem, causal=False), progress)


def trace_block_sparse(problem: Problem, progress: ProgressCallback) -> Traced | Text:
    """The block-sparse kernel with the problem's mask; a sentence if it cannot take the mask or be traced."""
    try:
        tiles = tiles_of(problem)
    except KernelError as error:
        return reason_of(error)
    return tiles if isinstance(tiles, Text) else _traced("block-sparse", lambda: attend(problem, tiles), progress)


def traffic_of(traced: Iterable[Traced]) -> KernelTraffic:
    """The traffic of the kernels, in order."""
    total = KernelTraffic()
    for kernel in traced:
        total += kernel_traffic(kernel.kernel, kernel.launches, TENSOR_OF_ARGUMENT)
    return total


def causal_sweep(params: MasksParams, device: torch.device, progress: ProgressCallback) -> tuple[SweepStep, ...]:
    """Tiles that the flash kernel visits under causal, out of n x n; () without Triton."""
    steps: list[SweepStep] = []
    part_progress = in_parts(progress, len(_SWEEP_TILES))
    for tiles in _SWEEP_TILES:
        length = tiles * _SWEEP_BLOCK
        problem = problem_of(
            Causal(),
            (Layout.of(length),),
            heads=1,
            head_dim=params.head_dim,
            dtype=params.dtype,
            seed=params.seed,
            blocks=(_SWEEP_BLOCK, _SWEEP_BLOCK),
            device=str(device),
        )
        traced = _traced("causal", partial(_flash, problem, causal=True), part_progress)
        if isinstance(traced, Text):
            return ()
        visited = sum(tiles_visited(launch, "k_ptr") for launch in traced.launches)
        steps.append(
            SweepStep(
                tiles=tiles,
                seq_len=length,
                visited=visited,
                total=tiles**2,
                share=visited / tiles**2,
                predicted_share=(tiles + 1) / (2 * tiles),
            )
        )
    return tuple(steps)


def _flash(problem: Problem, *, causal: bool) -> torch.Tensor:
    return attention(
        problem.q,
        problem.k,
        problem.v,
        impl=Impl.TRITON_FLASH,
        causal=causal,
        block_q=problem.block_q,
        block_kv=problem.block_kv,
    ).out


def _traced(kernel: str, attend: Callable[[], torch.Tensor], progress: ProgressCallback) -> Traced | Text:
    if not has_triton():
        return NOT_TRACED
    try:
        with intercept(memory_budget_bytes=TRACE_BUDGET_BYTES, progress=progress) as tracer:
            out = attend()
    except KernelError as error:
        return reason_of(error)
    return Traced(kernel, tuple(tracer.launches), out)
