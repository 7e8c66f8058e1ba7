"""A few rows of activations times quantized weights: each tile of codes is dequantized to bfloat16 on chip."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.quantization.device_tables import on_device
from kernels.quantization.output import Quantized
from kernels.quantization.tables import scale_tables, tables
from kernels.quantization.triton.lookup import load, load_scale, look_up, nibbles

_COLS = 64
_FEW_ROWS_DEPTH = 128
_MANY_ROWS_DEPTH = 64
_FEW_ROWS = 32
_MIN_ROWS = 16
_MAX_ROWS = 128


@triton.jit
def fused_matmul_kernel(
    x_ptr, words_ptr, levels_ptr, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, out_ptr,
    rows_total, cols_total, row_groups,
    BLOCK_SIZE: tl.constexpr, NESTED_BLOCK: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
    DEPTH: tl.constexpr, SHARED: tl.constexpr,
):  # fmt: skip
    """One [ROWS, COLS] tile of x [rows_total, depth] times the transpose of weights [cols_total, depth]. Grid (column
    tiles, row tiles).

    A row has `row_groups` groups of SHARED weights that share a scale. Restored weights are rounded to bfloat16, sums
    are float32.
    """
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    cols = tl.program_id(0) * COLS + tl.arange(0, COLS)
    # Computed from constants, so that the compiler knows the alignment of the rows.
    depth, row_words = row_groups * SHARED, row_groups * (SHARED // 8)
    x_ptrs = x_ptr + rows.to(tl.int64)[:, None] * depth
    row_starts = cols.to(tl.int64) * row_words
    levels = tl.load(levels_ptr + tl.arange(0, 16))
    total = tl.zeros([ROWS, COLS], tl.float32)
    for begin in range(0, depth, DEPTH):
        depth_offsets = begin + tl.arange(0, DEPTH)
        x = load(x_ptrs + depth_offsets[None, :], (rows < rows_total)[:, None] & (depth_offsets < depth)[None, :])
        word_offsets = begin // 8 + tl.arange(0, DEPTH // 8)
        words = load(
            words_ptr + row_starts[:, None] + word_offsets[None, :],
            (cols < cols_total)[:, None] & (word_offsets < row_words)[None, :],
        )
        groups = begin + tl.arange(0, DEPTH // SHARED) * SHARED
        blocks = (row_starts[:, None] * 8 + groups[None, :]) // BLOCK_SIZE
        scale = load_scale(
            absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, blocks,
            (cols < cols_total)[:, None] & (groups < depth)[None, :], NESTED_BLOCK,
        )  # fmt: skip
        weights = look_up(levels, tl.reshape(nibbles(words), [COLS, DEPTH]))
        weights = tl.reshape(weights, [COLS, DEPTH // SHARED, SHARED]) * scale[:, :, None]
        total = tl.dot(x.to(tl.bfloat16), tl.trans(tl.reshape(weights.to(tl.bfloat16), [COLS, DEPTH])), total)
    out_ptrs = out_ptr + rows.to(tl.int64)[:, None] * cols_total + cols[None, :]
    in_bounds = (rows < rows_total)[:, None] & (cols < cols_total)[None, :]
    tl.store(out_ptrs, total.to(out_ptr.dtype.element_ty), mask=in_bounds)


def fused_matmul(x: torch.Tensor, quantized: Quantized) -> torch.Tensor:
    (rows, depth), cols = x.shape, quantized.shape[0]
    x = x.contiguous()
    out = torch.empty(rows, cols, dtype=x.dtype, device=x.device)
    tile_rows = min(_MAX_ROWS, max(_MIN_ROWS, triton.next_power_of_2(rows)))
    tile_depth = _FEW_ROWS_DEPTH if tile_rows <= _FEW_ROWS else _MANY_ROWS_DEPTH
    shared = min(tile_depth, quantized.block_size)
    _, levels = on_device(tables(quantized.format), x.device)
    _, nested_levels = on_device(scale_tables(), x.device)
    nested = quantized.nested
    fused_matmul_kernel[(triton.cdiv(cols, _COLS), triton.cdiv(rows, tile_rows))](
        x, quantized.codes.view(torch.int32), levels,
        nested.absmax if nested else quantized.absmax,
        nested.codes if nested else None, nested_levels if nested else None, nested.offset if nested else None,
        out, rows, cols, depth // shared,
        BLOCK_SIZE=quantized.block_size, NESTED_BLOCK=quantized.nested_block, ROWS=tile_rows, COLS=_COLS,
        DEPTH=tile_depth, SHARED=shared, num_warps=4, num_stages=3,
        enable_fp_fusion=False,
    )  # fmt: skip
    return out
