"""The forward pass x (W + s B A)ᵀ by every implementation, checked and timed by core.hardware.compare."""

from __future__ import annotations

from functools import partial

import torch

from core.hardware.compare import Comparison, Implementation, allowed_rms_error, checked
from core.topics.lora.params import LoraParams
from core.topics.lora.payload import LoraImplResult
from kernels.lora.api import Impl, available, lora_linear
from kernels.lora.reference import reference_lora_linear

_LABELS = {
    "triton": ("fused (Triton)", Impl.TRITON),
    "torch": ("torch, two products", Impl.TORCH),
    "peft": ("peft, unfused", Impl.PEFT),
}
_ON_GPU, _ON_CPU = (8192, 4096, 4096, 16), (512, 1024, 1024, 16)


def compare(params: LoraParams, device: torch.device) -> tuple[LoraImplResult, ...]:
    """The forward pass, checked and then timed, on the device itself: no emulated kernel is timed."""
    tokens, out, into, rank = _ON_GPU if device.type == "cuda" else _ON_CPU
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    generator = torch.Generator().manual_seed(params.seed)
    x, weight, a, b = (
        (torch.randn(*shape, generator=generator) / shape[-1] ** 0.5).to(device, dtype)
        for shape in ((tokens, into), (out, into), (rank, into), (out, rank))
    )
    reference = reference_lora_linear(x, weight, a, b, scaling=2.0)
    forward = partial(lora_linear, x, weight, a, b, scaling=2.0)

    def implementation(name: str, label: str, impl: Impl) -> Implementation[LoraImplResult]:
        reason = available(impl, str(device)) or ""
        result = LoraImplResult(name, label, reason=reason, tokens=tokens, width=into, rank=rank)
        return Implementation(result, None if reason else partial(forward, impl=impl))

    with torch.no_grad():
        allowed = allowed_rms_error(forward(impl=Impl.TORCH), reference)
        comparison = Comparison(
            tuple(implementation(name, label, impl) for name, (label, impl) in _LABELS.items()),
            lambda result, out: checked(result, out, reference, allowed),
            device,
            flops=2.0 * tokens * (into * out + rank * (into + out)),
        )
        return comparison.time(comparison.check())
