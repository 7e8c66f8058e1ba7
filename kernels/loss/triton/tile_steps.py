"""Steps that the kernels share: a tile of logits folded into the online log-sum-exp, and the gradient of a tile."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def capped(logits, softcap, SOFTCAP: tl.constexpr):
    """softcap tanh(logits / softcap), or the logits themselves without SOFTCAP."""
    if SOFTCAP:
        logits = softcap * libdevice.tanh(logits / softcap)
    return logits


@triton.jit
def fold_tile(top, total, label_logit, logit_sum, x, inside, is_label, SMOOTHED: tl.constexpr):
    """Folds the logits x [ROWS, COLS] into the running state of each row, float32 [ROWS]:

    top          the largest logit, -inf before any
    total        the sum of exp(x - top) (Milakov and Gimelshein 2018)
    label_logit  the logit of the label, 0 until it is seen
    logit_sum    the sum of x, only if SMOOTHED
    """
    visible = tl.where(inside, x, float("-inf"))
    new_top = tl.maximum(top, tl.max(visible, 1))
    # A row of nothing but -inf: -inf - -inf is NaN, and any finite base gives exp(-inf) = 0.
    base = tl.where(new_top == float("-inf"), 0.0, new_top)
    total = total * tl.exp(top - base) + tl.sum(tl.exp(visible - base[:, None]), 1)
    label_logit += tl.sum(tl.where(is_label, x, 0.0), 1)
    if SMOOTHED:
        logit_sum += tl.sum(tl.where(inside, x, 0.0), 1)
    return new_top, total, label_logit, logit_sum


@triton.jit
def loss_of(lse, label_logit, logit_sum, label_share, smoothing_share, z_loss, SMOOTHED: tl.constexpr):
    """The loss of LossOptions. label_share is 1 - label_smoothing, smoothing_share is label_smoothing / V."""
    loss = lse - label_share * label_logit + (z_loss * lse) * lse
    if SMOOTHED:
        loss -= smoothing_share * logit_sum
    return loss


@triton.jit
def gradient_tile(
    x, lse, scale, is_label, valid, label_share, smoothing_share, z_loss, softcap,
    SOFTCAP: tl.constexpr,
):  # fmt: skip
    """scale times the derivative of the loss by the logits before `capped`, of which x is a tile; 0 unless valid.

    lse and scale are the rows' values, broadcastable to x, whichever way round the tile is.
    """
    gradient = tl.exp(x - lse) * (1 + 2 * z_loss * lse) - smoothing_share
    gradient = tl.where(is_label, gradient - label_share, gradient)
    if SOFTCAP:
        share = x / softcap
        gradient *= 1 - share * share
    return tl.where(valid, gradient * scale, 0.0)
