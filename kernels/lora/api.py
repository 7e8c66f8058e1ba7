"""One entry to LoRA's products and AdaLoRA's importance. What ran is what was requested: no silent fallback."""

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

    x [rows, in], weight [out, in], a [rank, in], b [out, rank], of one dtype: float32, float16 or bfloat16; rank 1 to
    64. Sums are float32; the fused kernel rounds scaling (x Aᵀ) to the dtype once and the output once. `down` is
    where that kernel takes x Aᵀ, `tiling.choose_down` unless given. Differentiable in x, a and b (TRITON_UNFUSED is
    not): the weight is frozen and gets no gradient.

    Raises InvalidInputs for what is not defined, Unavailable when `impl` cannot run here. Triton kernels need a GPU,
    unless something intercepts their launches, backward ones too, to execute them on CPU tensors.
    """
    impl = Impl(impl)
    check_linear(x, weight, a, b, (x, a, b) if impl is Impl.TRITON_UNFUSED else ())
    _check_down(down, impl)
    if impl is Impl.TORCH:
        return lora_linear_torch(x, weight, a, b, scaling)
    if impl is Impl.PEFT:
        return lora_linear_peft(x, weight, a, b, scaling)
    with launching(x.device):
        # Imported late: Triton is not made for every platform, and the other implementations do without it.
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
    """`lora_linear` with a weight in NF4 (QLoRA, Dettmers et al. 2023, equation 5), nested scales or not.

    The restored weights are rounded to the dtype of x, forward and backward; TRITON restores them tile by tile on the
    chip, TORCH and PEFT (bitsandbytes' product, in bfloat16) beforehand. TRITON needs rows of whole blocks. Raises as
    `lora_linear` does.
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
    """AdaLoRA's averages of importance, in place (Zhang et al. 2023, equations 8 to 10):

    importance I = |value * gradient|, sensitivity = beta1 sensitivity + (1 - beta1) I, then
    uncertainty = beta2 uncertainty + (1 - beta2) |I - sensitivity| with the new sensitivity. The score of an entry is
    the product of the two (equation 11).

    Four contiguous tensors of as many elements and one dtype: of one matrix, or the flat storage that all matrices
    share (one launch either way). Each operation is rounded to the dtype, as in PEFT's RankAllocator: the same bits.
    Raises InvalidInputs, Unavailable as `lora_linear` does.
    """
    impl = Impl(impl)
    check_importance(values, gradients, sensitivity, uncertainty, beta1, beta2)
    if impl is Impl.TORCH:
        return update_importance_torch(values, gradients, sensitivity, uncertainty, beta1, beta2)
    if impl is Impl.PEFT:
        return update_importance_peft(values, gradients, sensitivity, uncertainty, beta1, beta2)
    if impl is Impl.TRITON_UNFUSED:
        raise InvalidInputs("The importance update has no unfused Triton kernels: ask for triton, torch or peft.")
    with launching(values.device):
        from kernels.lora.triton.importance import update_importance_triton

        return update_importance_triton(values, gradients, sensitivity, uncertainty, beta1, beta2)


def _check_down(down: Down | None, impl: Impl) -> None:
    if down is not None and impl is not Impl.TRITON:
        raise InvalidInputs(f"`down` is a choice of the fused kernel, not of {impl.value}: leave it out.")
