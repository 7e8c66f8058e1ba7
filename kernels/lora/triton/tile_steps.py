"""Steps shared by the fused products: loads, the low-rank part of a tile, and the store."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def load(ptrs, in_bounds, WHOLE: tl.constexpr):
    """Loads values, zero out of bounds. WHOLE means that all are in bounds, so accesses stay wide."""
    if WHOLE:
        values = tl.load(ptrs)
    else:
        values = tl.load(ptrs, mask=in_bounds, other=0)
    return values


@triton.jit
def scaled_down_tile(
    x_a, down_ptr, rows, rows_total, rank, scaling, col_tile,
    RANK: tl.constexpr, IN_LOOP: tl.constexpr,
):  # fmt: skip
    """scaling (x Aᵀ) [ROWS, RANK] in the dtype of x. With IN_LOOP it is computed from `x_a` and stored at `down_ptr`
    unless that is None; else it is loaded from there."""
    ranks = tl.arange(0, RANK)
    inside = (rows < rows_total)[:, None] & (ranks < rank)[None, :]
    offsets = rows.to(tl.int64)[:, None] * rank + ranks[None, :]
    if IN_LOOP:
        down = x_a * scaling
        if down_ptr is not None:
            # Every column of tiles computes it; the first one stores it.
            tl.store(down_ptr + offsets, down.to(down_ptr.dtype.element_ty), mask=inside & (col_tile == 0))
    else:
        down = tl.load(down_ptr + offsets, mask=inside, other=0)
    return down


@triton.jit
def add_up_tile(total, down, b_ptr, cols, cols_total, rank, stride_bn, stride_br, RANK: tl.constexpr):
    """total [ROWS, COLS] + down Bᵀ, accumulated in the same float32 tile."""
    ranks = tl.arange(0, RANK)
    inside = (ranks < rank)[:, None] & (cols < cols_total)[None, :]
    b = tl.load(b_ptr + ranks[:, None] * stride_br + cols[None, :].to(tl.int64) * stride_bn, mask=inside, other=0)
    return tl.dot(down.to(b.dtype), b, total, input_precision="ieee")


@triton.jit
def store_tile(out_ptr, total, rows, cols, rows_total, cols_total, WHOLE: tl.constexpr):
    """Rounds a tile of the contiguous output once and stores it."""
    out_ptrs = out_ptr + rows.to(tl.int64)[:, None] * cols_total + cols[None, :]
    values = total.to(out_ptr.dtype.element_ty)
    if WHOLE:
        tl.store(out_ptrs, values)
    else:
        tl.store(out_ptrs, values, mask=(rows < rows_total)[:, None] & (cols < cols_total)[None, :])
