"""The fused product with its backward pass: dx is fused like the forward pass, dA and dB use [rows, rank] tensors, and
there is no dW.

With u = s x Aᵀ and v = s dy B, both [rows, rank]:  y = x Wᵀ + u Bᵀ,  dx = dy W + v A,  dA = vᵀ x,  dB = dyᵀ u.
Only x and u are saved for the backward pass.
"""

from __future__ import annotations

from typing import Any

import torch

from kernels.launching import device_target, launching
from kernels.lora.impl import Down
from kernels.lora.tiling import choose_down, choose_nf4_tiling, choose_tiling
from kernels.lora.triton.fused_linear import fused_linear
from kernels.lora.triton.fused_linear_nf4 import fused_linear_nf4
from kernels.lora.triton.narrow import rank_gradient, scaled_down_product
from kernels.quantization.output import Quantized

Weight = torch.Tensor | Quantized


def fused_lora(
    x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, weight: Weight, scaling: float, down: Down | None
) -> torch.Tensor:
    """x Wᵀ + scaling (x Aᵀ) Bᵀ on tensors that `api` has checked; differentiable in x, a and b."""
    down = None if down is None else Down(down)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, a, b)):
        out: torch.Tensor = _FusedLora.apply(x, a, b, weight, scaling, down)  # type: ignore[no-untyped-call]
        return out
    return _product(x, weight, a, b, scaling, down, transposed=False, keep=False)[0]


class _FusedLora(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, weight: Weight, scaling: float, down: Down | None
    ) -> torch.Tensor:
        out, u = _product(x, weight, a, b, scaling, down, transposed=False, keep=ctx.needs_input_grad[2])
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, a, b, u)
        ctx.weight, ctx.scaling, ctx.down = weight, scaling, down
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, a, b, u = ctx.saved_tensors
        needs_x, needs_a, needs_b = ctx.needs_input_grad[:3]
        dy = dy.contiguous()
        dx, v = None, None
        with launching(dy.device):
            if needs_x:
                dx, v = _product(dy, ctx.weight, b.T, a.T, ctx.scaling, ctx.down, transposed=True, keep=needs_a)
            elif needs_a:
                v = scaled_down_product(dy, b.T, ctx.scaling)
            da = rank_gradient(v, x, rank_first=True) if v is not None and needs_a else None
            db = rank_gradient(u, dy, rank_first=False) if needs_b else None
        return dx, da, db, None, None, None


def _product(
    x: torch.Tensor,
    weight: Weight,
    a: torch.Tensor,
    b: torch.Tensor,
    scaling: float,
    down: Down | None,
    *,
    transposed: bool,
    keep: bool,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The product with the weight or its transpose, and scaling (x Aᵀ) [rows, rank] if it is kept."""
    choose = choose_nf4_tiling if isinstance(weight, Quantized) else choose_tiling
    tiling = choose(element_bytes=x.element_size(), target=device_target(x.device))
    if down is None:
        down = choose_down(rank=a.shape[0], cols=b.shape[0], tiling=tiling, element_bytes=x.element_size())
    scaled_down = None
    if down is Down.BEFORE:
        scaled_down = scaled_down_product(x, a, scaling)
    elif keep:
        scaled_down = torch.empty(x.shape[0], a.shape[0], dtype=x.dtype, device=x.device)
    if isinstance(weight, Quantized):
        out = fused_linear_nf4(
            x, weight, a, b, scaling=scaling, down=down, scaled_down=scaled_down, tiling=tiling, transposed=transposed
        )
    else:
        weight = weight.T if transposed else weight
        out = fused_linear(x, weight, a, b, scaling=scaling, down=down, scaled_down=scaled_down, tiling=tiling)
    return out, scaled_down
