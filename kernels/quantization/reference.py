"""Quantization in float64, by trying every level: the oracle of the others. For tensors of moderate size."""

from __future__ import annotations

import torch

from kernels.quantization.formats import FORMATS, FormatId, dynamic_levels
from kernels.quantization.output import Quantized
from kernels.quantization.tables import tables
from kernels.quantization.torch_impl import stored_codes


def reference_quantize(weight: torch.Tensor, format_id: FormatId, block_size: int) -> torch.Tensor:
    """What the nearest levels give back, float64 in the shape of `weight`, with scales that are not quantized.

    Levels are the format's own, in float64; a codebook format's lie between -absmax and absmax of each block, the
    affine format's between its least and largest value.
    """
    flat = weight.detach().double().reshape(-1)
    levels = torch.from_numpy(FORMATS[format_id].levels.copy()).to(flat.device)
    restored = torch.empty_like(flat)
    for begin in range(0, len(flat), block_size):
        block = flat[begin : begin + block_size]
        if FORMATS[format_id].affine:
            tried = block.min() + levels * (block.max() - block.min())
        else:
            tried = levels * block.abs().max()
        restored[begin : begin + block_size] = tried[(block[:, None] - tried).abs().argmin(1)]
    return restored.reshape(weight.shape)


def reference_dequantize(quantized: Quantized) -> torch.Tensor:
    """Levels times scales in float64, from the codes and scales that are held."""
    codes = stored_codes(quantized)
    block = torch.arange(quantized.elements, device=codes.device) // quantized.block_size
    if quantized.affine is not None:
        restored = codes * quantized.affine.step.double()[block] + quantized.affine.minimum.double()[block]
        return restored.reshape(quantized.shape)
    levels = torch.from_numpy(tables(quantized.format).levels.astype("float64")).to(codes.device)
    return (levels[codes] * reference_scales(quantized)[block]).reshape(quantized.shape)


def reference_scales(quantized: Quantized) -> torch.Tensor:
    """float64 [blocks]."""
    if quantized.nested is None:
        assert quantized.absmax is not None
        return quantized.absmax.double()
    nested = quantized.nested
    levels = torch.from_numpy(dynamic_levels()).to(quantized.device)
    group = torch.arange(quantized.blocks, device=quantized.device) // quantized.nested_block
    return levels[nested.codes.long()] * nested.absmax.double()[group] + nested.offset.double()


def reference_matmul(x: torch.Tensor, quantized: Quantized) -> torch.Tensor:
    """x [M, K] times restored weights [N, K] transposed, float64 throughout."""
    return x.double() @ reference_dequantize(quantized).T
