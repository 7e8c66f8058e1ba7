"""The gradients of the linear cross-entropy with no logit leaving the chip, for hidden states of which whole rows fit.

As in the backward pass of FlashAttention-2 (Dao 2023), there is one kernel per gradient. Each holds its own rows and
its part of the gradient on chip, walks through the other matrix, and computes each tile of logits again. Nothing is
added up in memory by several programs, so the bits are always the same.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.loss.linear import Gradients, LinearCall
from kernels.loss.tiling import LinearTiling, choose_splits
from kernels.loss.triton.linear_steps import add_bias, load_tile, rows_at
from kernels.loss.triton.tile_steps import capped, gradient_tile

_MERGED_ELEMENTS = 2048


@triton.jit
def hidden_parts_kernel(
    hidden_ptr, weight_ptr, bias_ptr, labels_ptr, order_ptr, count_ptr, lse_ptr, scale_ptr, parts_ptr,
    rows_total, vocabulary, width, tiles_per_split, stride_hn, stride_hd, stride_wv, stride_wd,
    label_share, smoothing_share, z_loss, softcap,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr, WHOLE: tl.constexpr, SOFTCAP: tl.constexpr,
):  # fmt: skip
    """The gradient of ROWS hidden states from one part of the vocabulary per program. Grid (row tiles, splits).

    parts is float32 [splits, rows_total, width], by position in the order.
    """
    count = tl.load(count_ptr)
    if tl.program_id(0) * ROWS >= count:
        return
    positions = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    rows, targets = rows_at(order_ptr, positions, count)
    labels = tl.load(labels_ptr + rows, mask=targets, other=-1).to(tl.int32)
    lse = tl.load(lse_ptr + positions, mask=targets, other=0)
    scale = tl.load(scale_ptr + rows, mask=targets, other=0)
    along = tl.arange(0, DEPTH)
    hidden = load_tile(hidden_ptr, rows, along, targets, width, stride_hn, stride_hd, WHOLE)
    total = tl.zeros([ROWS, DEPTH], tl.float32)
    first = tl.program_id(1) * tiles_per_split * COLS
    end = tl.minimum(first + tiles_per_split * COLS, vocabulary)
    for begin in range(first, end, COLS):
        cols = begin + tl.arange(0, COLS)
        weight = load_tile(weight_ptr, cols, along, cols < vocabulary, width, stride_wv, stride_wd, WHOLE)
        x = add_bias(tl.dot(hidden, tl.trans(weight), input_precision="ieee"), bias_ptr, cols, vocabulary)
        gradient = gradient_tile(
            capped(x, softcap, SOFTCAP), lse[:, None], scale[:, None], cols[None, :] == labels[:, None],
            targets[:, None] & (cols < vocabulary)[None, :], label_share, smoothing_share, z_loss, softcap, SOFTCAP,
        )  # fmt: skip
        total = tl.dot(gradient.to(weight.dtype), weight, total, input_precision="ieee")
    part = tl.program_id(1).to(tl.int64) * rows_total + positions
    inside = targets[:, None] & (along < width)[None, :]
    tl.store(parts_ptr + part[:, None] * width + along[None, :], total, mask=inside)


@triton.jit
def merge_hidden_kernel(
    parts_ptr, order_ptr, count_ptr, unit_ptr, out_ptr, rows_total, width, splits, stride_on, stride_od,
    ROWS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """unit times the sum of the parts, for ROWS rows per program; zeros for rows without a target. Grid (row
    tiles,)."""
    positions = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    in_rows, targets = positions < rows_total, positions < tl.load(count_ptr)
    rows = tl.load(order_ptr + positions, mask=in_rows, other=0).to(tl.int64)
    along = tl.arange(0, DEPTH)
    in_width = (along < width)[None, :]
    total = tl.zeros([ROWS, DEPTH], tl.float32)
    for part in range(splits):
        offsets = (part * rows_total + positions).to(tl.int64)[:, None] * width + along[None, :]
        total += tl.load(parts_ptr + offsets, mask=targets[:, None] & in_width, other=0)
    out_ptrs = out_ptr + rows[:, None] * stride_on + along.to(tl.int64)[None, :] * stride_od
    tl.store(out_ptrs, (total * tl.load(unit_ptr)).to(out_ptr.dtype.element_ty), mask=in_rows[:, None] & in_width)


@triton.jit
def weight_gradient_kernel(
    hidden_ptr, weight_ptr, bias_ptr, labels_ptr, order_ptr, count_ptr, lse_ptr, scale_ptr, unit_ptr,
    out_ptr, bias_out_ptr, vocabulary, width, stride_hn, stride_hd, stride_wv, stride_wd, stride_ov, stride_od,
    label_share, smoothing_share, z_loss, softcap,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr, WHOLE: tl.constexpr, SOFTCAP: tl.constexpr,
):  # fmt: skip
    """The gradient of COLS rows of the weight, and of their bias unless it is None, per program. Grid (column tiles,).

    Tiles of logits are [COLS, ROWS] here, so that their gradient is the left operand of the product.
    """
    cols = tl.program_id(0) * COLS + tl.arange(0, COLS)
    in_cols = cols < vocabulary
    along = tl.arange(0, DEPTH)
    weight = load_tile(weight_ptr, cols, along, in_cols, width, stride_wv, stride_wd, WHOLE)
    total = tl.zeros([COLS, DEPTH], tl.float32)
    bias_total = tl.zeros([COLS], tl.float32)
    if bias_ptr is not None:
        bias = tl.load(bias_ptr + cols, mask=in_cols, other=0).to(tl.float32)
    count = tl.load(count_ptr)
    for begin in range(0, count, ROWS):
        positions = begin + tl.arange(0, ROWS)
        rows, targets = rows_at(order_ptr, positions, count)
        labels = tl.load(labels_ptr + rows, mask=targets, other=-1).to(tl.int32)
        lse = tl.load(lse_ptr + positions, mask=targets, other=0)
        scale = tl.load(scale_ptr + rows, mask=targets, other=0)
        hidden = load_tile(hidden_ptr, rows, along, targets, width, stride_hn, stride_hd, WHOLE)
        x = tl.dot(weight, tl.trans(hidden), input_precision="ieee")
        if bias_ptr is not None:
            x += bias[:, None]
        gradient = gradient_tile(
            capped(x, softcap, SOFTCAP), lse[None, :], scale[None, :], cols[:, None] == labels[None, :],
            in_cols[:, None] & targets[None, :], label_share, smoothing_share, z_loss, softcap, SOFTCAP,
        )  # fmt: skip
        total = tl.dot(gradient.to(hidden.dtype), hidden, total, input_precision="ieee")
        if bias_out_ptr is not None:
            bias_total += tl.sum(gradient, 1)
    unit = tl.load(unit_ptr)
    out_ptrs = out_ptr + cols.to(tl.int64)[:, None] * stride_ov + along.to(tl.int64)[None, :] * stride_od
    tl.store(out_ptrs, (total * unit).to(out_ptr.dtype.element_ty), mask=in_cols[:, None] & (along < width)[None, :])
    if bias_out_ptr is not None:
        tl.store(bias_out_ptr + cols, (bias_total * unit).to(bias_out_ptr.dtype.element_ty), mask=in_cols)


def on_chip_gradients(
    call: LinearCall, lse: torch.Tensor, scale: torch.Tensor, unit: torch.Tensor, out: Gradients
) -> None:
    """Writes the requested gradients of unit * sum(scale * losses): float32 [n] and [1]. `lse` is by position."""
    inputs = (call.hidden, call.weight, call.bias, call.labels, call.order, call.count, lse, scale)
    constants = call.options.constants(call.vocabulary)[1:]
    if out.hidden is not None:
        _write_hidden(call, inputs, constants, unit, out.hidden)
    if out.weight is not None:
        tiling = call.weight_tiling
        weight_gradient_kernel[(triton.cdiv(call.vocabulary, tiling.cols),)](
            *inputs, unit, out.weight, out.bias, call.vocabulary, call.width, *call.strides, *out.weight.stride(),
            *constants, **_settings(call, tiling),
        )  # fmt: skip


def _write_hidden(
    call: LinearCall,
    inputs: tuple[torch.Tensor | None, ...],
    constants: tuple[float, ...],
    unit: torch.Tensor,
    out: torch.Tensor,
) -> None:
    tiling = call.tiling
    row_tiles, col_tiles = triton.cdiv(call.rows, tiling.rows), triton.cdiv(call.vocabulary, tiling.cols)
    splits, tiles_per_split = choose_splits(row_tiles=row_tiles, col_tiles=col_tiles, sm_count=call.sm_count)
    parts = torch.empty(splits, *call.hidden.shape, dtype=torch.float32, device=call.hidden.device)
    hidden_parts_kernel[(row_tiles, splits)](
        *inputs, parts, call.rows, call.vocabulary, call.width, tiles_per_split, *call.strides, *constants,
        **_settings(call, tiling),
    )  # fmt: skip
    merged_rows = max(1, _MERGED_ELEMENTS // tiling.depth)
    merge_hidden_kernel[(triton.cdiv(call.rows, merged_rows),)](
        parts, call.order, call.count, unit, out, call.rows, call.width, splits, *out.stride(),
        ROWS=merged_rows, DEPTH=tiling.depth, num_warps=4,
    )  # fmt: skip


def _settings(call: LinearCall, tiling: LinearTiling) -> dict[str, int | bool]:
    return {
        "ROWS": tiling.rows,
        "COLS": tiling.cols,
        "DEPTH": tiling.depth,
        "WHOLE": call.width == tiling.depth,
        "SOFTCAP": call.options.softcap is not None,
        "num_warps": tiling.num_warps,
        "num_stages": tiling.num_stages,
    }
