"""The operators that PyTorch runs for the plain loss, with one Triton kernel each. Traced to show what fusion saves.

linear, log_softmax, nll_loss, and their backward operators, with logits and log-probabilities in the dtype of the
inputs. On a GPU, PyTorch's products come from cuBLAS with other tiles, and its log_softmax reads long rows three times
instead of twice. What every operator has to read and write once is the same.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from kernels.launching import device_target, launching
from kernels.loss.tiling import choose_product_tiling, choose_row_tiling
from kernels.loss.triton.linear_steps import load_tile
from kernels.loss.triton.tile_steps import fold_tile
from kernels.tile_order import tile_of_program

_ROWS = 256


@triton.jit
def product_kernel(
    a_ptr, b_ptr, out_ptr, rows_total, cols_total, depth, stride_am, stride_ak, stride_bk, stride_bn,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """One tile of a [rows_total, depth] times b [depth, cols_total] per program. Grid (tiles,). out is contiguous."""
    row_tile, col_tile = tile_of_program(rows_total, cols_total, ROWS, COLS, GROUP)
    rows, cols = row_tile * ROWS + tl.arange(0, ROWS), col_tile * COLS + tl.arange(0, COLS)
    in_rows, in_cols = rows < rows_total, cols < cols_total
    total = tl.zeros([ROWS, COLS], tl.float32)
    for begin in range(0, depth, DEPTH):
        along = begin + tl.arange(0, DEPTH)
        a = load_tile(a_ptr, rows, along, in_rows, depth, stride_am, stride_ak, False)
        b = load_tile(b_ptr, along, cols, along < depth, cols_total, stride_bk, stride_bn, False)
        total = tl.dot(a, b, total, input_precision="ieee")
    out_ptrs = out_ptr + rows.to(tl.int64)[:, None] * cols_total + cols[None, :]
    tl.store(out_ptrs, total.to(out_ptr.dtype.element_ty), mask=in_rows[:, None] & in_cols[None, :])


@triton.jit
def log_softmax_kernel(logits_ptr, out_ptr, vocabulary, stride_n, stride_v, COLS: tl.constexpr):
    """logits - lse, one row per program, in two passes. Grid (rows,). out is contiguous."""
    row = tl.program_id(0).to(tl.int64)
    top, total = tl.full([1], float("-inf"), tl.float32), tl.zeros([1], tl.float32)
    for begin in range(0, vocabulary, COLS):
        cols = begin + tl.arange(0, COLS)
        inside = (cols < vocabulary)[None, :]
        x = tl.load(logits_ptr + row * stride_n + cols.to(tl.int64)[None, :] * stride_v, mask=inside, other=0)
        top, total, _, _ = fold_tile(top, total, total, total, x.to(tl.float32), inside, inside, False)
    lse = top + tl.log(total)
    for begin in range(0, vocabulary, COLS):
        cols = begin + tl.arange(0, COLS)
        inside = (cols < vocabulary)[None, :]
        x = tl.load(logits_ptr + row * stride_n + cols.to(tl.int64)[None, :] * stride_v, mask=inside, other=0)
        out = (x.to(tl.float32) - lse[:, None]).to(out_ptr.dtype.element_ty)
        tl.store(out_ptr + row * vocabulary + cols[None, :], out, mask=inside)


@triton.jit
def nll_kernel(log_probs_ptr, labels_ptr, losses_ptr, rows_total, vocabulary, ignore_index, ROWS: tl.constexpr):
    """Minus the log-probability of the label, float32 [rows_total]. Grid (row tiles,)."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    labels = tl.load(labels_ptr + rows, mask=rows < rows_total, other=ignore_index)
    targets = labels != ignore_index
    log_prob = tl.load(log_probs_ptr + rows.to(tl.int64) * vocabulary + labels, mask=targets, other=0)
    tl.store(losses_ptr + rows, -log_prob.to(tl.float32), mask=rows < rows_total)


@triton.jit
def nll_backward_kernel(labels_ptr, scale_ptr, out_ptr, vocabulary, ignore_index, COLS: tl.constexpr):
    """-scale at the label and zeros elsewhere. Grid (rows, column tiles)."""
    row = tl.program_id(0).to(tl.int64)
    label, scale = tl.load(labels_ptr + row), tl.load(scale_ptr + row)
    cols = tl.program_id(1) * COLS + tl.arange(0, COLS)
    out = tl.where((cols == label) & (label != ignore_index), -scale, 0.0)
    tl.store(out_ptr + row * vocabulary + cols, out.to(out_ptr.dtype.element_ty), mask=cols < vocabulary)


