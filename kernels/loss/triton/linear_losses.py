"""The losses straight from hidden states and weight: tiles of logits live on chip only.

A program computes tiles of hidden Wᵀ and folds them into an online log-sum-exp, as cut cross-entropy does (Wijmans et
al. 2024, Cut Your Losses in Large-Vocabulary Language Models, Algorithm 2). Several programs may share the vocabulary;
a second kernel merges what they found. Rows without a target are not computed: the rows are visited in an order that
puts targets first, and the programs of the others stop at once.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.loss.linear import LinearCall
from kernels.loss.tiling import choose_splits
from kernels.loss.triton.linear_steps import add_bias, load_tile, logits_tile, rows_at
from kernels.loss.triton.tile_steps import capped, fold_tile, loss_of
from kernels.targets import power_of_two

_MERGED_ROWS = 256


@triton.jit
def linear_loss_kernel(
    hidden_ptr, weight_ptr, bias_ptr, labels_ptr, order_ptr, count_ptr, lse_parts_ptr, sum_parts_ptr, label_logit_ptr,
    rows_total, vocabulary, width, tiles_per_split, softcap, stride_hn, stride_hd, stride_wv, stride_wd,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr, WHOLE: tl.constexpr, ON_CHIP: tl.constexpr,
    SMOOTHED: tl.constexpr, SOFTCAP: tl.constexpr,
):  # fmt: skip
    """The log-sum-exp and sum of one part of the logits of ROWS rows per program. Grid (row tiles, splits).

    lse_parts and sum_parts (only if SMOOTHED) are float32 [splits, rows_total], label_logit is float32 [rows_total],
    all by position in the order. With ON_CHIP, DEPTH holds whole rows, which are read once.
    """
    count = tl.load(count_ptr)
    if tl.program_id(0) * ROWS >= count:
        return
    positions = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    rows, targets = rows_at(order_ptr, positions, count)
    labels = tl.load(labels_ptr + rows, mask=targets, other=-1).to(tl.int32)
    along = tl.arange(0, DEPTH)
    if ON_CHIP:
        hidden = load_tile(hidden_ptr, rows, along, targets, width, stride_hn, stride_hd, WHOLE)
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total, label_logit = tl.zeros([ROWS], tl.float32), tl.zeros([ROWS], tl.float32)
    logit_sum = tl.zeros([ROWS], tl.float32)
    first = tl.program_id(1) * tiles_per_split * COLS
    end = tl.minimum(first + tiles_per_split * COLS, vocabulary)
    for begin in range(first, end, COLS):
        cols = begin + tl.arange(0, COLS)
        if ON_CHIP:
            weight = load_tile(weight_ptr, cols, along, cols < vocabulary, width, stride_wv, stride_wd, WHOLE)
            x = add_bias(tl.dot(hidden, tl.trans(weight), input_precision="ieee"), bias_ptr, cols, vocabulary)
        else:
            x = logits_tile(
                hidden_ptr, weight_ptr, bias_ptr, rows, targets, cols, width, vocabulary,
                stride_hn, stride_hd, stride_wv, stride_wd, ROWS, COLS, DEPTH, WHOLE,
            )  # fmt: skip
        x = capped(x, softcap, SOFTCAP)
        is_label = cols[None, :] == labels[:, None]
        top, total, label_logit, logit_sum = fold_tile(
            top, total, label_logit, logit_sum, x, (cols < vocabulary)[None, :], is_label, SMOOTHED
        )
    part = tl.program_id(1).to(tl.int64) * rows_total + positions
    tl.store(lse_parts_ptr + part, top + tl.log(total), mask=targets)
    if SMOOTHED:
        tl.store(sum_parts_ptr + part, logit_sum, mask=targets)
    # The label of a row is in one part, and that program writes its logit.
    tl.store(label_logit_ptr + positions, label_logit, mask=targets & (labels >= first) & (labels < end))


@triton.jit
def merge_losses_kernel(
    lse_parts_ptr, sum_parts_ptr, label_logit_ptr, order_ptr, count_ptr, losses_ptr, lse_ptr,
    rows_total, splits, label_share, smoothing_share, z_loss,
    ROWS: tl.constexpr, SPLITS: tl.constexpr, SMOOTHED: tl.constexpr,
):  # fmt: skip
    """Loss and log-sum-exp of ROWS rows per program, float32 [rows_total] each. Grid (row tiles,).

    Losses are by row, 0 without a target; log-sum-exps are by position in the order, for targets only.
    """
    positions = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    in_rows = positions < rows_total
    targets = positions < tl.load(count_ptr)
    rows = tl.load(order_ptr + positions, mask=in_rows, other=0)
    parts = tl.arange(0, SPLITS)
    offsets = parts.to(tl.int64)[:, None] * rows_total + positions[None, :]
    inside = (parts < splits)[:, None] & targets[None, :]
    lse_parts = tl.load(lse_parts_ptr + offsets, mask=inside, other=float("-inf"))
    top = tl.max(lse_parts, 0)
    base = tl.where(top == float("-inf"), 0.0, top)
    lse = top + tl.log(tl.sum(tl.exp(lse_parts - base[None, :]), 0))
    logit_sum = tl.zeros([ROWS], tl.float32)
    if SMOOTHED:
        logit_sum = tl.sum(tl.load(sum_parts_ptr + offsets, mask=inside, other=0), 0)
    label_logit = tl.load(label_logit_ptr + positions, mask=targets, other=0)
    loss = loss_of(lse, label_logit, logit_sum, label_share, smoothing_share, z_loss, SMOOTHED)
    tl.store(losses_ptr + rows, tl.where(targets, loss, 0.0), mask=in_rows)
    tl.store(lse_ptr + positions, lse, mask=targets)


def linear_losses_triton(call: LinearCall) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of each row, float32 [n], and the log-sum-exps by position in the order, float32 [n]."""
    rows, vocabulary, options, tiling = call.rows, call.vocabulary, call.options, call.tiling
    row_tiles, col_tiles = triton.cdiv(rows, tiling.rows), triton.cdiv(vocabulary, tiling.cols)
    splits, tiles_per_split = choose_splits(row_tiles=row_tiles, col_tiles=col_tiles, sm_count=call.sm_count)
    losses, lse, label_logit, lse_parts, sum_parts = (
        torch.empty(shape, dtype=torch.float32, device=call.hidden.device)
        for shape in ((rows,), (rows,), (rows,), (splits, rows), (splits if options.smoothed else 0, rows))
    )
    _, label_share, smoothing_share, z_loss, softcap = options.constants(vocabulary)
    linear_loss_kernel[(row_tiles, splits)](
        call.hidden, call.weight, call.bias, call.labels, call.order, call.count, lse_parts, sum_parts, label_logit,
        rows, vocabulary, call.width, tiles_per_split, softcap, *call.strides,
        ROWS=tiling.rows, COLS=tiling.cols, DEPTH=tiling.depth, WHOLE=call.width % tiling.depth == 0,
        ON_CHIP=call.on_chip, SMOOTHED=options.smoothed, SOFTCAP=options.softcap is not None,
        num_warps=tiling.num_warps, num_stages=tiling.num_stages,
    )  # fmt: skip
    merge_losses_kernel[(triton.cdiv(rows, _MERGED_ROWS),)](
        lse_parts, sum_parts, label_logit, call.order, call.count, losses, lse,
        rows, splits, label_share, smoothing_share, z_loss,
        ROWS=_MERGED_ROWS, SPLITS=power_of_two(splits), SMOOTHED=options.smoothed, num_warps=4,
    )  # fmt: skip
    return losses, lse
