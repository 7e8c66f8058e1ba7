"""A short training of a converted model, which the GQA paper calls uptraining (section 2.1, with 5% of the steps)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.language_model.adapters import train_steps
from core.language_model.data import Batch
from core.language_model.pretrain import rate_factor

_CLIP_NORM = 1.0


@dataclass(frozen=True)
class Tuning:
    """`steps` steps of AdamW on all weights, with warm-up and cosine decay from `learning_rate`.

    0 steps tune nothing.
    """

    steps: int = 40
    learning_rate: float = 1e-3


def tune(
    model: Any, batches: Iterator[torch.Tensor], tuning: Tuning, progress: ProgressCallback
) -> NDArray[np.float32]:
    """Train all weights of `model` in place on token ids [batch, length + 1]. Returns the loss of each batch before its
    step, float32 [steps], in nats per token.

    `progress` is called at every step and may raise to stop. Raises NonFiniteLoss, which names the step.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=tuning.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, tuning.steps))

    def clip(step: int) -> None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP_NORM)

    steps = train_steps(
        model,
        (_batch(tokens) for tokens in batches),
        optimizer,
        tuning.steps,
        after_backward=clip,
        after_step=lambda step: schedule.step(),
    )
    losses: list[float] = []
    model.train()
    for step in steps:
        losses.append(step.loss)
        progress(step.step, tuning.steps, tr("tuning: loss {loss:.2f}", loss=step.loss))
    model.eval()
    return np.array(losses, dtype=np.float32)


def _batch(tokens: torch.Tensor) -> Batch:
    """Every token except the first is predicted."""
    return Batch(tokens, torch.ones_like(tokens), tokens)
