"""How good a model's answers are in each turn of held-out conversations. Workers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from core.chat.targets import IGNORED
from core.language_model.torch_state import evaluating
from core.topics.dialogue.examples import Example
from core.topics.dialogue.experiment.batches import one_per_row

_AT_ONCE = 48


@dataclass(frozen=True)
class Evaluation:
    """`loss` in nats per target. `correct`, float64 [turns], is the share of conversations whose answer in that turn is
    right to its last token."""

    loss: float
    correct: np.ndarray


def evaluate(model: Any, examples: Sequence[Example], turns: int) -> Evaluation:
    """Read each conversation once.

    An answer is right if every one of its tokens is the likeliest after the true ones before it. Greedy generation from
    the true history gives exactly these tokens, so this is its exact match without generating anything.
    """
    loss, targets = 0.0, 0
    right = np.zeros(turns)
    asked = np.zeros(turns)
    with evaluating(model):
        for first in range(0, len(examples), _AT_ONCE):
            rows = one_per_row(examples[first : first + _AT_ONCE])
            logits = model(**rows.inputs(), use_cache=False).logits[:, :-1]
            labels, turn = rows.labels[:, 1:], rows.turns[:, 1:]
            loss += float(cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"))
            targets += rows.targets
            hit = logits.argmax(dim=-1) == labels
            for number in range(turns):
                own = turn == number
                has = own.any(dim=1)
                right[number] += float(((hit | ~own).all(dim=1) & has).sum())
                asked[number] += float(has.sum())
    with np.errstate(invalid="ignore"):
        return Evaluation(loss / targets if targets else float("nan"), right / asked)


def logits_of(model: Any, rows: Any) -> torch.Tensor:
    """What the model says of the token after each one: [batch, length, vocabulary]."""
    with evaluating(model):
        logits: torch.Tensor = model(**rows.inputs(), use_cache=False).logits
    return logits


def target_losses(logits: torch.Tensor, rows: Any) -> torch.Tensor:
    """The loss of each token given those that it sees before it, in nats: float32 [batch, length], 0 for the first
    token of a row and where there is no target."""
    losses = cross_entropy(
        logits[:, :-1].transpose(1, 2).float(), rows.labels[:, 1:], ignore_index=IGNORED, reduction="none"
    )
    return torch.nn.functional.pad(losses, (1, 0))
