"""Checks the inputs of LoRA's products. Each error is one sentence."""

from __future__ import annotations

import torch

from kernels.errors import InvalidInputs
from kernels.input_checks import check_devices, check_dtype
from kernels.lora.impl import Impl
from kernels.quantization.formats import FORMATS, FormatId
from kernels.quantization.impl import Impl as QuantizationImpl
from kernels.quantization.inputs import check_config
from kernels.quantization.output import Quantized

MAX_RANK = 64
"""A tile with all rank columns must fit on chip."""


def check_linear(
    x: torch.Tensor,
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    not_differentiable: tuple[torch.Tensor, ...] = (),
) -> None:
    """Raises InvalidInputs if x Wᵀ + s (x Aᵀ) Bᵀ is not defined, or if a required gradient would not be computed."""
    if weight.dim() != 2:
        raise InvalidInputs("The weight must be [out, in], not {shape}.", shape=str(list(weight.shape)))
    _check_shapes(x, (weight.shape[0], weight.shape[1]), a, b)
    if weight.requires_grad:
        raise InvalidInputs("LoRA freezes the weight and computes no gradient for it: detach it.")
    if any(tensor.dtype != x.dtype for tensor in (weight, a, b)):
        names = ", ".join(str(tensor.dtype) for tensor in (x, weight, a, b))
        raise InvalidInputs(
            "x, the weight, A and B must have the same dtype, not {dtypes}: convert them.", dtypes=names
        )
    check_devices(x, {"weight": weight, "A": a, "B": b})
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in not_differentiable):
        raise InvalidInputs("The unfused kernels have no backward: call them under torch.no_grad().")


def check_nf4(x: torch.Tensor, quantized: Quantized, a: torch.Tensor, b: torch.Tensor, impl: Impl) -> None:
    """Raises InvalidInputs if `impl` cannot multiply x with these NF4 weights and the low-rank update."""
    if quantized.format is not FormatId.NF4 or len(quantized.shape) != 2:
        label = FORMATS[quantized.format].label
        raise InvalidInputs(
            "The weight must be an [out, in] matrix in NF4, not {format} {shape}.",
            format=str(label),
            shape=str(list(quantized.shape)),
        )
    _check_shapes(x, (quantized.shape[0], quantized.shape[1]), a, b)
    if a.dtype != x.dtype or b.dtype != x.dtype:
        dtypes = f"{x.dtype}, {a.dtype}, {b.dtype}"
        raise InvalidInputs("x, A and B must have the same dtype, not {dtypes}: convert them.", dtypes=dtypes)
    check_devices(x, {"weight": quantized.codes, "A": a, "B": b})
    if impl is Impl.TRITON_UNFUSED:
        raise InvalidInputs("The NF4 product has no unfused Triton kernels: use triton, torch or peft.")
    if impl is Impl.PEFT:
        check_config(quantized.format, quantized.block_size, quantized.nested_block, QuantizationImpl.BITSANDBYTES)
    if impl is Impl.TRITON and quantized.shape[1] % quantized.block_size:
        raise InvalidInputs(
            "Rows of {width} weights do not consist of whole blocks of {block_size}, which the fused kernel needs: use "
            "torch.",
            width=quantized.shape[1],
            block_size=quantized.block_size,
        )


def check_importance(
    values: torch.Tensor,
    gradients: torch.Tensor,
    sensitivity: torch.Tensor,
    uncertainty: torch.Tensor,
    beta1: float,
    beta2: float,
) -> None:
    """Raises InvalidInputs if the four tensors do not match or a smoothing factor is not in (0, 1)."""
    named = {"values": values, "gradients": gradients, "sensitivity": sensitivity, "uncertainty": uncertainty}
    for name, tensor in named.items():
        check_dtype(name, tensor)
        if tensor.shape != values.shape or tensor.dtype != values.dtype:
            raise InvalidInputs(
                "{name} {shape} {dtype} and values {values_shape} {values_dtype} differ: use the same shape and dtype "
                "for values, gradients, sensitivity and uncertainty.",
                name=name,
                shape=str(list(tensor.shape)),
                dtype=str(tensor.dtype),
                values_shape=str(list(values.shape)),
                values_dtype=str(values.dtype),
            )
        if not tensor.is_contiguous():
            raise InvalidInputs("{name} must be contiguous: call contiguous().", name=name)
    check_devices(values, {name: tensor for name, tensor in named.items() if tensor is not values})
    if values.numel() == 0:
        raise InvalidInputs("The importance update needs at least one value.")
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 < beta < 1:
            raise InvalidInputs("{name} must be greater than 0 and less than 1, not {value}.", name=name, value=beta)


def _check_shapes(x: torch.Tensor, weight: tuple[int, int], a: torch.Tensor, b: torch.Tensor) -> None:
    out_features, in_features = weight
    if x.dim() != 2 or x.shape[1] != in_features:
        raise InvalidInputs(
            "x {x_shape} and the weight {weight_shape} do not match: they must be [rows, in] and [out, in].",
            x_shape=str(list(x.shape)),
            weight_shape=str(list(weight)),
        )
    if x.shape[0] == 0 or 0 in weight:
        raise InvalidInputs(
            "There is nothing to multiply: x is {x_shape} and the weight is {weight_shape}.",
            x_shape=str(list(x.shape)),
            weight_shape=str(list(weight)),
        )
    if a.dim() != 2 or a.shape[1] != in_features or b.shape != (out_features, a.shape[0]):
        raise InvalidInputs(
            "A {a_shape} and B {b_shape} do not match the weight {weight_shape}: they must be [rank, in] and [out, "
            "rank].",
            a_shape=str(list(a.shape)),
            b_shape=str(list(b.shape)),
            weight_shape=str(list(weight)),
        )
    if not 1 <= a.shape[0] <= MAX_RANK:
        raise InvalidInputs("The rank must be 1 to {largest}, not {rank}.", largest=MAX_RANK, rank=a.shape[0])
    check_dtype("x", x)
