"""PEFT's steps with one Triton kernel each and the tiles of the fused kernel. Traced to show what fusion saves.

On a GPU, PEFT's products come from cuBLAS with other tiles. The unavoidable traffic is the same: x is read once more,
and there are six more passes over [rows, out] tensors.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.lora.triton.fused_linear import plain_linear
from kernels.lora.triton.narrow import scaled_down_product

_BLOCK = 1024


@triton.jit
def scale_kernel(x_ptr, out_ptr, elements, scaling, BLOCK: tl.constexpr):
    """BLOCK elements of scaling x per program. Grid (blocks,)."""
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < elements, other=0).to(tl.float32)
    tl.store(out_ptr + offsets, (x * scaling).to(out_ptr.dtype.element_ty), mask=offsets < elements)


@triton.jit
def sum_kernel(x_ptr, y_ptr, out_ptr, elements, BLOCK: tl.constexpr):
    """BLOCK elements of x + y per program. Grid (blocks,)."""
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < elements, other=0).to(tl.float32)
    y = tl.load(y_ptr + offsets, mask=offsets < elements, other=0).to(tl.float32)
    tl.store(out_ptr + offsets, (x + y).to(out_ptr.dtype.element_ty), mask=offsets < elements)


def lora_linear_unfused(
    x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scaling: float
) -> torch.Tensor:
    """result + lora_B(lora_A(x)) * scaling, as in peft.tuners.lora.Linear.forward."""
    base = plain_linear(x, weight)
    low_rank = plain_linear(scaled_down_product(x, a, 1.0), b)
    scaled, out = torch.empty_like(base), torch.empty_like(base)
    grid = (triton.cdiv(base.numel(), _BLOCK),)
    scale_kernel[grid](low_rank, scaled, base.numel(), scaling, BLOCK=_BLOCK)
    sum_kernel[grid](base, scaled, out, base.numel(), BLOCK=_BLOCK)
    return out
