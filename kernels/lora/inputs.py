"""What LoRA's products accept, and the sentence for what they do not."""

from __future__ import annotations

import torch

from kernels.errors import InvalidInputs
from kernels.lora.impl import Impl
from kernels.quantization.formats import FORMATS, FormatId
from kernels.quantization.impl import Impl as QuantizationImpl
from kernels.quantization.inputs import check_config
from kernels.quantization.output import Quantized

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
MAX_RANK = 64
"""A tile of rank columns is kept whole on the chip."""


def check_linear(
    x: torch.Tensor,
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    not_differentiable: tuple[torch.Tensor, ...] = (),
) -> None:
    """Raises InvalidInputs unless x Wᵀ + s (x Aᵀ) Bᵀ is defined for these; for gradients that would not be computed."""
    if weight.dim() != 2:
        raise InvalidInputs(f"The weight must be [out, in], not {list(weight.shape)}.")
    _check_shapes(x, (weight.shape[0], weight.shape[1]), a, b)
    if weight.requires_grad:
        raise InvalidInputs("LoRA freezes the weight, and no gradient is computed for it: detach it.")
    if any(tensor.dtype != x.dtype for tensor in (weight, a, b)):
        names = ", ".join(str(tensor.dtype) for tensor in (x, weight, a, b))
        raise InvalidInputs(f"x, the weight, A and B must have one dtype, not {names}: convert them.")
    _check_devices(x, {"the weight": weight, "A": a, "B": b})
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in not_differentiable):
        raise InvalidInputs("The unfused kernels have no backward: call them under torch.no_grad().")


def check_nf4(x: torch.Tensor, quantized: Quantized, a: torch.Tensor, b: torch.Tensor, impl: Impl) -> None:
    """Raises InvalidInputs unless x can be multiplied with NF4 weights and the low-rank update by `impl`."""
    if quantized.format is not FormatId.NF4 or len(quantized.shape) != 2:
        label = FORMATS[quantized.format].label
        raise InvalidInputs(f"The weight must be an [out, in] matrix in NF4, not {label} {list(quantized.shape)}.")
    _check_shapes(x, (quantized.shape[0], quantized.shape[1]), a, b)
    if a.dtype != x.dtype or b.dtype != x.dtype:
        raise InvalidInputs(f"x, A and B must have one dtype, not {x.dtype}, {a.dtype}, {b.dtype}: convert them.")
    _check_devices(x, {"the weight": quantized.codes, "A": a, "B": b})
    if impl is Impl.TRITON_UNFUSED:
        raise InvalidInputs("The NF4 product has no unfused Triton kernels: ask for triton, torch or peft.")
    if impl is Impl.PEFT:
        check_config(quantized.format, quantized.block_size, quantized.nested_block, QuantizationImpl.BITSANDBYTES)
    if impl is Impl.TRITON and quantized.shape[1] % quantized.block_size:
        raise InvalidInputs(
            f"Rows of {quantized.shape[1]} weights are not made of whole blocks of {quantized.block_size}, which the "
            "fused kernel needs: ask for torch."
        )


def check_importance(
    values: torch.Tensor,
    gradients: torch.Tensor,
    sensitivity: torch.Tensor,
    uncertainty: torch.Tensor,
    beta1: float,
    beta2: float,
) -> None:
    """Raises InvalidInputs unless the four fit and both factors are averages' (0 < beta < 1)."""
    named = {"values": values, "gradients": gradients, "sensitivity": sensitivity, "uncertainty": uncertainty}
    for name, tensor in named.items():
        if tensor.dtype not in DTYPES:
            raise InvalidInputs(f"{name} must be float32, float16 or bfloat16, not {tensor.dtype}.")
        if tensor.shape != values.shape or tensor.dtype != values.dtype:
            raise InvalidInputs(
                f"{name} {list(tensor.shape)} {tensor.dtype} and values {list(values.shape)} {values.dtype} differ: "
                "each value has a gradient, a sensitivity and an uncertainty of its dtype."
            )
        if not tensor.is_contiguous():
            raise InvalidInputs(f"{name} must be contiguous, since it is updated in place: call contiguous().")
    _check_devices(values, {name: tensor for name, tensor in named.items() if tensor is not values})
    if values.numel() == 0:
        raise InvalidInputs("There are no values whose importance could be updated.")
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 < beta < 1:
            raise InvalidInputs(f"{name} must lie between 0 and 1, both excluded, not be {beta}.")


def _check_shapes(x: torch.Tensor, weight: tuple[int, int], a: torch.Tensor, b: torch.Tensor) -> None:
    out_features, in_features = weight
    if x.dim() != 2 or x.shape[1] != in_features:
        raise InvalidInputs(f"x {list(x.shape)} and the weight {list(weight)} do not fit: [rows, in] and [out, in].")
    if x.shape[0] == 0 or 0 in weight:
        raise InvalidInputs(f"There is nothing to multiply: x is {list(x.shape)} and the weight {list(weight)}.")
    if a.dim() != 2 or a.shape[1] != in_features or b.shape != (out_features, a.shape[0]):
        raise InvalidInputs(
            f"A {list(a.shape)} and B {list(b.shape)} do not fit the weight {list(weight)}: they must be [rank, in] "
            "and [out, rank]."
        )
    if not 1 <= a.shape[0] <= MAX_RANK:
        raise InvalidInputs(f"The rank must be 1 to {MAX_RANK}, not {a.shape[0]}.")
    if x.dtype not in DTYPES:
        raise InvalidInputs(f"x must be float32, float16 or bfloat16, not {x.dtype}.")


def _check_devices(first: torch.Tensor, others: dict[str, torch.Tensor]) -> None:
    for name, tensor in others.items():
        if tensor.device != first.device:
            raise InvalidInputs(f"{name} is on {tensor.device} and the rest on {first.device}: move one of them.")
