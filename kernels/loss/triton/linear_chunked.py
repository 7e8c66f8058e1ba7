"""The gradients of the linear cross-entropy for hidden states of any width: a chunk of columns at a time.

The gradient of a chunk of the logits is computed from hidden states and weight and written, in the dtype of the hidden
states. Two products read it: one gives the chunk's rows of the weight's gradient, complete, the other is added to the
sum of the hidden states' gradient, in float32. Of all [n, V] tensors, only one chunk of one exists at a time. Chunks of
columns and not of rows: they leave the larger of the two gradients, the weight's, without a sum in memory.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.loss.linear import Gradients, LinearCall
from kernels.loss.tiling import chunk_columns, chunk_stride
from kernels.loss.triton.linear_steps import load_tile, logits_tile, rows_at
from kernels.loss.triton.tile_steps import capped, gradient_tile
from kernels.tile_order import tile_of_program


@triton.jit
def chunk_gradient_kernel(
    hidden_ptr, weight_ptr, bias_ptr, labels_ptr, order_ptr, count_ptr, lse_ptr, scale_ptr, chunk_ptr,
    rows_total, first_col, chunk_cols, vocabulary, width, stride_cn, stride_hn, stride_hd, stride_wv, stride_wd,
    label_share, smoothing_share, z_loss, softcap,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr, WHOLE: tl.constexpr, GROUP: tl.constexpr,
    SOFTCAP: tl.constexpr,
):  # fmt: skip
    """One [ROWS, COLS] tile of the logits' gradient per program. Grid (tiles,).

    chunk [rows_total, chunk_cols] is by position in the order: columns from `first_col` of the vocabulary.
    """
    row_tile, col_tile = tile_of_program(rows_total, chunk_cols, ROWS, COLS, GROUP)
    count = tl.load(count_ptr)
    if row_tile * ROWS >= count:
        return
    positions = row_tile * ROWS + tl.arange(0, ROWS)
    rows, targets = rows_at(order_ptr, positions, count)
    labels = tl.load(labels_ptr + rows, mask=targets, other=-1).to(tl.int32)
    lse = tl.load(lse_ptr + positions, mask=targets, other=0)
    scale = tl.load(scale_ptr + rows, mask=targets, other=0)
    in_chunk = col_tile * COLS + tl.arange(0, COLS)
    cols = first_col + in_chunk
    x = logits_tile(
        hidden_ptr, weight_ptr, bias_ptr, rows, targets, cols, width, tl.minimum(first_col + chunk_cols, vocabulary),
        stride_hn, stride_hd, stride_wv, stride_wd, ROWS, COLS, DEPTH, WHOLE,
    )  # fmt: skip
    valid = targets[:, None] & (in_chunk < chunk_cols)[None, :]
    gradient = gradient_tile(
        capped(x, softcap, SOFTCAP), lse[:, None], scale[:, None], cols[None, :] == labels[:, None], valid,
        label_share, smoothing_share, z_loss, softcap, SOFTCAP,
    )  # fmt: skip
    chunk_ptrs = chunk_ptr + positions.to(tl.int64)[:, None] * stride_cn + in_chunk[None, :]
    tl.store(chunk_ptrs, gradient.to(chunk_ptr.dtype.element_ty), mask=valid)


@triton.jit
def chunk_weight_kernel(
    chunk_ptr, hidden_ptr, order_ptr, count_ptr, unit_ptr, out_ptr, bias_out_ptr,
    chunk_cols, width, stride_cn, stride_hn, stride_hd, stride_ov, stride_od,
    COLS: tl.constexpr, DIMS: tl.constexpr, DEPTH: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """unit times chunkᵀ hidden: a [COLS, DIMS] tile of the weight's gradient per program, and of the bias's unless it
    is None. Grid (tiles,). out and bias_out begin at the chunk's first column."""
    col_tile, dim_tile = tile_of_program(chunk_cols, width, COLS, DIMS, GROUP)
    cols, dims = col_tile * COLS + tl.arange(0, COLS), dim_tile * DIMS + tl.arange(0, DIMS)
    total = tl.zeros([COLS, DIMS], tl.float32)
    bias_total = tl.zeros([COLS], tl.float32)
    count = tl.load(count_ptr)
    for begin in range(0, count, DEPTH):
        positions = begin + tl.arange(0, DEPTH)
        rows, targets = rows_at(order_ptr, positions, count)
        gradient = load_tile(chunk_ptr, positions, cols, targets, chunk_cols, stride_cn, 1, False)
        hidden = load_tile(hidden_ptr, rows, dims, targets, width, stride_hn, stride_hd, False)
        total = tl.dot(tl.trans(gradient), hidden, total, input_precision="ieee")
        if bias_out_ptr is not None:
            bias_total += tl.sum(gradient.to(tl.float32), 0)
    unit, in_cols = tl.load(unit_ptr), cols < chunk_cols
    out_ptrs = out_ptr + cols.to(tl.int64)[:, None] * stride_ov + dims.to(tl.int64)[None, :] * stride_od
    tl.store(out_ptrs, (total * unit).to(out_ptr.dtype.element_ty), mask=in_cols[:, None] & (dims < width)[None, :])
    if bias_out_ptr is not None:
        # Every column of tiles adds it up; the first one stores it.
        bias_mask = in_cols & (dim_tile == 0)
        tl.store(bias_out_ptr + cols, (bias_total * unit).to(bias_out_ptr.dtype.element_ty), mask=bias_mask)


