"""The loss and its gradients in float64: the reference for all implementations."""

from __future__ import annotations

import torch

from kernels.loss.options import LossOptions


def reference_losses(logits: torch.Tensor, labels: torch.Tensor, options: LossOptions) -> torch.Tensor:
    """The loss of each token, float64 [n], 0 where there is no target. The formula of LossOptions."""
    x, targets = _capped(logits.double(), options), labels != options.ignore_index
    lse = torch.logsumexp(x, 1)
    label_logit = x.gather(1, labels.where(targets, 0)[:, None].long())[:, 0]
    losses = lse - (1 - options.label_smoothing) * label_logit + options.z_loss * lse.square()
    if options.label_smoothing:
        losses = losses - options.label_smoothing * x.mean(1)
    return losses.where(targets, 0)


def reference_logit_gradient(
    logits: torch.Tensor, labels: torch.Tensor, scale: torch.Tensor, options: LossOptions
) -> torch.Tensor:
    """The gradient of sum(scale * losses) for the logits, float64 [n, V]: the chain rule on the same formula."""
    logits, targets = logits.double(), labels != options.ignore_index
    x = _capped(logits, options)
    lse = torch.logsumexp(x, 1, keepdim=True)
    gradient = torch.exp(x - lse) * (1 + 2 * options.z_loss * lse) - options.label_smoothing / x.shape[1]
    one_hot = torch.nn.functional.one_hot(labels.where(targets, 0).long(), x.shape[1])
    gradient = gradient - (1 - options.label_smoothing) * one_hot
    if options.softcap is not None:
        gradient = gradient * (1 - torch.tanh(logits / options.softcap).square())
    return (gradient * scale.double()[:, None]).where(targets[:, None], 0)


def reference_linear_gradients(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    labels: torch.Tensor,
    scale: torch.Tensor,
    options: LossOptions,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same for hidden states, weight and bias of the output layer, in float64."""
    hidden, weight = hidden.double(), weight.double()
    gradient = reference_logit_gradient(reference_logits(hidden, weight, bias), labels, scale, options)
    return gradient @ weight, gradient.T @ hidden, gradient.sum(0)


def reference_logits(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """hidden Wᵀ + bias in float64."""
    logits = hidden.double() @ weight.double().T
    return logits if bias is None else logits + bias.double()


def _capped(logits: torch.Tensor, options: LossOptions) -> torch.Tensor:
    return logits if options.softcap is None else options.softcap * torch.tanh(logits / options.softcap)
