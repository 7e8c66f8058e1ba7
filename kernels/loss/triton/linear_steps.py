"""Steps of the kernels that compute logits: which rows a program has, and a tile of hidden Wᵀ + bias."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def rows_at(order_ptr, positions, count):
    """(row, whether it is a target) at each position of the order, in which targets come first. Row 0 where none is."""
    targets = positions < count
    return tl.load(order_ptr + positions, mask=targets, other=0).to(tl.int64), targets


@triton.jit
def load_tile(ptr, outer, inner, in_outer, inner_end, stride_outer, stride_inner, WHOLE: tl.constexpr):
    """A tile [outer, inner] of a matrix, zero out of bounds. WHOLE: `inner` never is, so accesses stay wide."""
    ptrs = ptr + outer.to(tl.int64)[:, None] * stride_outer + inner.to(tl.int64)[None, :] * stride_inner
    if WHOLE:
        tile = tl.load(ptrs, mask=in_outer[:, None], other=0)
    else:
        tile = tl.load(ptrs, mask=in_outer[:, None] & (inner < inner_end)[None, :], other=0)
    return tile


@triton.jit
def add_bias(logits, bias_ptr, cols, vocabulary):
    """Adds the bias to a tile of logits [rows, cols]; None is no bias."""
    if bias_ptr is not None:
        bias = tl.load(bias_ptr + cols, mask=cols < vocabulary, other=0).to(tl.float32)
        logits += bias[None, :]
    return logits


@triton.jit
def logits_tile(
    hidden_ptr, weight_ptr, bias_ptr, rows, targets, cols, width, vocabulary,
    stride_hn, stride_hd, stride_wv, stride_wd,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr, WHOLE: tl.constexpr,
):  # fmt: skip
    """hidden Wᵀ + bias, float32 [ROWS, COLS], in steps of DEPTH."""
    in_cols = cols < vocabulary
    logits = tl.zeros([ROWS, COLS], tl.float32)
    for begin in range(0, width, DEPTH):
        along = begin + tl.arange(0, DEPTH)
        hidden = load_tile(hidden_ptr, rows, along, targets, width, stride_hn, stride_hd, WHOLE)
        weight = load_tile(weight_ptr, cols, along, in_cols, width, stride_wv, stride_wd, WHOLE)
        logits = tl.dot(hidden, tl.trans(weight), logits, input_precision="ieee")
    return add_bias(logits, bias_ptr, cols, vocabulary)