@triton.jit
def chunk_hidden_kernel(
    chunk_ptr, weight_ptr, order_ptr, count_ptr, unit_ptr, sum_ptr, out_ptr,
    rows_total, chunk_cols, width, stride_cn, stride_wv, stride_wd, stride_on, stride_od,
    ROWS: tl.constexpr, DIMS: tl.constexpr, DEPTH: tl.constexpr, GROUP: tl.constexpr,
    FIRST: tl.constexpr, LAST: tl.constexpr,
):  # fmt: skip
    """chunk W: a [ROWS, DIMS] tile of the hidden states' gradient per program, added to `sum`, float32 [rows_total,
    width] by position. Grid (tiles,). weight begins at the chunk's first column.

    The FIRST chunk finds no sum. The LAST one leaves none, but writes unit times the sum to the rows of out, and zeros
    to those without a target.
    """
    row_tile, dim_tile = tile_of_program(rows_total, width, ROWS, DIMS, GROUP)
    positions, dims = row_tile * ROWS + tl.arange(0, ROWS), dim_tile * DIMS + tl.arange(0, DIMS)
    count = tl.load(count_ptr)
    targets, in_width = positions < count, (dims < width)[None, :]
    if not (FIRST and LAST):
        sum_ptrs = sum_ptr + positions.to(tl.int64)[:, None] * width + dims[None, :]
    # Loaded before the loop and not after it, where a second tile would not fit in the registers.
    if FIRST:
        total = tl.zeros([ROWS, DIMS], tl.float32)
    else:
        total = tl.load(sum_ptrs, mask=targets[:, None] & in_width, other=0)
    for begin in range(0, tl.where(row_tile * ROWS < count, chunk_cols, 0), DEPTH):
        cols = begin + tl.arange(0, DEPTH)
        gradient = load_tile(chunk_ptr, positions, cols, targets, chunk_cols, stride_cn, 1, False)
        weight = load_tile(weight_ptr, cols, dims, cols < chunk_cols, width, stride_wv, stride_wd, False)
        total = tl.dot(gradient, weight, total, input_precision="ieee")
    if LAST:
        in_rows = positions < rows_total
        rows = tl.load(order_ptr + positions, mask=in_rows, other=0).to(tl.int64)
        out_ptrs = out_ptr + rows[:, None] * stride_on + dims.to(tl.int64)[None, :] * stride_od
        gradient = (total * tl.load(unit_ptr)).to(out_ptr.dtype.element_ty)
        tl.store(out_ptrs, gradient, mask=in_rows[:, None] & in_width)
    else:
        tl.store(sum_ptrs, total, mask=targets[:, None] & in_width)


