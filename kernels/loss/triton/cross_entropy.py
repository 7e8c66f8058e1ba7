"""Cross-entropy over logits in memory: the loss in one pass, the gradient in another, or both in one launch.

A program walks through the vocabulary in chunks with an online log-sum-exp, so the vocabulary may have any size. Logits
are read where they are, never copied; rows without a target are not read. PyTorch makes six passes over [n, V] tensors:
log_softmax reads and writes one, its backward reads two and writes one, and nll_loss's backward writes one.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.loss.options import LossOptions
from kernels.loss.tiling import choose_row_tiling
from kernels.loss.triton.tile_steps import capped, fold_tile, gradient_tile, loss_of


@triton.jit
def row_losses(
    logits_ptr, rows, targets, labels, vocabulary, stride_n, stride_v,
    label_share, smoothing_share, z_loss, softcap,
    ROWS: tl.constexpr, COLS: tl.constexpr, SMOOTHED: tl.constexpr, SOFTCAP: tl.constexpr,
):  # fmt: skip
    """(loss, lse), float32 [ROWS] each. Rows that are no targets are not read: they have loss 0 and lse -inf."""
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total, label_logit = tl.zeros([ROWS], tl.float32), tl.zeros([ROWS], tl.float32)
    logit_sum = tl.zeros([ROWS], tl.float32)
    row_ptrs = logits_ptr + rows.to(tl.int64)[:, None] * stride_n
    end = tl.where(tl.max(targets.to(tl.int32), 0) > 0, vocabulary, 0)
    for begin in range(0, end, COLS):
        cols = begin + tl.arange(0, COLS)
        inside = targets[:, None] & (cols < vocabulary)[None, :]
        x = tl.load(row_ptrs + cols.to(tl.int64)[None, :] * stride_v, mask=inside, other=float("-inf"))
        x = capped(x.to(tl.float32), softcap, SOFTCAP)
        is_label = inside & (cols[None, :] == labels[:, None])
        top, total, label_logit, logit_sum = fold_tile(
            top, total, label_logit, logit_sum, x, inside, is_label, SMOOTHED
        )
    lse = top + tl.log(total)
    loss = loss_of(lse, label_logit, logit_sum, label_share, smoothing_share, z_loss, SMOOTHED)
    return tl.where(targets, loss, 0.0), lse


@triton.jit
def gradient_columns(
    logits_ptr, gradient_ptr, rows, in_rows, targets, labels, lse, scale, begin, vocabulary,
    stride_n, stride_v, stride_gn, stride_gv, label_share, smoothing_share, z_loss, softcap,
    COLS: tl.constexpr, SOFTCAP: tl.constexpr,
):  # fmt: skip
    """Writes COLS columns of the gradient. It may stand where the logits stand: each element is read, then written."""
    cols = begin + tl.arange(0, COLS)
    in_cols = (cols < vocabulary)[None, :]
    valid = targets[:, None] & in_cols
    rows_64, cols_64 = rows.to(tl.int64)[:, None], cols.to(tl.int64)[None, :]
    x = tl.load(logits_ptr + rows_64 * stride_n + cols_64 * stride_v, mask=valid, other=0)
    x = capped(x.to(tl.float32), softcap, SOFTCAP)
    gradient = gradient_tile(
        x, lse[:, None], scale[:, None], cols[None, :] == labels[:, None], valid, label_share, smoothing_share, z_loss,
        softcap, SOFTCAP,
    )  # fmt: skip
    gradient_ptrs = gradient_ptr + rows_64 * stride_gn + cols_64 * stride_gv
    tl.store(gradient_ptrs, gradient.to(gradient_ptr.dtype.element_ty), mask=in_rows[:, None] & in_cols)


@triton.jit
def loss_kernel(
    logits_ptr, labels_ptr, losses_ptr, lse_ptr, rows_total, vocabulary, stride_n, stride_v,
    ignore_index, label_share, smoothing_share, z_loss, softcap,
    ROWS: tl.constexpr, COLS: tl.constexpr, SMOOTHED: tl.constexpr, SOFTCAP: tl.constexpr,
):  # fmt: skip
    """Loss and log-sum-exp of ROWS rows per program, float32 [rows_total] each. Grid (row tiles,)."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    in_rows = rows < rows_total
    labels = tl.load(labels_ptr + rows, mask=in_rows, other=ignore_index)
    loss, lse = row_losses(
        logits_ptr, rows, labels != ignore_index, labels.to(tl.int32), vocabulary, stride_n, stride_v,
        label_share, smoothing_share, z_loss, softcap, ROWS, COLS, SMOOTHED, SOFTCAP,
    )  # fmt: skip
    tl.store(losses_ptr + rows, loss, mask=in_rows)
    tl.store(lse_ptr + rows, lse, mask=in_rows)


