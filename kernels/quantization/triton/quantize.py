"""Quantizes weights to codes and scales in one kernel for every format, and the scales under double quantization."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.quantization.device_tables import on_device
from kernels.quantization.formats import FORMATS, FormatId
from kernels.quantization.output import AffineScales, NestedScales, Quantized
from kernels.quantization.tables import SCALE_GRID_STEPS, SMALLEST_ABSMAX, Tables, scale_tables, tables
from kernels.quantization.triton.lookup import load, search_boundaries

_TILE_ELEMENTS = 4096
_SMALLEST = tl.constexpr(SMALLEST_ABSMAX)
_GRID_STEPS = tl.constexpr(float(SCALE_GRID_STEPS))
_ROUND_TO_INTEGER = tl.constexpr(12582912.0)
"""1.5 * 2^23: float32 has no fraction bits there, so adding and subtracting it rounds to an integer, ties to even."""


@triton.jit
def quantize_kernel(
    x_ptr, offset_ptr, boundaries_ptr, codes_ptr, scale_ptr, step_ptr, elements,
    BITS: tl.constexpr, BLOCK_SIZE: tl.constexpr, BLOCKS: tl.constexpr, ORDER: tl.constexpr, AFFINE: tl.constexpr,
    SCALES: tl.constexpr,
):  # fmt: skip
    """Codes and scales of BLOCKS blocks per program. Grid (tiles,).

    The value at `offset_ptr`, if given, is subtracted from x [elements]. SCALES: x holds scales, whose codes follow
    their own rule (see `tables`). Only the last program masks, since only it may hold a short block.
    """
    first = tl.program_id(0).to(tl.int64) * (BLOCKS * BLOCK_SIZE)
    if first + BLOCKS * BLOCK_SIZE <= elements:
        _quantize_tile(
            x_ptr, offset_ptr, boundaries_ptr, codes_ptr, scale_ptr, step_ptr, elements, first,
            BITS, BLOCK_SIZE, BLOCKS, ORDER, AFFINE, SCALES, False,
        )  # fmt: skip
    else:
        _quantize_tile(
            x_ptr, offset_ptr, boundaries_ptr, codes_ptr, scale_ptr, step_ptr, elements, first,
            BITS, BLOCK_SIZE, BLOCKS, ORDER, AFFINE, SCALES, True,
        )  # fmt: skip


@triton.jit
def _quantize_tile(
    x_ptr, offset_ptr, boundaries_ptr, codes_ptr, scale_ptr, step_ptr, elements, first,
    BITS: tl.constexpr, BLOCK_SIZE: tl.constexpr, BLOCKS: tl.constexpr, ORDER: tl.constexpr, AFFINE: tl.constexpr,
    SCALES: tl.constexpr, LAST: tl.constexpr,
):  # fmt: skip
    rows, cols = tl.arange(0, BLOCKS), tl.arange(0, BLOCK_SIZE)
    inside = rows[:, None] * BLOCK_SIZE + cols[None, :]
    remaining = (elements - first).to(tl.int32) if LAST else BLOCKS * BLOCK_SIZE
    in_bounds = inside < remaining if LAST else None
    x = load(x_ptr + first + inside, in_bounds).to(tl.float32)
    if offset_ptr is not None:
        x -= tl.load(offset_ptr)
    scale_ptrs, blocks_in_bounds = scale_ptr + first // BLOCK_SIZE + rows, rows * BLOCK_SIZE < remaining
    if AFFINE:
        codes, minimum, step = _affine_codes(x, in_bounds)
        tl.store(scale_ptrs, minimum, mask=blocks_in_bounds)
        tl.store(step_ptr + first // BLOCK_SIZE + rows, step, mask=blocks_in_bounds)
    else:
        magnitude = tl.abs(x) if in_bounds is None else tl.where(in_bounds, tl.abs(x), 0.0)
        absmax = tl.max(magnitude, 1)
        if SCALES:
            divisor = tl.where(absmax == 0.0, 1.0, absmax)
        else:
            divisor = tl.maximum(absmax, tl.full([BLOCKS], _SMALLEST, tl.float32))
        normalized = x * tl.div_rn(tl.full([BLOCKS], 1.0, tl.float32), divisor)[:, None]
        if LAST and not SCALES:
            short = rows * BLOCK_SIZE + BLOCK_SIZE > remaining
            normalized = tl.where(short[:, None], tl.div_rn(x, tl.broadcast_to(divisor[:, None], x.shape)), normalized)
            absmax = tl.where(short, divisor, absmax)
        tl.store(scale_ptrs, absmax, mask=blocks_in_bounds)
        normalized = tl.minimum(tl.maximum(normalized, -1.0), 1.0)
        if SCALES:
            normalized = _snap_to_grid(normalized)
        codes = search_boundaries(tl.load(boundaries_ptr + tl.arange(0, 1 << BITS)), normalized, BITS)
        if SCALES:
            codes = tl.where((absmax == 0.0)[:, None], 0, codes)
        if ORDER is not None:
            codes = ((ORDER >> (codes * 4).to(tl.int64)) & 15).to(tl.int32)
    _store_codes(codes_ptr, codes, first, remaining, BITS, BLOCK_SIZE, BLOCKS, LAST)


@triton.jit
def _snap_to_grid(normalized):
    """Round to the nearest of _GRID_STEPS + 1 evenly spaced points from -1 to 1."""
    index = ((normalized + 1.0) * 0.5 * _GRID_STEPS + 0.5).to(tl.int32).to(tl.float32)
    return tl.div_rn(2.0 * index, tl.full(index.shape, _GRID_STEPS, tl.float32)) - 1.0


@triton.jit
def _affine_codes(x, in_bounds):
    """Codes of 16 evenly spaced levels from each block's minimum to its maximum; half-way values go to the even
    code."""
    minimum = tl.min(x if in_bounds is None else tl.where(in_bounds, x, float("inf")), 1)
    maximum = tl.max(x if in_bounds is None else tl.where(in_bounds, x, float("-inf")), 1)
    steps = tl.full(minimum.shape, 15.0, tl.float32)
    step = tl.div_rn(maximum, steps) - tl.div_rn(minimum, steps)
    step = tl.where(step == 0.0, 1.0, step)
    # The full range may overflow float32; half of it does not.
    index = tl.div_rn(x * 0.5 - (minimum * 0.5)[:, None], tl.broadcast_to((step * 0.5)[:, None], x.shape))
    index = (index + _ROUND_TO_INTEGER) - _ROUND_TO_INTEGER
    codes = tl.minimum(tl.maximum(index, 0.0), 15.0).to(tl.int32)
    return codes if in_bounds is None else tl.where(in_bounds, codes, 0), minimum, step


@triton.jit
def _store_codes(
    codes_ptr, codes, first, remaining, BITS: tl.constexpr, BLOCK_SIZE: tl.constexpr, BLOCKS: tl.constexpr,
    LAST: tl.constexpr,
):  # fmt: skip
    """Store the codes; 4-bit codes are packed in pairs, the first in the high bits of the byte."""
    rows = tl.arange(0, BLOCKS)[:, None]
    if BITS == 4:
        inside = rows * (BLOCK_SIZE // 2) + tl.arange(0, BLOCK_SIZE // 2)[None, :]
        high, low = tl.split(tl.reshape(codes, [BLOCKS, BLOCK_SIZE // 2, 2]))
        stored, in_bounds = (high << 4) | low, 2 * inside < remaining
    else:
        inside = rows * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)[None, :]
        stored, in_bounds = codes, inside < remaining
    ptrs = codes_ptr + first // (8 // BITS) + inside
    if LAST:
        tl.store(ptrs, stored.to(tl.uint8), mask=in_bounds)
    else:
        tl.store(ptrs, stored.to(tl.uint8))


def quantize_triton(weight: torch.Tensor, format_id: FormatId, block_size: int, nested_block: int) -> Quantized:
    """Quantize contiguous weights to `format_id`."""
    flat = weight.reshape(-1)
    format_ = FORMATS[format_id]
    if format_.affine:
        codes, minimum, step = _launch(flat, tables(format_id), block_size, affine=True)
        affine = AffineScales(minimum, step)
        return Quantized(format_id, codes, None, None, affine, tuple(weight.shape), block_size)
    codes, absmax, _ = _launch(flat, tables(format_id), block_size)
    if not nested_block:
        return Quantized(format_id, codes, absmax, None, None, tuple(weight.shape), block_size)
    offset = absmax.mean()
    scale_codes, second, _ = _launch(absmax, scale_tables(), nested_block, offset=offset)
    nested = NestedScales(scale_codes, second, offset)
    return Quantized(format_id, codes, None, nested, None, tuple(weight.shape), block_size, nested_block)


def _launch(
    flat: torch.Tensor,
    code_tables: Tables,
    block_size: int,
    *,
    offset: torch.Tensor | None = None,
    affine: bool = False,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes, scales (minima in the affine format) and steps (the scales again if there are none)."""
    elements, blocks = flat.numel(), -(-flat.numel() // block_size)
    codes = torch.empty(-(-elements * code_tables.bits // 8), dtype=torch.uint8, device=flat.device)
    scale = torch.empty(blocks, dtype=torch.float32, device=flat.device)
    step = torch.empty_like(scale) if affine else scale
    blocks_per_tile = max(1, _TILE_ELEMENTS // block_size)
    boundaries, _ = on_device(code_tables, flat.device)
    quantize_kernel[(triton.cdiv(blocks, blocks_per_tile),)](
        flat, offset, boundaries, codes, scale, step, elements,
        BITS=code_tables.bits, BLOCK_SIZE=block_size, BLOCKS=blocks_per_tile, ORDER=code_tables.order, AFFINE=affine,
        SCALES=offset is not None, num_warps=8, enable_fp_fusion=False,
    )  # fmt: skip
    return codes, scale, step
