"""x Wᵀ + s (x Aᵀ) Bᵀ in one kernel: the large product, with the rank-r part next to it and in its epilogue.

The same kernel computes the gradient of x, dy W + s (dy B) A, with W, B and A transposed by strides. PEFT reads x twice
and makes six more passes over [rows, out] tensors: it writes the product with B, reads and writes it for the scaling,
and the sum reads two tensors and writes one.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.launching import device_target
from kernels.lora.impl import Down
from kernels.lora.tiling import Tiling, choose_tiling, rank_columns
from kernels.lora.triton.tile_steps import add_up_tile, load, scaled_down_tile, store_tile
from kernels.tile_order import tile_of_program


@triton.jit
def fused_linear_kernel(
    x_ptr, weight_ptr, a_ptr, b_ptr, down_ptr, out_ptr,
    rows_total, cols_total, depth, rank, scaling,
    stride_xm, stride_xk, stride_wn, stride_wk, stride_ar, stride_ak, stride_bn, stride_br,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr, RANK: tl.constexpr, GROUP: tl.constexpr,
    WHOLE: tl.constexpr, IN_LOOP: tl.constexpr,
):  # fmt: skip
    """One [ROWS, COLS] tile of the output per program. Grid (tiles,).

    x [rows_total, depth], weight [cols_total, depth], a [rank, depth] and b [cols_total, rank] have any strides. down
    [rows_total, rank] is scaling (x Aᵀ): written with IN_LOOP (unless None), else read. RANK 0 means no low-rank part.
    WHOLE means that rows, columns and depth are multiples of the tile sizes.
    """
    row_tile, col_tile = tile_of_program(rows_total, cols_total, ROWS, COLS, GROUP)
    rows = row_tile * ROWS + tl.arange(0, ROWS)
    cols = col_tile * COLS + tl.arange(0, COLS)
    along = tl.arange(0, DEPTH)
    x_ptrs = x_ptr + rows.to(tl.int64)[:, None] * stride_xm + along[None, :] * stride_xk
    weight_ptrs = weight_ptr + along.to(tl.int64)[:, None] * stride_wk + cols.to(tl.int64)[None, :] * stride_wn
    total = tl.zeros([ROWS, COLS], tl.float32)
    if IN_LOOP and RANK > 0:
        ranks = tl.arange(0, RANK)
        a_ptrs = a_ptr + along.to(tl.int64)[:, None] * stride_ak + ranks[None, :] * stride_ar
        x_a = tl.zeros([ROWS, RANK], tl.float32)
    for begin in range(0, depth, DEPTH):
        left = along < depth - begin
        x = load(x_ptrs, (rows < rows_total)[:, None] & left[None, :], WHOLE)
        weight = load(weight_ptrs, left[:, None] & (cols < cols_total)[None, :], WHOLE)
        total = tl.dot(x, weight, total, input_precision="ieee")
        if IN_LOOP and RANK > 0:
            a = tl.load(a_ptrs, mask=left[:, None] & (ranks < rank)[None, :], other=0)
            x_a = tl.dot(x, a, x_a, input_precision="ieee")
            a_ptrs += DEPTH * stride_ak
        x_ptrs += DEPTH * stride_xk
        weight_ptrs += DEPTH * stride_wk
    if RANK > 0:
        if not IN_LOOP:
            x_a = total
        down = scaled_down_tile(x_a, down_ptr, rows, rows_total, rank, scaling, col_tile, RANK, IN_LOOP)
        total = add_up_tile(total, down, b_ptr, cols, cols_total, rank, stride_bn, stride_br, RANK)
    store_tile(out_ptr, total, rows, cols, rows_total, cols_total, WHOLE)


def fused_linear(
    x: torch.Tensor,
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    *,
    scaling: float,
    down: Down,
    scaled_down: torch.Tensor | None,
    tiling: Tiling,
) -> torch.Tensor:
    """The product, contiguous [rows, cols]. weight [cols, depth], a [rank, depth] and b [cols, rank] may have any
    strides.

    `scaled_down` [rows, rank] is scaling (x Aᵀ), contiguous in the dtype of x. Down.BEFORE reads it; IN_LOOP writes it
    unless it is None.
    """
    return _launch(x, weight, a, b, scaling, rank_columns(a.shape[0]), down, scaled_down, tiling)


def plain_linear(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """x Wᵀ [rows, cols] with the same tiles, without a low-rank part."""
    tiling = choose_tiling(element_bytes=x.element_size(), target=device_target(x.device))
    return _launch(x, weight, weight, weight, 1.0, 0, Down.BEFORE, None, tiling)


def _launch(
    x: torch.Tensor,
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    scaling: float,
    columns_of_rank: int,
    down: Down,
    scaled_down: torch.Tensor | None,
    tiling: Tiling,
) -> torch.Tensor:
    (rows, depth), cols = x.shape, weight.shape[0]
    out = torch.empty(rows, cols, dtype=x.dtype, device=x.device)
    whole = rows % tiling.rows == 0 and cols % tiling.cols == 0 and depth % tiling.depth == 0
    low_rank = columns_of_rank > 0
    fused_linear_kernel[(triton.cdiv(rows, tiling.rows) * triton.cdiv(cols, tiling.cols),)](
        x, weight, a if low_rank and down is Down.IN_LOOP else None, b if low_rank else None, scaled_down, out,
        rows, cols, depth, a.shape[0] if low_rank else 0, scaling,
        *x.stride(), *weight.stride(), *a.stride(), *b.stride(),
        ROWS=tiling.rows, COLS=tiling.cols, DEPTH=tiling.depth, RANK=columns_of_rank, GROUP=tiling.group, WHOLE=whole,
        IN_LOOP=down is Down.IN_LOOP, num_warps=tiling.num_warps, num_stages=tiling.num_stages,
    )  # fmt: skip
    return out
