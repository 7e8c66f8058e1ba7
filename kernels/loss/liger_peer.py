"""The same losses by Liger-Kernel itself, as a peer for comparing results, bytes and times."""

from __future__ import annotations

import torch

from kernels.loss.impl import Impl, Reduction, available, missing
from kernels.loss.options import LossOptions


def _require(device: torch.device) -> None:
    # On a CPU, kernels may be intercepted: that they cannot run there is said by the launch.
    unavailable = available(Impl.LIGER, device) if device.type == "cuda" else missing(Impl.LIGER)
    if unavailable is not None:
        raise unavailable


def cross_entropy_liger(
    logits: torch.Tensor, labels: torch.Tensor, options: LossOptions, reduction: Reduction
) -> torch.Tensor:
    """LigerCrossEntropyFunction. If the logits require a gradient, its forward pass writes it in place of them."""
    _require(logits.device)
    from liger_kernel.ops.cross_entropy import LigerCrossEntropyFunction

    loss: torch.Tensor = LigerCrossEntropyFunction.apply(
        logits, labels, None, options.ignore_index, options.z_loss, options.label_smoothing, reduction.value,
        options.softcap,
    )[0]  # fmt: skip
    return loss


def linear_cross_entropy_liger(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    labels: torch.Tensor,
    options: LossOptions,
    reduction: Reduction,
) -> torch.Tensor:
    """LigerFusedLinearCrossEntropyFunction. Chunks of rows; its forward pass computes the gradients."""
    _require(hidden.device)
    from liger_kernel.ops.fused_linear_cross_entropy import LigerFusedLinearCrossEntropyFunction

    loss: torch.Tensor = LigerFusedLinearCrossEntropyFunction.apply(
        hidden, weight, labels, bias, None, options.ignore_index, options.z_loss, options.label_smoothing,
        reduction.value, options.softcap,
    )[0]  # fmt: skip
    return loss
