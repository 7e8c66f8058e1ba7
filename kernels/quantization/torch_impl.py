"""Quantization in plain torch operations, by the rule of the kernels (see `tables`): same codes, same values."""

from __future__ import annotations

import torch

from kernels.quantization.device_tables import on_device
from kernels.quantization.formats import FORMATS, FormatId
from kernels.quantization.output import AffineScales, NestedScales, Quantized
from kernels.quantization.tables import SCALE_GRID_STEPS, SMALLEST_ABSMAX, scale_tables, tables


def quantize_torch(weight: torch.Tensor, format_id: FormatId, block_size: int, nested_block: int) -> Quantized:
    flat, shape = weight.reshape(-1).float(), tuple(weight.shape)
    if FORMATS[format_id].affine:
        codes, affine = _affine_codes(flat, block_size)
        return Quantized(format_id, pack(codes), None, None, affine, shape, block_size)
    boundaries, _ = on_device(tables(format_id), flat.device)
    normalized, absmax = _normalized(flat, block_size)
    if FORMATS[format_id].bits == 4:
        normalized = torch.nn.functional.pad(normalized, (0, len(normalized) % 2))
    codes = torch.bucketize(normalized, boundaries)
    if (order := tables(format_id).order) is not None:
        codes = (order >> 4 * codes) & 15
    codes = pack(codes) if FORMATS[format_id].bits == 4 else codes.to(torch.uint8)
    if not nested_block:
        return Quantized(format_id, codes, absmax, None, None, shape, block_size)
    offset = absmax.mean()
    nested = NestedScales(*_scale_codes(absmax - offset, nested_block), offset)
    return Quantized(format_id, codes, None, nested, None, shape, block_size, nested_block)


def dequantize_torch(quantized: Quantized, dtype: torch.dtype) -> torch.Tensor:
    codes, elements = stored_codes(quantized), quantized.elements
    if quantized.affine is not None:
        minimum, step = (
            _expand(scale, quantized.block_size, elements)
            for scale in (quantized.affine.minimum, quantized.affine.step)
        )
        return (codes * step + minimum).to(dtype).reshape(quantized.shape)
    _, levels = on_device(tables(quantized.format), codes.device)
    scale = _expand(scales(quantized), quantized.block_size, elements)
    return (levels[codes] * scale).to(dtype).reshape(quantized.shape)


def scales(quantized: Quantized) -> torch.Tensor:
    """The scale of each block, float32 [blocks]; restored from its code under double quantization."""
    if quantized.nested is None:
        assert quantized.absmax is not None
        return quantized.absmax
    nested = quantized.nested
    _, levels = on_device(scale_tables(), quantized.device)
    return (
        levels[nested.codes.long()] * _expand(nested.absmax, quantized.nested_block, quantized.blocks) + nested.offset
    )


def stored_codes(quantized: Quantized) -> torch.Tensor:
    """The stored code of each weight, int64 [elements]."""
    codes = quantized.codes.long()
    if quantized.bits == 4:
        codes = torch.stack([codes >> 4, codes & 15], 1).reshape(-1)
    return codes[: quantized.elements]


def pack(codes: torch.Tensor) -> torch.Tensor:
    """Pack two 4-bit codes into a byte, the first in the high bits; an odd last code is followed by code 0."""
    pairs = torch.nn.functional.pad(codes, (0, len(codes) % 2)).to(torch.uint8).reshape(-1, 2)
    return (pairs[:, 0] << 4) | pairs[:, 1]


def _rows(flat: torch.Tensor, block_size: int, fill: float) -> torch.Tensor:
    return torch.nn.functional.pad(flat, (0, -len(flat) % block_size), value=fill).reshape(-1, block_size)


def _expand(of_blocks: torch.Tensor, block_size: int, elements: int) -> torch.Tensor:
    return of_blocks.repeat_interleave(block_size)[:elements]


def _normalized(flat: torch.Tensor, block_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalized values in [-1, 1] by element, and absmax by block."""
    rows = _rows(flat, block_size, 0.0)
    absmax = rows.abs().amax(1)
    divisor = absmax.clamp(min=SMALLEST_ABSMAX)
    normalized = rows * (1.0 / divisor)[:, None]
    if len(flat) % block_size:
        normalized[-1] = rows[-1] / divisor[-1]
        absmax[-1] = divisor[-1]
    return normalized.clamp(-1, 1).reshape(-1)[: len(flat)], absmax


def _scale_codes(flat: torch.Tensor, block_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 codes of scales whose mean was subtracted, and the absmax of each block of scales."""
    rows = _rows(flat, block_size, 0.0)
    absmax = rows.abs().amax(1)
    normalized = (rows * (1.0 / torch.where(absmax == 0, 1.0, absmax))[:, None]).clamp(-1, 1)
    positions = ((normalized + 1) * 0.5 * SCALE_GRID_STEPS + 0.5).int()
    boundaries, _ = on_device(scale_tables(), flat.device)
    codes = torch.bucketize(2 * positions.float() / SCALE_GRID_STEPS - 1, boundaries)
    codes = torch.where((absmax == 0)[:, None], 0, codes)
    return codes.to(torch.uint8).reshape(-1)[: len(flat)], absmax


def _affine_codes(flat: torch.Tensor, block_size: int) -> tuple[torch.Tensor, AffineScales]:
    minimum = _rows(flat, block_size, torch.inf).amin(1)
    maximum = _rows(flat, block_size, -torch.inf).amax(1)
    step = maximum / 15 - minimum / 15
    step = torch.where(step == 0, 1.0, step)
    positions = (_rows(flat, block_size, 0.0) * 0.5 - (minimum * 0.5)[:, None]) / (step * 0.5)[:, None]
    codes = positions.round().clamp(0, 15).long().reshape(-1)[: len(flat)]
    return codes, AffineScales(minimum, step)
