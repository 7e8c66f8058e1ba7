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
        raise InvalidInputs(f"Weights must be float32, float16 or bfloat16, not {weight.dtype}.")
    if weight.numel() == 0:
        raise InvalidInputs(f"A tensor of shape {list(weight.shape)} has no weights to quantize.")


def check_config(format_id: FormatId, block_size: int, nested_block: int, impl: Impl) -> None:
    """Raises InvalidInputs for a block size or a combination that is not defined."""
    sizes = ", ".join(map(str, BLOCK_SIZES))
    if block_size not in BLOCK_SIZES:
        raise InvalidInputs(f"block_size must be one of {sizes}, not {block_size}.")
    if nested_block and nested_block not in BLOCK_SIZES:
        raise InvalidInputs(f"nested_block must be 0 (scales stay float32) or one of {sizes}, not {nested_block}.")
    if nested_block and FORMATS[format_id].affine:
        raise InvalidInputs(
            f"{FORMATS[format_id].label} has a minimum and a step per block, for which double quantization is not "
            "defined: use nested_block 0 or another format."
        )
    if impl is Impl.BITSANDBYTES:
        _check_bitsandbytes(format_id, block_size, nested_block)


def _check_bitsandbytes(format_id: FormatId, block_size: int, nested_block: int) -> None:
    if format_id not in BITSANDBYTES_TYPES:
        has = " and ".join(FORMATS[name].label for name in BITSANDBYTES_TYPES)
        raise InvalidInputs(f"bitsandbytes has {has}, not {FORMATS[format_id].label}: use triton or torch for it.")
    if block_size < 32:
        raise InvalidInputs(f"bitsandbytes has blocks of 32 to 4096 weights, not of {block_size}: use larger blocks.")
    if nested_block not in (0, _NESTED_BLOCK_OF_BITSANDBYTES):
        raise InvalidInputs(
            f"bitsandbytes quantizes scales only in blocks of {_NESTED_BLOCK_OF_BITSANDBYTES}, not of {nested_block}."
        )


def check_out_dtype(dtype: torch.dtype) -> None:
    """Raises InvalidInputs for a dtype that weights cannot be restored to."""
    if dtype not in DTYPES:
        raise InvalidInputs(f"Weights are restored to float32, float16 or bfloat16, not to {dtype}.")


def check_product(x: torch.Tensor, quantized: Quantized) -> None:
    """Raises InvalidInputs unless x [M, K] and quantized weights [N, K] can be multiplied and are on one device."""
    if x.dim() != 2 or len(quantized.shape) != 2 or x.shape[1] != quantized.shape[1]:
        raise InvalidInputs(
            f"x {list(x.shape)} and weights {list(quantized.shape)} do not fit: they must be [M, K] and [N, K]."
        )
    if x.shape[0] == 0:
        raise InvalidInputs("x has no rows: give at least one.")
    if x.dtype not in DTYPES:
        raise InvalidInputs(f"x must be float32, float16 or bfloat16, not {x.dtype}.")
    if x.device != quantized.device:
        raise InvalidInputs(f"x is on {x.device} and the weights are on {quantized.device}: move one of them.")


def check_fused(quantized: Quantized) -> None:
    """Raises InvalidInputs for weights that the kernels cannot multiply without dequantizing them first."""
    if quantized.bits != 4 or quantized.affine is not None:
        label = FORMATS[quantized.format].label
        raise InvalidInputs(
            f"{label} cannot be multiplied as stored, only 4-bit codebooks can: use the dequantize path."
        )
    if quantized.shape[1] % quantized.block_size:
        raise InvalidInputs(
            f"Rows of {quantized.shape[1]} weights do not consist of whole blocks of {quantized.block_size}, which the "
            "fused kernels need: use the dequantize path."
        )
