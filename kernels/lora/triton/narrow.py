"""The products whose result has only `rank` columns: s x Aᵀ, and the gradients of A and B."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.lora.tiling import rank_columns

_DOWN_ROWS = 64
_DOWN_DEPTH = 64
_GRADIENT_COLS = 64
_GRADIENT_DEPTH = 64
_MAX_RANK_FOR_FOUR_WARPS = 32
_MIN_ROWS_PER_PART = 512
_MAX_PARTS = 32


@triton.jit
def down_kernel(
    x_ptr, a_ptr, out_ptr, rows_total, depth, rank, scaling, stride_xm, stride_xk, stride_ar, stride_ak,
    ROWS: tl.constexpr, DEPTH: tl.constexpr, RANK: tl.constexpr,
):  # fmt: skip
    """ROWS rows of scaling (x Aᵀ) [rows_total, rank] per program, summed in float32. Grid (row tiles,)."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    along, ranks = tl.arange(0, DEPTH), tl.arange(0, RANK)
    x_ptrs = x_ptr + rows.to(tl.int64)[:, None] * stride_xm + along[None, :] * stride_xk
    a_ptrs = a_ptr + along.to(tl.int64)[:, None] * stride_ak + ranks[None, :] * stride_ar
    total = tl.zeros([ROWS, RANK], tl.float32)
    for begin in range(0, depth, DEPTH):
        left = along < depth - begin
        x = tl.load(x_ptrs, mask=(rows < rows_total)[:, None] & left[None, :], other=0)
        a = tl.load(a_ptrs, mask=left[:, None] & (ranks < rank)[None, :], other=0)
        total = tl.dot(x, a, total, input_precision="ieee")
        x_ptrs += DEPTH * stride_xk
        a_ptrs += DEPTH * stride_ak
    out_ptrs = out_ptr + rows.to(tl.int64)[:, None] * rank + ranks[None, :]
    inside = (rows < rows_total)[:, None] & (ranks < rank)[None, :]
    tl.store(out_ptrs, (total * scaling).to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def rank_gradient_kernel(
    narrow_ptr, wide_ptr, parts_ptr, rows_total, cols_total, rank, rows_of_part,
    stride_wm, stride_wn, stride_pp, stride_pn, stride_pr,
    COLS: tl.constexpr, DEPTH: tl.constexpr, RANK: tl.constexpr,
):  # fmt: skip
    """wideᵀ narrow over one part of the rows: COLS x rank values per program, float32. Grid (column tiles, parts).

    narrow [rows_total, rank] is contiguous; wide is [rows_total, cols_total]. The result of a part is
    [cols_total, rank].
    """
    cols = tl.program_id(0) * COLS + tl.arange(0, COLS)
    first = tl.program_id(1) * rows_of_part
    end = tl.minimum(first + rows_of_part, rows_total)
    ranks = tl.arange(0, RANK)
    total = tl.zeros([COLS, RANK], tl.float32)
    for begin in range(first, end, DEPTH):
        rows = begin + tl.arange(0, DEPTH)
        wide = tl.load(
            wide_ptr + rows.to(tl.int64)[:, None] * stride_wm + cols[None, :] * stride_wn,
            mask=(rows < end)[:, None] & (cols < cols_total)[None, :], other=0,
        )  # fmt: skip
        narrow = tl.load(
            narrow_ptr + rows.to(tl.int64)[:, None] * rank + ranks[None, :],
            mask=(rows < end)[:, None] & (ranks < rank)[None, :], other=0,
        )  # fmt: skip
        total = tl.dot(tl.trans(wide), narrow, total, input_precision="ieee")
    part = parts_ptr + tl.program_id(1).to(tl.int64) * stride_pp
    part_ptrs = part + cols.to(tl.int64)[:, None] * stride_pn + ranks[None, :] * stride_pr
    tl.store(part_ptrs, total, mask=(cols < cols_total)[:, None] & (ranks < rank)[None, :])


def scaled_down_product(x: torch.Tensor, a: torch.Tensor, scaling: float) -> torch.Tensor:
    """scaling (x Aᵀ), [rows, rank] in the dtype of x. a [rank, depth] may be a view of any strides."""
    (rows, depth), rank = x.shape, a.shape[0]
    out = torch.empty(rows, rank, dtype=x.dtype, device=x.device)
    # Wide tiles need more warps, because four would spill. So does float32, whose operands stay in registers.
    warps = 8 if rank > _MAX_RANK_FOR_FOUR_WARPS or x.element_size() == 4 else 4
    down_kernel[(triton.cdiv(rows, _DOWN_ROWS),)](
        x, a, out, rows, depth, rank, scaling, *x.stride(), *a.stride(),
        ROWS=_DOWN_ROWS, DEPTH=_DOWN_DEPTH, RANK=rank_columns(rank), num_warps=warps, num_stages=3,
    )  # fmt: skip
    return out


def rank_gradient(narrow: torch.Tensor, wide: torch.Tensor, *, rank_first: bool) -> torch.Tensor:
    """narrowᵀ wide [rank, cols] if `rank_first`, else its transpose [cols, rank], in the dtype of `wide`.

    narrow is [rows, rank], wide [rows, cols]. Long sums are split into parts that run in parallel in float32 and are
    added in a fixed order, so the result is always bit-equal.
    """
    (rows, rank), cols = narrow.shape, wide.shape[1]
    parts = max(1, min(_MAX_PARTS, rows // _MIN_ROWS_PER_PART))
    rows_of_part = triton.cdiv(triton.cdiv(rows, parts), _GRADIENT_DEPTH) * _GRADIENT_DEPTH
    parts = triton.cdiv(rows, rows_of_part)
    shape = (parts, rank, cols) if rank_first else (parts, cols, rank)
    sums = torch.empty(shape, dtype=torch.float32, device=wide.device)
    by_column = sums.mT if rank_first else sums
    rank_gradient_kernel[(triton.cdiv(cols, _GRADIENT_COLS), parts)](
        narrow, wide, sums, rows, cols, rank, rows_of_part, *wide.stride(), *by_column.stride(),
        COLS=_GRADIENT_COLS, DEPTH=_GRADIENT_DEPTH, RANK=rank_columns(rank), num_warps=4, num_stages=2,
    )  # fmt: skip
    return sums.sum(0).to(wide.dtype)
