"""Dequantizes codes in one kernel for every format, with plain or nested scales."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.quantization.device_tables import on_device
from kernels.quantization.output import Quantized
from kernels.quantization.tables import scale_tables, tables
from kernels.quantization.triton.lookup import load, load_scale, look_up

_STORE_BYTES = 16
_WARPS = 4
_GROUPS_PER_THREAD = 4


@triton.jit
def dequantize_kernel(
    codes_ptr, levels_ptr, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, minimum_ptr, step_ptr, out_ptr,
    elements,
    BITS: tl.constexpr, BLOCK_SIZE: tl.constexpr, NESTED_BLOCK: tl.constexpr, AFFINE: tl.constexpr,
    GROUPS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """GROUPS x WIDTH weights per program. Grid (tiles,).

    A thread holds WIDTH neighbouring weights. It stores them in one access (128 bits), and they share a scale. Only the
    last program masks.
    """
    first = tl.program_id(0).to(tl.int64) * (GROUPS * WIDTH)
    if first + GROUPS * WIDTH <= elements:
        _dequantize_tile(
            codes_ptr, levels_ptr, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, minimum_ptr, step_ptr,
            out_ptr, elements, first, BITS, BLOCK_SIZE, NESTED_BLOCK, AFFINE, GROUPS, WIDTH, False,
        )  # fmt: skip
    else:
        _dequantize_tile(
            codes_ptr, levels_ptr, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, minimum_ptr, step_ptr,
            out_ptr, elements, first, BITS, BLOCK_SIZE, NESTED_BLOCK, AFFINE, GROUPS, WIDTH, True,
        )  # fmt: skip


@triton.jit
def _dequantize_tile(
    codes_ptr, levels_ptr, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, minimum_ptr, step_ptr, out_ptr,
    elements, first,
    BITS: tl.constexpr, BLOCK_SIZE: tl.constexpr, NESTED_BLOCK: tl.constexpr, AFFINE: tl.constexpr,
    GROUPS: tl.constexpr, WIDTH: tl.constexpr, LAST: tl.constexpr,
):  # fmt: skip
    groups = tl.arange(0, GROUPS)
    inside = groups[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
    remaining = (elements - first).to(tl.int32) if LAST else GROUPS * WIDTH
    in_bounds = inside < remaining if LAST else None
    codes = _load_codes(codes_ptr, first, remaining, BITS, GROUPS, WIDTH, LAST)
    # One scale per group, not one per weight.
    block = (first + groups * WIDTH) // BLOCK_SIZE
    groups_in_bounds = groups * WIDTH < remaining if LAST else None
    if AFFINE:
        step, minimum = load(step_ptr + block, groups_in_bounds), load(minimum_ptr + block, groups_in_bounds)
        weights = codes.to(tl.float32) * step[:, None] + minimum[:, None]
    else:
        scale = load_scale(
            absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, block, groups_in_bounds, NESTED_BLOCK
        )
        weights = look_up(tl.load(levels_ptr + tl.arange(0, 1 << BITS)), codes) * scale[:, None]
    weights = weights.to(out_ptr.dtype.element_ty)
    if LAST:
        tl.store(out_ptr + first + inside, weights, mask=in_bounds)
    else:
        tl.store(out_ptr + first + inside, weights)


@triton.jit
def _load_codes(
    codes_ptr, first, remaining, BITS: tl.constexpr, GROUPS: tl.constexpr, WIDTH: tl.constexpr, LAST: tl.constexpr
):  # fmt: skip
    """int32 [GROUPS, WIDTH]."""
    packed: tl.constexpr = 8 // BITS
    cols: tl.constexpr = WIDTH // packed
    inside = tl.arange(0, GROUPS)[:, None] * cols + tl.arange(0, cols)[None, :]
    codes = load(codes_ptr + first // packed + inside, inside * packed < remaining if LAST else None).to(tl.int32)
    if BITS == 4:
        codes = tl.reshape(tl.join(codes >> 4, codes & 15), [GROUPS, WIDTH])
    return codes


def dequantize_triton(quantized: Quantized, dtype: torch.dtype) -> torch.Tensor:
    out = torch.empty(quantized.shape, dtype=dtype, device=quantized.device)
    width = _STORE_BYTES // out.element_size()
    groups = _GROUPS_PER_THREAD * 32 * _WARPS
    _, levels = on_device(tables(quantized.format), out.device)
    _, nested_levels = on_device(scale_tables(), out.device)
    nested, affine = quantized.nested, quantized.affine
    dequantize_kernel[(triton.cdiv(out.numel(), groups * width),)](
        quantized.codes, levels,
        nested.absmax if nested else quantized.absmax,
        nested.codes if nested else None, nested_levels if nested else None, nested.offset if nested else None,
        affine.minimum if affine else None, affine.step if affine else None,
        out, out.numel(),
        BITS=quantized.bits, BLOCK_SIZE=quantized.block_size, NESTED_BLOCK=quantized.nested_block,
        AFFINE=affine is not None, GROUPS=groups, WIDTH=width, num_warps=_WARPS, enable_fp_fusion=False,
    )  # fmt: skip
    return out
