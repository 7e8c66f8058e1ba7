"""AdaLoRA's importance averages in one pass: reads four tensors and writes two. PEFT makes about twelve passes."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

_BLOCK = 1024


@triton.jit
def rounded(x, like_ptr):
    """x as float32, rounded to the dtype behind the pointer, as torch does between two operations."""
    return x.to(like_ptr.dtype.element_ty).to(tl.float32)


@triton.jit
def importance_kernel(
    values_ptr, gradients_ptr, sensitivity_ptr, uncertainty_ptr, elements,
    beta1, one_less_beta1, beta2, one_less_beta2,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """BLOCK elements per program. Grid (blocks,). Every operation is rounded separately, in PEFT's order."""
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < elements
    value = tl.load(values_ptr + offsets, mask=inside, other=0).to(tl.float32)
    gradient = tl.load(gradients_ptr + offsets, mask=inside, other=0).to(tl.float32)
    sensitivity = tl.load(sensitivity_ptr + offsets, mask=inside, other=0).to(tl.float32)
    uncertainty = tl.load(uncertainty_ptr + offsets, mask=inside, other=0).to(tl.float32)
    importance = tl.abs(rounded(value * gradient, values_ptr))
    old, new = rounded(beta1 * sensitivity, values_ptr), rounded(one_less_beta1 * importance, values_ptr)
    sensitivity = rounded(old + new, values_ptr)
    change = tl.abs(rounded(importance - sensitivity, values_ptr))
    old, new = rounded(beta2 * uncertainty, values_ptr), rounded(one_less_beta2 * change, values_ptr)
    tl.store(sensitivity_ptr + offsets, sensitivity.to(values_ptr.dtype.element_ty), mask=inside)
    tl.store(uncertainty_ptr + offsets, (old + new).to(values_ptr.dtype.element_ty), mask=inside)


def update_importance_triton(
    values: torch.Tensor,
    gradients: torch.Tensor,
    sensitivity: torch.Tensor,
    uncertainty: torch.Tensor,
    beta1: float,
    beta2: float,
) -> None:
    elements = values.numel()
    importance_kernel[(triton.cdiv(elements, _BLOCK),)](
        values.detach(), gradients, sensitivity, uncertainty, elements, beta1, 1 - beta1, beta2, 1 - beta2,
        BLOCK=_BLOCK, num_warps=4, enable_fp_fusion=False,
    )  # fmt: skip