@triton.jit
def log_softmax_backward_kernel(gradient_ptr, log_probs_ptr, out_ptr, vocabulary, COLS: tl.constexpr):
    """gradient - exp(log_probs) sum(gradient), one row per program, in two passes. Grid (rows,)."""
    row_start = tl.program_id(0).to(tl.int64) * vocabulary
    total = 0.0
    for begin in range(0, vocabulary, COLS):
        cols = begin + tl.arange(0, COLS)
        gradient = tl.load(gradient_ptr + row_start + cols, mask=cols < vocabulary, other=0)
        total += tl.sum(gradient.to(tl.float32), 0)
    for begin in range(0, vocabulary, COLS):
        cols = begin + tl.arange(0, COLS)
        gradient = tl.load(gradient_ptr + row_start + cols, mask=cols < vocabulary, other=0).to(tl.float32)
        log_probs = tl.load(log_probs_ptr + row_start + cols, mask=cols < vocabulary, other=0).to(tl.float32)
        out = (gradient - tl.exp(log_probs) * total).to(out_ptr.dtype.element_ty)
        tl.store(out_ptr + row_start + cols, out, mask=cols < vocabulary)


def unfused_losses(logits: torch.Tensor, labels: torch.Tensor, ignore_index: int) -> torch.Tensor:
    """The plain loss of each token, float32 [n]; differentiable in the logits."""
    losses: torch.Tensor = _Losses.apply(logits, labels, ignore_index)  # type: ignore[no-untyped-call]
    return losses


def unfused_linear_losses(
    hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, ignore_index: int
) -> torch.Tensor:
    """The same from hidden states; differentiable in hidden and weight."""
    return unfused_losses(_Linear.apply(hidden, weight), labels, ignore_index)  # type: ignore[no-untyped-call]


class _Losses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor, ignore_index: int) -> torch.Tensor:
        rows, vocabulary = logits.shape
        log_probs = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
        log_softmax_kernel[(rows,)](logits, log_probs, vocabulary, *logits.stride(), **_row_settings(logits))
        losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
        nll_kernel[(triton.cdiv(rows, _ROWS),)](
            log_probs, labels, losses, rows, vocabulary, ignore_index, ROWS=_ROWS, num_warps=4
        )
        ctx.save_for_backward(log_probs, labels)
        ctx.ignore_index = ignore_index
        return losses

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, scale: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        log_probs, labels = ctx.saved_tensors
        rows, vocabulary = log_probs.shape
        gradient, out = torch.empty_like(log_probs), torch.empty_like(log_probs)
        settings = _row_settings(log_probs)
        with launching(log_probs.device):
            nll_backward_kernel[(rows, triton.cdiv(vocabulary, settings["COLS"]))](
                labels, scale.contiguous(), gradient, vocabulary, ctx.ignore_index, **settings
            )
            log_softmax_backward_kernel[(rows,)](gradient, log_probs, out, vocabulary, **settings)
        return out, None, None


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(hidden, weight)
        return _product(hidden, weight.T)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, weight = ctx.saved_tensors
        with launching(hidden.device):
            return (
                _product(gradient, weight) if ctx.needs_input_grad[0] else None,
                _product(gradient.T, hidden) if ctx.needs_input_grad[1] else None,
            )


def _row_settings(logits: torch.Tensor) -> dict[str, int]:
    tiling = choose_row_tiling(vocabulary=logits.shape[1], element_bytes=logits.element_size())
    return {"COLS": tiling.cols, "num_warps": tiling.num_warps}


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    tiling = choose_product_tiling(element_bytes=a.element_size(), target=device_target(a.device))
    out = torch.empty(a.shape[0], b.shape[1], dtype=a.dtype, device=a.device)
    product_kernel[(triton.cdiv(out.shape[0], tiling.rows) * triton.cdiv(out.shape[1], tiling.cols),)](
        a, b, out, *out.shape, a.shape[1], *a.stride(), *b.stride(),
        ROWS=tiling.rows, COLS=tiling.cols, DEPTH=tiling.depth, GROUP=tiling.group,
        num_warps=tiling.num_warps, num_stages=tiling.num_stages,
    )  # fmt: skip
    return out
