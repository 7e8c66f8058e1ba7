"""Every implementation on the same inputs: error against float64, and time where the device really ran it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from core.contracts.result import Row
from core.engine.steps import ProgressCallback
from core.hardware.timing import Candidate, Check, Timing, check_against, time_candidates
from core.topics.flash_attention.experiment.inputs import Problem
from core.topics.flash_attention.experiment.kernels import launch
from kernels.attention import Impl, attention, available
from kernels.errors import KernelError

ERROR_FACTOR = 3.0
"""How many times PyTorch's own rms error in the same precision a kernel may be off."""

_ROUNDS = 15
_TIMING_BUDGET_S = 2.5

LABELS = {
    Impl.TORCH_NAIVE: "PyTorch, three operations",
    Impl.TRITON_STANDARD: "Triton standard, three kernels",
    Impl.TRITON_FLASH: "Triton flash",
    Impl.SDPA_MATH: "PyTorch SDPA, math",
    Impl.SDPA_FLASH: "PyTorch SDPA, flash",
    Impl.SDPA_EFFICIENT: "PyTorch SDPA, memory-efficient",
    Impl.SDPA_CUDNN: "PyTorch SDPA, cuDNN",
}


@dataclass(frozen=True)
class Contender:
    """One implementation. `runs_on` is 'cuda', 'cpu', 'emulated' or 'unavailable'; then `reason` says why."""

    impl: Impl
    runs_on: str
    reason: str = ""
    check: Check | None = None
    timing: Timing | None = None

    def as_row(self, flops: float) -> Row:
        """A line of the 'comparison' table; `flops` by formula, for TFLOP/s."""
        check, timing = self.check, self.timing
        return {
            "impl": self.impl.value,
            "label": LABELS[self.impl],
            "runs_on": self.runs_on,
            "reason": self.reason,
            "time_ms": timing.median_ms if timing else None,
            "time_ms_samples": timing.samples_ms.tolist() if timing else [],
            "tflops": flops / timing.median_ms / 1e9 if timing else None,
            "peak_memory_bytes": timing.peak_memory_bytes if timing else None,
            "max_abs_error": _finite(check.max_abs_error) if check else None,
            "rms_error": _finite(check.rms_error) if check else None,
            "allowed_rms_error": check.allowed_rms_error if check else None,
            "passed": check.passed if check else None,
        }


def float64_reference(problem: Problem, progress: ProgressCallback) -> torch.Tensor:
    """Attention in float64, one head at a time: [batch, heads, seq_len, head_dim]."""
    params = problem.params
    queries_per_kv_head = params.heads // params.kv_heads
    out = torch.empty(problem.q.shape, dtype=torch.float64, device=problem.device)
    for done, (batch, head) in enumerate(np.ndindex(params.batch, params.heads)):
        progress(done, params.batch * params.heads, "float64 reference")
        q = problem.q[batch : batch + 1, head : head + 1]
        kv_head = head // queries_per_kv_head
        k, v = (t[batch : batch + 1, kv_head : kv_head + 1] for t in (problem.k, problem.v))
        out[batch, head] = attention(q, k, v, impl=Impl.REFERENCE, causal=params.causal).out[0, 0]
    return out


def check_all(
    problem: Problem, reference: torch.Tensor, emulated: dict[Impl, torch.Tensor], progress: ProgressCallback
) -> tuple[Contender, ...]:
    """Every implementation against the reference, in the order of `LABELS`.

    `emulated` holds the outputs of the Triton kernels as the TTIR interpreter computed them: on a CPU there are no
    others.
    """
    progress(0, len(LABELS), f"checking {Impl.TORCH_NAIVE.value}")
    naive = launch(problem, Impl.TORCH_NAIVE).out
    allowed = _allowed_rms_error(naive, reference)
    device = problem.device.type
    contenders = [Contender(Impl.TORCH_NAIVE, device, check=check_against(naive, reference, allowed))]
    for done, impl in enumerate(LABELS):
        if impl is not Impl.TORCH_NAIVE:
            progress(done, len(LABELS), f"checking {impl.value}")
            contenders.append(_checked(problem, reference, impl, emulated, allowed))
    return tuple(contenders)


def time_all(problem: Problem, contenders: tuple[Contender, ...], progress: ProgressCallback) -> tuple[Contender, ...]:
    """The same, with times for those that the device itself ran and that passed their check."""
    candidates = [
        Candidate(c.impl.value, _runner(problem, c.impl), c.check)
        for c in contenders
        if c.runs_on in ("cuda", "cpu") and c.check is not None and c.check.passed
    ]
    # On a CPU the check has warmed up what there is to warm, and a run can take seconds.
    warm_up_rounds = 3 if problem.device.type == "cuda" else 0
    timings = time_candidates(
        candidates,
        problem.device,
        rounds=_ROUNDS,
        warm_up_rounds=warm_up_rounds,
        budget_s=_TIMING_BUDGET_S,
        progress=progress,
    )
    return tuple(replace(c, timing=timings.get(c.impl.value)) for c in contenders)


def _allowed_rms_error(naive: torch.Tensor, reference: torch.Tensor) -> float:
    """A few times the error of PyTorch's plain attention in this precision; never under half a unit of rounding."""
    own = check_against(naive, reference, math.inf).rms_error
    half_a_unit = torch.finfo(naive.dtype).eps / 2 * float(reference.square().mean().sqrt())
    return max(ERROR_FACTOR * own, half_a_unit)


def _checked(
    problem: Problem, reference: torch.Tensor, impl: Impl, emulated: dict[Impl, torch.Tensor], allowed: float
) -> Contender:
    device = problem.device.type
    if device == "cpu" and impl in emulated:
        return Contender(impl, "emulated", check=check_against(emulated[impl], reference, allowed))
    if reason := available(impl, problem.device):
        return Contender(impl, "unavailable", reason)
    try:
        out = launch(problem, impl).out
    except KernelError as error:
        return Contender(impl, "unavailable", str(error))
    return Contender(impl, device, check=check_against(out, reference, allowed))


def _runner(problem: Problem, impl: Impl) -> Callable[[], torch.Tensor]:
    return lambda: launch(problem, impl).out


def _finite(value: float) -> float | None:
    """JSON has no NaN: an error that is not a number is null, and the check has failed."""
    return value if math.isfinite(value) else None
