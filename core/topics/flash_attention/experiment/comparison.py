"""Every implementation on the same inputs: declared here, checked and timed by core.hardware.compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from core.comparison import ImplResult
from core.engine.steps import ProgressCallback
from core.hardware.compare import Comparison, Implementation, allowed_rms_error, checked
from core.topics.flash_attention.experiment.inputs import Problem
from core.topics.flash_attention.experiment.kernels import launch
from kernels.attention import Impl, attention, available

LABELS = {
    Impl.TORCH_NAIVE: "PyTorch, three operations",
    Impl.TRITON_STANDARD: "Triton standard, three kernels",
    Impl.TRITON_FLASH: "Triton flash",
    Impl.SDPA_MATH: "PyTorch SDPA, math",
    Impl.SDPA_FLASH: "PyTorch SDPA, flash",
    Impl.SDPA_EFFICIENT: "PyTorch SDPA, memory-efficient",
    Impl.SDPA_CUDNN: "PyTorch SDPA, cuDNN",
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


def comparison_of(
    problem: Problem, reference: torch.Tensor, emulated: Mapping[Impl, torch.Tensor], flops: float
) -> Comparison[ImplResult]:
    """Every implementation, in the order of `LABELS`, against the float64 reference. `flops` by formula, for TFLOP/s.

    `emulated` holds the outputs of the Triton kernels as the TTIR interpreter computed them: on a CPU there are no
    others.
    """
    outputs = dict(emulated) if problem.device.type == "cpu" else {}
    outputs[Impl.TORCH_NAIVE] = naive = launch(problem, Impl.TORCH_NAIVE).out
    allowed = allowed_rms_error(naive, reference)
    return Comparison(
        tuple(_implementation(problem, impl, outputs.get(impl)) for impl in LABELS),
        lambda result, out: checked(result, out, reference, allowed),
        problem.device,
        # On a CPU the check has warmed up what there is to warm, and a run can take seconds.
        warm_up_rounds=3 if problem.device.type == "cuda" else 0,
        budget_s=2.5,
        flops=flops,
    )


def _implementation(problem: Problem, impl: Impl, out: torch.Tensor | None) -> Implementation[ImplResult]:
    result = ImplResult(impl.value, LABELS[impl])
    if reason := available(impl, problem.device):
        return Implementation(result if out is not None else replace(result, reason=reason), out=out)
    return Implementation(result, lambda: launch(problem, impl).out, out)