@triton.jit
def gradient_kernel(
    logits_ptr, labels_ptr, lse_ptr, scale_ptr, gradient_ptr, rows_total, vocabulary,
    stride_n, stride_v, stride_gn, stride_gv, ignore_index, label_share, smoothing_share, z_loss, softcap,
    ROWS: tl.constexpr, COLS: tl.constexpr, SOFTCAP: tl.constexpr,
):  # fmt: skip
    """ROWS rows and COLS columns of scale times the derivative of the loss per program. Grid (row tiles, column
    tiles)."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    in_rows = rows < rows_total
    labels = tl.load(labels_ptr + rows, mask=in_rows, other=ignore_index)
    lse = tl.load(lse_ptr + rows, mask=in_rows, other=0)
    scale = tl.load(scale_ptr + rows, mask=in_rows, other=0)
    gradient_columns(
        logits_ptr, gradient_ptr, rows, in_rows, labels != ignore_index, labels.to(tl.int32), lse, scale,
        tl.program_id(1) * COLS, vocabulary, stride_n, stride_v, stride_gn, stride_gv,
        label_share, smoothing_share, z_loss, softcap, COLS, SOFTCAP,
    )  # fmt: skip


@triton.jit
def loss_and_gradient_kernel(
    logits_ptr, labels_ptr, scale_ptr, losses_ptr, gradient_ptr, rows_total, vocabulary,
    stride_n, stride_v, stride_gn, stride_gv, ignore_index, label_share, smoothing_share, z_loss, softcap,
    ROWS: tl.constexpr, COLS: tl.constexpr, SMOOTHED: tl.constexpr, SOFTCAP: tl.constexpr,
):  # fmt: skip
    """Both for ROWS rows per program, which reads its rows twice: from a cache the second time. Grid (row tiles,)."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    in_rows = rows < rows_total
    labels = tl.load(labels_ptr + rows, mask=in_rows, other=ignore_index)
    scale = tl.load(scale_ptr + rows, mask=in_rows, other=0)
    targets = labels != ignore_index
    labels = labels.to(tl.int32)
    loss, lse = row_losses(
        logits_ptr, rows, targets, labels, vocabulary, stride_n, stride_v,
        label_share, smoothing_share, z_loss, softcap, ROWS, COLS, SMOOTHED, SOFTCAP,
    )  # fmt: skip
    tl.store(losses_ptr + rows, loss, mask=in_rows)
    for begin in range(0, vocabulary, COLS):
        gradient_columns(
            logits_ptr, gradient_ptr, rows, in_rows, targets, labels, lse, scale, begin, vocabulary,
            stride_n, stride_v, stride_gn, stride_gv, label_share, smoothing_share, z_loss, softcap, COLS, SOFTCAP,
        )  # fmt: skip


def losses_triton(
    logits: torch.Tensor, labels: torch.Tensor, options: LossOptions
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of each row, 0 without a target, and its log-sum-exp: float32 [n] each."""
    rows, vocabulary = logits.shape
    losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
    lse = torch.empty_like(losses)
    tiling = choose_row_tiling(vocabulary=vocabulary, element_bytes=logits.element_size())
    loss_kernel[(triton.cdiv(rows, tiling.rows),)](
        logits, labels, losses, lse, rows, vocabulary, *logits.stride(), *options.constants(vocabulary),
        ROWS=tiling.rows, COLS=tiling.cols, SMOOTHED=options.smoothed, SOFTCAP=options.softcap is not None,
        num_warps=tiling.num_warps,
    )  # fmt: skip
    return losses, lse


def logit_gradient_triton(
    logits: torch.Tensor,
    labels: torch.Tensor,
    lse: torch.Tensor,
    scale: torch.Tensor,
    out: torch.Tensor,
    options: LossOptions,
) -> None:
    """Writes the gradient of sum(scale * losses), scale float32 [n], to `out`, which may be the logits themselves."""
    rows, vocabulary = logits.shape
    tiling = choose_row_tiling(vocabulary=vocabulary, element_bytes=logits.element_size())
    gradient_kernel[(triton.cdiv(rows, tiling.rows), triton.cdiv(vocabulary, tiling.cols))](
        logits, labels, lse, scale, out, rows, vocabulary, *logits.stride(), *out.stride(),
        *options.constants(vocabulary),
        ROWS=tiling.rows, COLS=tiling.cols, SOFTCAP=options.softcap is not None, num_warps=tiling.num_warps,
    )  # fmt: skip


def losses_with_gradient_triton(
    logits: torch.Tensor, labels: torch.Tensor, scale: torch.Tensor, out: torch.Tensor, options: LossOptions
) -> torch.Tensor:
    """The losses, float32 [n]; the gradient of sum(scale * losses) goes to `out`, as in `logit_gradient_triton`."""
    rows, vocabulary = logits.shape
    losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
    tiling = choose_row_tiling(vocabulary=vocabulary, element_bytes=logits.element_size())
    loss_and_gradient_kernel[(triton.cdiv(rows, tiling.rows),)](
        logits, labels, scale, losses, out, rows, vocabulary, *logits.stride(), *out.stride(),
        *options.constants(vocabulary),
        ROWS=tiling.rows, COLS=tiling.cols, SMOOTHED=options.smoothed, SOFTCAP=options.softcap is not None,
        num_warps=tiling.num_warps,
    )  # fmt: skip
    return losses
