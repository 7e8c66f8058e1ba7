"""One update of the weights, and the check that stops a training whose loss is not a number."""

from __future__ import annotations

import math

import torch
from torch import nn

from core.language_model.adapters import NonFiniteLoss
from core.topics.training.stages.configs import StageConfig


def new_optimizer(config: StageConfig, *models: nn.Module) -> torch.optim.AdamW:
    """AdamW over all weights of the models, without weight decay."""
    weights = [weight for model in models for weight in model.parameters()]
    return torch.optim.AdamW(weights, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)


def update(optimizer: torch.optim.Optimizer, loss: torch.Tensor, config: StageConfig, step: int) -> dict[str, float]:
    """Change the weights against the gradient of the loss, at the step's learning rate.

    Returns the norm of the gradient before it was limited, and the rate. Raises NonFiniteLoss before a NaN or infinite
    loss changes the weights.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise NonFiniteLoss(step, value)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    (group,) = optimizer.param_groups
    norm = nn.utils.clip_grad_norm_(group["params"], config.max_grad_norm)
    group["lr"] = config.rate(step)
    optimizer.step()
    return {"grad_norm": float(norm), "learning_rate": group["lr"]}
