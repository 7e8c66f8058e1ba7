"""Which rows are targets, and how much each counts."""

from __future__ import annotations

import torch

from kernels.loss.impl import Reduction


def effective_labels(labels: torch.Tensor, token_weights: torch.Tensor | None, ignore_index: int) -> torch.Tensor:
    """The labels, with `ignore_index` also where the token weighs nothing: such a row is not computed."""
    return labels if token_weights is None else labels.where(token_weights != 0, ignore_index)


def token_scale(
    labels: torch.Tensor, token_weights: torch.Tensor | None, ignore_index: int, reduction: Reduction
) -> torch.Tensor:
    """How much the loss of each token counts, float32 [n]: the loss of the batch is sum(scale * losses).

    Without any target MEAN and TOKEN_WEIGHTED divide by 0, so the loss is NaN as in PyTorch.
    """
    targets = labels != ignore_index
    weights = targets.float() if token_weights is None else token_weights.detach().float().where(targets, 0)
    if reduction is Reduction.MEAN:
        return weights / targets.sum()
    return weights / weights.sum() if reduction is Reduction.TOKEN_WEIGHTED else weights


def targets_first(labels: torch.Tensor, ignore_index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows, those that are targets first and each group in order, int32 [n]; and how many are targets, int32 [1].

    Stays on the device: nothing waits for the count.
    """
    targets = labels != ignore_index
    order = torch.argsort(targets.to(torch.uint8), descending=True, stable=True).to(torch.int32)
    return order, targets.sum(dtype=torch.int32).reshape(1)
