"""Trains a copy of the small model on rows, step by step. Workers only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from core.chat.targets import IGNORED
from core.language_model.adapters import NonFiniteLoss, trainable_copy
from core.topics.dialogue.experiment.batches import Rows
from core.topics.dialogue.experiment.evaluation import Evaluation
from core.topics.dialogue.result import Curve

MAX_GRAD_NORM = 1.0


@dataclass
class CurveLog:
    """A curve as it grows."""

    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    evaluations: list[tuple[int, Evaluation]] = field(default_factory=list)

    def add(self, loss: float, accuracy: float, norm: float, rows: Rows) -> None:
        self.losses.append(loss)
        self.accuracies.append(accuracy)
        self.norms.append(norm)
        self.tokens.append((self.tokens[-1] if self.tokens else 0) + rows.tokens)
        self.targets.append((self.targets[-1] if self.targets else 0) + rows.targets)

    @property
    def curve(self) -> Curve:
        return Curve(
            loss=np.array(self.losses, dtype=np.float32),
            mean_token_accuracy=np.array(self.accuracies, dtype=np.float32),
            grad_norm=np.array(self.norms, dtype=np.float32),
            num_tokens=np.array(self.tokens, dtype=np.int64),
            num_targets=np.array(self.targets, dtype=np.int64),
            eval_step=np.array([step for step, _ in self.evaluations], dtype=np.int64),
            eval_loss=np.array([found.loss for _, found in self.evaluations], dtype=np.float32),
            eval_correct=np.array([found.correct for _, found in self.evaluations], dtype=np.float32),
        )


def rows_loss(logits: torch.Tensor, labels: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """Cross-entropy of the targets in nats: logits at a position predict the label of the next."""
    return cross_entropy(
        logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED, reduction=reduction
    )


def token_accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of the targets that are the likeliest token."""
    expected = labels[:, 1:]
    hits = (logits[:, :-1].argmax(dim=-1) == expected)[expected != IGNORED]
    return float(hits.float().mean())


def rate(step: int, steps: int, peak: float) -> float:
    """The learning rate of a step, from 1: it rises over the first tenth of the steps and then falls to a tenth."""
    warm_up = max(1, steps // 10)
    if step <= warm_up:
        return peak * step / warm_up
    return peak * (1 - 0.9 * (step - warm_up) / max(1, steps - warm_up))


@dataclass
class Training:
    """One training of `steps` steps. `batch(step)` gives the rows of a step, from 1; `evaluate(model)` is called before
    the first step, every `eval_every` steps and at the end."""

    start: Any
    steps: int
    learning_rate: float
    batch: Callable[[int], Rows]
    evaluate: Callable[[Any], Evaluation]
    eval_every: int
    model: Any = None
    log: CurveLog = field(default_factory=CurveLog)

    @property
    def is_finished(self) -> bool:
        return len(self.log.losses) == self.steps

    def run(self) -> Iterator[int]:
        """Train, and yield each step once it is done. Raises NonFiniteLoss before a NaN or infinite loss changes the
        weights."""
        self.model = trainable_copy(self.start)
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self.learning_rate, betas=(0.9, 0.98), weight_decay=0.0
        )
        (group,) = optimizer.param_groups
        self.log.evaluations.append((0, self.evaluate(self.model)))
        self.model.train()
        for step in range(1, self.steps + 1):
            rows = self.batch(step)
            logits = self.model(**rows.inputs(), use_cache=False).logits
            loss = rows_loss(logits, rows.labels)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise NonFiniteLoss(step, value)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRAD_NORM))
            group["lr"] = rate(step, self.steps, self.learning_rate)
            optimizer.step()
            self.log.add(value, token_accuracy(logits.detach(), rows.labels), norm, rows)
            if step % self.eval_every == 0 or step == self.steps:
                self.log.evaluations.append((step, self.evaluate(self.model)))
            yield step
        self.model.eval()
