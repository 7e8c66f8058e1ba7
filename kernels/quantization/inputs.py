"""Checks the inputs of quantization, and says what is wrong with them."""

from __future__ import annotations

import torch

from kernels.errors import InvalidInputs
from kernels.quantization.formats import BLOCK_SIZES, FORMATS, FormatId
from kernels.quantization.impl import BITSANDBYTES_TYPES, Impl
from kernels.quantization.output import Quantized

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_NESTED_BLOCK_OF_BITSANDBYTES = 256


def check_weight(weight: torch.Tensor) -> None:
    """Raises InvalidInputs for a tensor that cannot be quantized."""
    if weight.dtype not in DTYPES:
        raise InvalidInputs("Weights must be float32, float16 or bfloat16, not {dtype}.", dtype=str(weight.dtype))
    if weight.numel() == 0:
        raise InvalidInputs("A tensor of shape {shape} has no weights to quantize.", shape=str(list(weight.shape)))


def check_config(format_id: FormatId, block_size: int, nested_block: int, impl: Impl) -> None:
    """Raises InvalidInputs for a block size or a combination that is not defined."""
    sizes = ", ".join(map(str, BLOCK_SIZES))
    if block_size not in BLOCK_SIZES:
        raise InvalidInputs("block_size must be one of {sizes}, not {block_size}.", sizes=sizes, block_size=block_size)
    if nested_block and nested_block not in BLOCK_SIZES:
        raise InvalidInputs(
            "nested_block must be 0 (scales stay in float32) or one of {sizes}, not {nested_block}.",
            sizes=sizes,
            nested_block=nested_block,
        )
    if nested_block and FORMATS[format_id].affine:
        raise InvalidInputs(
            "{format} has a minimum and a step per block, for which double quantization is not defined: use "
            "nested_block 0 or another format.",
            format=FORMATS[format_id].label,
        )
    if impl is Impl.BITSANDBYTES:
        _check_bitsandbytes(format_id, block_size, nested_block)


def _check_bitsandbytes(format_id: FormatId, block_size: int, nested_block: int) -> None:
    if format_id not in BITSANDBYTES_TYPES:
        raise InvalidInputs(
            "bitsandbytes supports NF4 and FP4 E2M1, not {format}: use triton or torch for it.",
            format=FORMATS[format_id].label,
        )
    if block_size < 32:
        raise InvalidInputs(
            "bitsandbytes supports blocks of 32 to 4096 weights, not of {block_size}: use larger blocks.",
            block_size=block_size,
        )
    if nested_block not in (0, _NESTED_BLOCK_OF_BITSANDBYTES):
        raise InvalidInputs(
            "bitsandbytes quantizes scales only in blocks of {supported}, not of {nested_block}: use blocks of "
            "{supported}.",
            supported=_NESTED_BLOCK_OF_BITSANDBYTES,
            nested_block=nested_block,
        )


def check_out_dtype(dtype: torch.dtype) -> None:
    """Raises InvalidInputs for a dtype that weights cannot be restored to."""
    if dtype not in DTYPES:
        raise InvalidInputs("Weights are restored to float32, float16 or bfloat16, not to {dtype}.", dtype=str(dtype))


def check_product(x: torch.Tensor, quantized: Quantized) -> None:
    """Raises InvalidInputs unless x [M, K] and quantized weights [N, K] can be multiplied and are on one device."""
    if x.dim() != 2 or len(quantized.shape) != 2 or x.shape[1] != quantized.shape[1]:
        raise InvalidInputs(
            "x {x_shape} and weights {weight_shape} do not fit: they must be [M, K] and [N, K].",
            x_shape=str(list(x.shape)),
            weight_shape=str(list(quantized.shape)),
        )
    if x.shape[0] == 0:
        raise InvalidInputs("x has no rows: give at least one.")
    if x.dtype not in DTYPES:
        raise InvalidInputs("x must be float32, float16 or bfloat16, not {dtype}.", dtype=str(x.dtype))
    if x.device != quantized.device:
        raise InvalidInputs(
            "x is on {x_device} and the weights are on {weight_device}: move one of them.",
            x_device=str(x.device),
            weight_device=str(quantized.device),
        )


def check_fused(quantized: Quantized) -> None:
    """Raises InvalidInputs for weights that the kernels cannot multiply without dequantizing them first."""
    if quantized.bits != 4 or quantized.affine is not None:
        raise InvalidInputs(
            "{format} cannot be multiplied as stored, only 4-bit codebooks can: use the dequantize path.",
            format=FORMATS[quantized.format].label,
        )
    if quantized.shape[1] % quantized.block_size:
        raise InvalidInputs(
            "Rows of {columns} weights do not consist of whole blocks of {block_size}, which the fused kernels need: "
            "use the dequantize path.",
            columns=quantized.shape[1],
            block_size=quantized.block_size,
        )
