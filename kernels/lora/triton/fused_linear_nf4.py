"""The fused product with NF4 weights. Each tile of codes is dequantized on chip, in forward and backward."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.lora.impl import Down
from kernels.lora.tiling import Tiling, rank_columns
from kernels.lora.triton.tile_steps import add_up_tile, load, scaled_down_tile, store_tile
from kernels.quantization.device_tables import on_device
from kernels.quantization.output import Quantized
from kernels.quantization.tables import scale_tables, tables
from kernels.quantization.triton import lookup
from kernels.quantization.triton.lookup import load_scale, look_up, nibbles
from kernels.tile_order import tile_of_program


@triton.jit
def restored_tile(
    words_ptr, levels, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr,
    weight_rows, weight_rows_total, first, row_groups,
    BLOCK_SIZE: tl.constexpr, NESTED_BLOCK: tl.constexpr, SHARED: tl.constexpr,
    HEIGHT: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """A dequantized tile of the weight, float32 [HEIGHT, WIDTH], from column `first` of the given rows; zero out of
    bounds.

    A row consists of `row_groups` groups of SHARED weights with the same scale.
    """
    width, row_words = (
        row_groups * SHARED,
        row_groups * (SHARED // 8),
    )  # so that the compiler knows the alignment of rows
    row_starts = weight_rows.to(tl.int64) * row_words
    in_rows = (weight_rows < weight_rows_total)[:, None]
    columns = first // 8 + tl.arange(0, WIDTH // 8)
    words = lookup.load(words_ptr + row_starts[:, None] + columns[None, :], in_rows & (columns < row_words)[None, :])
    groups = first + tl.arange(0, WIDTH // SHARED) * SHARED
    blocks = (row_starts[:, None] * 8 + groups[None, :]) // BLOCK_SIZE
    scale = load_scale(
        absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, blocks,
        in_rows & (groups < width)[None, :], NESTED_BLOCK,
    )  # fmt: skip
    # Out of bounds a nested scale is its offset and not zero, but the other operand is zero there.
    weights = look_up(levels, tl.reshape(nibbles(words), [HEIGHT, WIDTH]))
    return tl.reshape(tl.reshape(weights, [HEIGHT, WIDTH // SHARED, SHARED]) * scale[:, :, None], [HEIGHT, WIDTH])


@triton.jit
def fused_linear_nf4_kernel(
    x_ptr, words_ptr, levels_ptr, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr,
    a_ptr, b_ptr, down_ptr, out_ptr,
    rows_total, cols_total, depth, row_groups, rank, scaling,
    stride_xm, stride_xk, stride_ar, stride_ak, stride_bn, stride_br,
    BLOCK_SIZE: tl.constexpr, NESTED_BLOCK: tl.constexpr, SHARED: tl.constexpr, TRANSPOSED: tl.constexpr,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr, RANK: tl.constexpr, GROUP: tl.constexpr,
    WHOLE: tl.constexpr, IN_LOOP: tl.constexpr,
):  # fmt: skip
    """One [ROWS, COLS] tile of the output per program, as in `fused_linear_kernel`. Grid (tiles,).

    The stored weight is [cols_total, depth], or [depth, cols_total] if TRANSPOSED, for the gradient of x. Dequantized
    weights are rounded to the dtype of x.
    """
    row_tile, col_tile = tile_of_program(rows_total, cols_total, ROWS, COLS, GROUP)
    rows = row_tile * ROWS + tl.arange(0, ROWS)
    cols = col_tile * COLS + tl.arange(0, COLS)
    along = tl.arange(0, DEPTH)
    x_ptrs = x_ptr + rows.to(tl.int64)[:, None] * stride_xm + along[None, :] * stride_xk
    levels = tl.load(levels_ptr + tl.arange(0, 16))
    total = tl.zeros([ROWS, COLS], tl.float32)
    if IN_LOOP:
        ranks = tl.arange(0, RANK)
        a_ptrs = a_ptr + along.to(tl.int64)[:, None] * stride_ak + ranks[None, :] * stride_ar
        x_a = tl.zeros([ROWS, RANK], tl.float32)
    for begin in range(0, depth, DEPTH):
        left = along < depth - begin
        x = load(x_ptrs, (rows < rows_total)[:, None] & left[None, :], WHOLE)
        if TRANSPOSED:
            weight = restored_tile(
                words_ptr, levels, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr,
                begin + along, depth, col_tile * COLS, row_groups, BLOCK_SIZE, NESTED_BLOCK, SHARED, DEPTH, COLS,
            ).to(x.dtype)  # fmt: skip
        else:
            weight = tl.trans(restored_tile(
                words_ptr, levels, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr,
                cols, cols_total, begin, row_groups, BLOCK_SIZE, NESTED_BLOCK, SHARED, COLS, DEPTH,
            ).to(x.dtype))  # fmt: skip
        total = tl.dot(x, weight, total, input_precision="ieee")
        if IN_LOOP:
            a = tl.load(a_ptrs, mask=left[:, None] & (ranks < rank)[None, :], other=0)
            x_a = tl.dot(x, a, x_a, input_precision="ieee")
            a_ptrs += DEPTH * stride_ak
        x_ptrs += DEPTH * stride_xk
    if not IN_LOOP:
        x_a = total
    down = scaled_down_tile(x_a, down_ptr, rows, rows_total, rank, scaling, col_tile, RANK, IN_LOOP)
    total = add_up_tile(total, down, b_ptr, cols, cols_total, rank, stride_bn, stride_br, RANK)
    store_tile(out_ptr, total, rows, cols, rows_total, cols_total, WHOLE)


def fused_linear_nf4(
    x: torch.Tensor,
    quantized: Quantized,
    a: torch.Tensor,
    b: torch.Tensor,
    *,
    scaling: float,
    down: Down,
    scaled_down: torch.Tensor | None,
    tiling: Tiling,
    transposed: bool,
) -> torch.Tensor:
    """`fused_linear` with the quantized weight or its transpose."""
    rows, depth = x.shape
    cols, width = quantized.shape[1 if transposed else 0], quantized.shape[1]
    shared = min(tiling.cols if transposed else tiling.depth, quantized.block_size)
    out = torch.empty(rows, cols, dtype=x.dtype, device=x.device)
    whole = rows % tiling.rows == 0 and cols % tiling.cols == 0 and depth % tiling.depth == 0
    _, levels = on_device(tables(quantized.format), x.device)
    _, nested_levels = on_device(scale_tables(), x.device)
    nested = quantized.nested
    fused_linear_nf4_kernel[(triton.cdiv(rows, tiling.rows) * triton.cdiv(cols, tiling.cols),)](
        x, quantized.codes.view(torch.int32), levels,
        nested.absmax if nested else quantized.absmax,
        nested.codes if nested else None, nested_levels if nested else None, nested.offset if nested else None,
        a if down is Down.IN_LOOP else None, b, scaled_down, out,
        rows, cols, depth, width // shared, a.shape[0], scaling,
        *x.stride(), *a.stride(), *b.stride(),
        BLOCK_SIZE=quantized.block_size, NESTED_BLOCK=quantized.nested_block, SHARED=shared, TRANSPOSED=transposed,
        ROWS=tiling.rows, COLS=tiling.cols, DEPTH=tiling.depth, RANK=rank_columns(a.shape[0]), GROUP=tiling.group,
        WHOLE=whole, IN_LOOP=down is Down.IN_LOOP, num_warps=tiling.num_warps, num_stages=tiling.num_stages,
        enable_fp_fusion=False,
    )  # fmt: skip
    return out
