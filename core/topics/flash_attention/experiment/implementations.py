"""Seven implementations of attention on the same inputs: errors against float64, and times on a real device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch

from core.comparison import ImplResult
from core.contracts.text import tr
from core.hardware.compare import Comparison, Implementation, allowed_rms_error, checked
from core.topics.flash_attention.experiment.problem import Problem, launch
from core.wording import reason_of
from kernels.attention import Impl, available

_TIMING_BUDGET_S = 2.5

LABELS = {
    Impl.TORCH_NAIVE: tr("PyTorch, three operations"),
    Impl.TRITON_STANDARD: tr("Triton standard, three kernels"),
    Impl.TRITON_FLASH: tr("Triton flash"),
    Impl.SDPA_MATH: tr("PyTorch SDPA, math"),
    Impl.SDPA_FLASH: tr("PyTorch SDPA, flash"),
    Impl.SDPA_EFFICIENT: tr("PyTorch SDPA, memory-efficient"),
    Impl.SDPA_CUDNN: tr("PyTorch SDPA, cuDNN"),
}


def comparison_of(
    problem: Problem, reference: torch.Tensor, emulated: Mapping[Impl, torch.Tensor], flops: float
) -> Comparison[ImplResult]:
    """Every implementation, in the order of `LABELS`, against the float64 reference.

    `emulated` holds the outputs of the Triton kernels from the TTIR interpreter, the only ones on a CPU. `flops` is the
    count by formula, for TFLOP/s.
    """
    naive = launch(problem, Impl.TORCH_NAIVE).out
    allowed = allowed_rms_error(naive, reference)
    on_gpu = problem.device.type == "cuda"

    def implementation(impl: Impl) -> Implementation[ImplResult]:
        result = ImplResult(impl.value, LABELS[impl])
        if not on_gpu and impl in emulated:
            return Implementation(result, out=emulated[impl])
        if unavailable := available(impl, problem.device):
            return Implementation(replace(result, reason=reason_of(unavailable)))
        run: Callable[[], torch.Tensor] = partial(_output, problem, impl)
        return Implementation(result, run, naive if impl is Impl.TORCH_NAIVE else None)

    return Comparison(
        tuple(implementation(impl) for impl in LABELS),
        lambda result, out: checked(result, out, reference, allowed),
        problem.device,
        # On a CPU the check has already warmed up everything, and a run can take seconds.
        warm_up_rounds=3 if on_gpu else 0,
        budget_s=_TIMING_BUDGET_S,
        flops=flops,
    )


def _output(problem: Problem, impl: Impl) -> torch.Tensor:
    return launch(problem, impl).out