def chunked_gradients(
    call: LinearCall, lse: torch.Tensor, scale: torch.Tensor, unit: torch.Tensor, out: Gradients
) -> None:
    """Writes the requested gradients of unit * sum(scale * losses): float32 [n] and [1]. `lse` is by position."""
    rows, vocabulary, width, tiling = call.rows, call.vocabulary, call.width, call.tiling
    constants = call.options.constants(vocabulary)[1:]
    columns = chunk_columns(tokens=rows, vocabulary=vocabulary, width=width, element_bytes=call.hidden.element_size())
    chunk = torch.empty(rows, chunk_stride(columns), dtype=call.hidden.dtype, device=call.hidden.device)
    total = None
    if out.hidden is not None and columns < vocabulary:
        total = torch.empty(rows, width, dtype=torch.float32, device=call.hidden.device)
    for first in range(0, vocabulary, columns):
        cols = min(columns, vocabulary - first)
        chunk_gradient_kernel[(triton.cdiv(rows, tiling.rows) * triton.cdiv(cols, tiling.cols),)](
            call.hidden, call.weight, call.bias, call.labels, call.order, call.count, lse, scale, chunk,
            rows, first, cols, vocabulary, width, chunk.stride(0), *call.strides, *constants,
            ROWS=tiling.rows, COLS=tiling.cols, DEPTH=tiling.depth, WHOLE=width % tiling.depth == 0,
            GROUP=tiling.group, SOFTCAP=call.options.softcap is not None, num_warps=tiling.num_warps,
            num_stages=tiling.num_stages,
        )  # fmt: skip
        if out.weight is not None:
            _add_weight_rows(call, chunk, first, cols, unit, out)
        if out.hidden is not None:
            _add_hidden(call, chunk, first, cols, unit, total, out.hidden)


def _add_weight_rows(
    call: LinearCall, chunk: torch.Tensor, first: int, cols: int, unit: torch.Tensor, out: Gradients
) -> None:
    assert out.weight is not None
    tiling = call.product_tiling
    weight_rows = out.weight[first:]
    chunk_weight_kernel[(triton.cdiv(cols, tiling.rows) * triton.cdiv(call.width, tiling.cols),)](
        chunk, call.hidden, call.order, call.count, unit, weight_rows, None if out.bias is None else out.bias[first:],
        cols, call.width, chunk.stride(0), *call.hidden.stride(), *weight_rows.stride(),
        COLS=tiling.rows, DIMS=tiling.cols, DEPTH=tiling.depth, GROUP=tiling.group,
        num_warps=tiling.num_warps, num_stages=tiling.num_stages,
    )  # fmt: skip


def _add_hidden(
    call: LinearCall,
    chunk: torch.Tensor,
    first: int,
    cols: int,
    unit: torch.Tensor,
    total: torch.Tensor | None,
    out: torch.Tensor,
) -> None:
    tiling = call.product_tiling
    weight_rows = call.weight[first:]
    chunk_hidden_kernel[(triton.cdiv(call.rows, tiling.rows) * triton.cdiv(call.width, tiling.cols),)](
        chunk, weight_rows, call.order, call.count, unit, total, out,
        call.rows, cols, call.width, chunk.stride(0), *weight_rows.stride(), *out.stride(),
        ROWS=tiling.rows, DIMS=tiling.cols, DEPTH=tiling.depth, GROUP=tiling.group,
        FIRST=first == 0, LAST=first + cols == call.vocabulary,
        num_warps=tiling.num_warps, num_stages=tiling.num_stages,
    )  # fmt: skip
