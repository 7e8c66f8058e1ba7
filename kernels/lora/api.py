"""The entry points to LoRA's products and AdaLoRA's importance. They run the requested implementation or raise."""

from __future__ import annotations

import torch

from kernels.errors import InvalidInputs
from kernels.launching import launching
from kernels.lora.impl import Down, Impl, available
from kernels.lora.inputs import check_importance, check_linear, check_nf4
from kernels.lora.peft_peer import lora_linear_nf4_peft, lora_linear_peft, update_importance_peft
from kernels.lora.torch_impl import lora_linear_nf4_torch, lora_linear_torch, update_importance_torch
from kernels.quantization.output import Quantized

__all__ = ["Down", "Impl", "available", "lora_linear", "lora_linear_nf4", "update_importance"]


def lora_linear(
    x: torch.Tensor,
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    *,
    scaling: float,
    impl: Impl = Impl.TRITON,
    down: Down | None = None,
) -> torch.Tensor:
    """x Wᵀ + scaling (x Aᵀ) Bᵀ (Hu et al. 2021, LoRA, equation 3): [rows, out], in the dtype of x.

    x [rows, in], weight [out, in], a [rank, in] and b [out, rank] have the same dtype: float32, float16 or bfloat16.
    The rank is 1 to 64. Sums are float32; the fused kernel rounds scaling (x Aᵀ) once and the output once. `down` says
    where that kernel computes x Aᵀ; the default is `tiling.choose_down`. Differentiable in x, a and b, except for
    TRITON_UNFUSED. The weight is frozen and gets no gradient.

    Raises InvalidInputs for invalid inputs, Unavailable if `impl` cannot run here. Triton kernels need a GPU, unless
    their launches (including backward) are intercepted and executed on CPU tensors.
    """
    impl = Impl(impl)
    check_linear(x, weight, a, b, (x, a, b) if impl is Impl.TRITON_UNFUSED else ())
    _check_down(down, impl)
    if impl is Impl.TORCH:
        return lora_linear_torch(x, weight, a, b, scaling)
    if impl is Impl.PEFT:
        return lora_linear_peft(x, weight, a, b, scaling)
    with launching(x.device):
        # Imported late, because Triton does not exist for every platform and the other implementations do not need it.
        if impl is Impl.TRITON_UNFUSED:
            from kernels.lora.triton.unfused import lora_linear_unfused

            return lora_linear_unfused(x, weight, a, b, scaling)
        from kernels.lora.autograd import fused_lora

        return fused_lora(x, a, b, weight, scaling, down)


def lora_linear_nf4(
    x: torch.Tensor,
    quantized: Quantized,
    a: torch.Tensor,
    b: torch.Tensor,
    *,
    scaling: float,
    impl: Impl = Impl.TRITON,
    down: Down | None = None,
) -> torch.Tensor:
    """`lora_linear` with a weight in NF4 (QLoRA, Dettmers et al. 2023, equation 5), with or without nested scales.

    The dequantized weights are rounded to the dtype of x in forward and backward. TRITON dequantizes them tile by tile
    on chip; TORCH and PEFT (bitsandbytes' product in bfloat16) do it beforehand. TRITON needs rows of whole blocks.
    Raises the same errors as `lora_linear`.
    """
    impl = Impl(impl)
    check_nf4(x, quantized, a, b, impl)
    _check_down(down, impl)
    if impl is Impl.TORCH:
        return lora_linear_nf4_torch(x, quantized, a, b, scaling)
    if impl is Impl.PEFT:
        return lora_linear_nf4_peft(x, quantized, a, b, scaling)
    with launching(x.device):
        from kernels.lora.autograd import fused_lora

        return fused_lora(x, a, b, quantized, scaling, down)


def update_importance(
    values: torch.Tensor,
    gradients: torch.Tensor,
    sensitivity: torch.Tensor,
    uncertainty: torch.Tensor,
    *,
    beta1: float,
    beta2: float,
    impl: Impl = Impl.TRITON,
) -> None:
    """Updates AdaLoRA's importance averages in place (Zhang et al. 2023, equations 8 to 10):

    importance I = |value * gradient|, sensitivity = beta1 sensitivity + (1 - beta1) I, then
    uncertainty = beta2 uncertainty + (1 - beta2) |I - sensitivity| with the new sensitivity. The score of an element
    is the product of the two (equation 11).

    Takes four contiguous tensors with the same number of elements and the same dtype: one matrix, or flat storage
    shared by all matrices (one launch in both cases). Every operation is rounded to the dtype, so the bits are those of
    PEFT's RankAllocator. Raises the same errors as `lora_linear`.
    """
    impl = Impl(impl)
    check_importance(values, gradients, sensitivity, uncertainty, beta1, beta2)
    if impl is Impl.TORCH:
        return update_importance_torch(values, gradients, sensitivity, uncertainty, beta1, beta2)
    if impl is Impl.PEFT:
        return update_importance_peft(values, gradients, sensitivity, uncertainty, beta1, beta2)
    if impl is Impl.TRITON_UNFUSED:
        raise InvalidInputs("The importance update has no unfused Triton kernels: use triton, torch or peft.")
    with launching(values.device):
        from kernels.lora.triton.importance import update_importance_triton

        return update_importance_triton(values, gradients, sensitivity, uncertainty, beta1, beta2)


def _check_down(down: Down | None, impl: Impl) -> None:
    if down is not None and impl is not Impl.TRITON:
        raise InvalidInputs("`down` applies only to the fused kernel, not to {impl}: leave it out.", impl=impl.value)
