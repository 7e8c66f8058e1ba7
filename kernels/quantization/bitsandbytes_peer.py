"""Quantization by bitsandbytes, converted to and from `Quantized`: codes and times are compared with it."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import torch

from kernels.quantization.formats import FormatId, dynamic_levels
from kernels.quantization.impl import BITSANDBYTES_TYPES, Impl, available
from kernels.quantization.output import NestedScales, Quantized


@cache
def bitsandbytes_functional() -> Any:
    """The module bitsandbytes.functional, imported without its warning."""
    # It looks for a package named `kernels`, finds this project's, and logs a warning at each import.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    import bitsandbytes.functional

    return bitsandbytes.functional


def _require(device: torch.device) -> Any:
    if unavailable := available(Impl.BITSANDBYTES, device):
        raise unavailable
    return bitsandbytes_functional()


def quantize_peer(weight: torch.Tensor, format_id: FormatId, block_size: int, nested_block: int) -> Quantized:
    packed, state = _require(weight.device).quantize_4bit(
        weight, blocksize=block_size, compress_statistics=bool(nested_block), quant_type=BITSANDBYTES_TYPES[format_id]
    )
    nested = NestedScales(state.absmax, state.state2.absmax, state.offset) if nested_block else None
    absmax = None if nested_block else state.absmax
    shape = tuple(weight.shape)
    return Quantized(format_id, packed.reshape(-1), absmax, nested, None, shape, block_size, nested_block)


def dequantize_peer(quantized: Quantized, dtype: torch.dtype) -> torch.Tensor:
    functional = _require(quantized.device)
    restored: torch.Tensor = functional.dequantize_4bit(quantized.codes.reshape(-1, 1), _state(quantized, dtype))
    return restored.reshape(quantized.shape)  # bitsandbytes returns one row for a tensor of one dimension


def matmul_peer(x: torch.Tensor, quantized: Quantized) -> torch.Tensor:
    _require(x.device)
    from bitsandbytes.autograd._functions import matmul_4bit

    state = _state(quantized, torch.bfloat16)
    product: torch.Tensor = matmul_4bit(x.bfloat16(), quantized.codes.reshape(-1, 1).t(), state)
    return product.to(x.dtype)


def _state(quantized: Quantized, dtype: torch.dtype) -> Any:
    functional, nested = bitsandbytes_functional(), quantized.nested
    second = None
    if nested is not None:
        code = torch.from_numpy(dynamic_levels().astype("float32")).to(quantized.device)
        second = functional.QuantState(nested.absmax, blocksize=quantized.nested_block, code=code, dtype=torch.float32)
    quant_type = BITSANDBYTES_TYPES[quantized.format]
    return functional.QuantState(
        absmax=quantized.absmax if nested is None else nested.codes,
        shape=torch.Size(quantized.shape),
        code=functional.get_4bit_type(quant_type, device=quantized.device),
        blocksize=quantized.block_size,
        quant_type=quant_type,
        dtype=dtype,
        offset=None if nested is None else nested.offset,
        state2=second,
    )
