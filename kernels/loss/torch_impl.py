"""The loss in plain PyTorch operations; autograd differentiates them."""

from __future__ import annotations

import torch

from kernels.loss.options import LossOptions


def losses_torch(logits: torch.Tensor, labels: torch.Tensor, options: LossOptions) -> torch.Tensor:
    """The loss of each token, float32 [n], 0 where there is no target. Logits are converted to float32 first, as the
    loss of transformers does (ForCausalLMLoss)."""
    logits = logits.float()
    if options.softcap is not None:
        logits = options.softcap * torch.tanh(logits / options.softcap)
    losses = torch.nn.functional.cross_entropy(
        logits, labels.long(), ignore_index=options.ignore_index, label_smoothing=options.label_smoothing,
        reduction="none",
    )  # fmt: skip
    if options.z_loss:
        z_losses = options.z_loss * torch.logsumexp(logits, 1).square()
        losses = losses + z_losses.where(labels != options.ignore_index, 0)
    return losses


def linear_losses_torch(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, labels: torch.Tensor, options: LossOptions
) -> torch.Tensor:
    """The same from hidden states, with all logits in memory."""
    return losses_torch(torch.nn.functional.linear(hidden, weight, bias), labels, options)
