"""The float64 reference: quantizes by trying every level. For tensors of moderate size."""

from __future__ import annotations

import torch

from kernels.quantization.formats import FORMATS, FormatId, dynamic_levels
from kernels.quantization.output import Quantized
from kernels.quantization.tables import tables
from kernels.quantization.torch_impl import stored_codes


def reference_quantize(weight: torch.Tensor, format_id: FormatId, block_size: int) -> torch.Tensor:
    """The weights rounded to the nearest levels, float64 in the shape of `weight`. Scales are not quantized.

    Levels are those of the format, in float64: between -absmax and absmax of each block for a codebook format, between
    the block's minimum and maximum for the affine format.
    """
    flat = weight.detach().double().reshape(-1)
    levels = torch.from_numpy(FORMATS[format_id].levels.copy()).to(flat.device)
    restored = torch.empty_like(flat)
    for begin in range(0, len(flat), block_size):
        block = flat[begin : begin + block_size]
        if FORMATS[format_id].affine:
            candidates = block.min() + levels * (block.max() - block.min())
        else:
            candidates = levels * block.abs().max()
        restored[begin : begin + block_size] = candidates[(block[:, None] - candidates).abs().argmin(1)]
    return restored.reshape(weight.shape)


def reference_dequantize(quantized: Quantized) -> torch.Tensor:
    """Levels times scales in float64, from the stored codes and scales."""
    codes = stored_codes(quantized)
    block = torch.arange(quantized.elements, device=codes.device) // quantized.block_size
    if quantized.affine is not None:
        restored = codes * quantized.affine.step.double()[block] + quantized.affine.minimum.double()[block]
        return restored.reshape(quantized.shape)
    levels = torch.from_numpy(tables(quantized.format).levels.astype("float64")).to(codes.device)
    return (levels[codes] * reference_scales(quantized)[block]).reshape(quantized.shape)


def reference_scales(quantized: Quantized) -> torch.Tensor:
    """The scale of each block, float64 [blocks]."""
    if quantized.nested is None:
        assert quantized.absmax is not None
        return quantized.absmax.double()
    nested = quantized.nested
    levels = torch.from_numpy(dynamic_levels()).to(quantized.device)
    group = torch.arange(quantized.blocks, device=quantized.device) // quantized.nested_block
    return levels[nested.codes.long()] * nested.absmax.double()[group] + nested.offset.double()


def reference_matmul(x: torch.Tensor, quantized: Quantized) -> torch.Tensor:
    """x [M, K] times the transpose of the restored weights [N, K], all in float64."""
    return x.double() @ reference_dequantize(quantized).T
