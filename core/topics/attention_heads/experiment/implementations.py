"""Implementations of decode on the same inputs: errors against float64, and times on the device that runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from core.comparison import ImplResult
from core.contracts.text import tr
from core.format import quantity
from core.hardware.compare import Comparison, Implementation, checked
from core.topics.attention_heads.experiment.decodes import Decoded
from core.wording import reason_of
from kernels.attention.decode import DecodeImpl, decode_available

_TIMING_BUDGET_S = 2.0
_MOST_COPIED_ELEMENTS = 1 << 28
"""On a CPU, PyTorch repeats the keys of a group for each of its heads. Beyond this, one run takes many seconds."""

LABELS = {
    DecodeImpl.TRITON: tr("Triton, split KV"),
    DecodeImpl.SDPA: tr("PyTorch SDPA, enable_gqa"),
    DecodeImpl.FLEX: tr("FlexAttention"),
    DecodeImpl.TORCH_NAIVE: tr("PyTorch, three operations"),
}


def comparison_of(decoded: Decoded, impls: tuple[DecodeImpl, ...] = tuple(LABELS)) -> Comparison[ImplResult]:
    """Each implementation on the inputs that were traced. On a CPU the kernel's output is that of its trace."""
    device = decoded.problem.q.device
    on_gpu = device.type == "cuda"

    def implementation(impl: DecodeImpl) -> Implementation[ImplResult]:
        result = ImplResult(impl.value, LABELS[impl])
        if impl is DecodeImpl.TRITON and not on_gpu:
            return Implementation(result, out=decoded.out)
        if unavailable := decode_available(impl, device):
            return Implementation(replace(result, reason=reason_of(unavailable)))
        if impl in (DecodeImpl.SDPA, DecodeImpl.FLEX) and not on_gpu and _copied(decoded) > _MOST_COPIED_ELEMENTS:
            return Implementation(
                replace(
                    result,
                    reason=tr(
                        "On a CPU, PyTorch would copy the keys for each query head, {elements} in all: lower "
                        "traced_context.",
                        elements=quantity(_copied(decoded), "elements"),
                    ),
                )
            )
        run: Callable[[], torch.Tensor] = lambda: decoded.problem.run(impl).out  # noqa: E731
        return Implementation(result, run)

    return Comparison(
        tuple(map(implementation, impls)),
        lambda result, out: checked(result, out, decoded.reference, decoded.allowed),
        device,
        warm_up_rounds=3 if on_gpu else 0,
        budget_s=_TIMING_BUDGET_S,
        flops=float(decoded.decode.flops),
    )


def _copied(decoded: Decoded) -> int:
    """Elements of the keys with one copy per query head."""
    heads, width = decoded.problem.q.shape[1], decoded.problem.q.shape[3]
    return heads * width * decoded.problem.tokens
