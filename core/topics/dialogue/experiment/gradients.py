"""The gradients of all turns in one pass against those of one example per turn, per parameter. Workers only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from core.chat.targets import IGNORED
from core.language_model.adapters import trainable_copy
from core.topics.dialogue.examples import Example, per_turn
from core.topics.dialogue.experiment.batches import Rows, one_per_row, packed
from core.topics.dialogue.experiment.training import rows_loss
from core.topics.dialogue.result import Equality

Gradients = Mapping[str, torch.Tensor]


def equality(model: Any, examples: Sequence[Example], capacity: int) -> Equality:
    """Compare the gradients over these conversations, whose targets are all assistant turns.

    Weights match where every target counts alike, whichever example it is in: the loss is the sum over all targets,
    divided by their number.
    """
    parts = [part for example in examples for part in per_turn(example)]
    whole_rows, part_rows = one_per_row(examples), one_per_row(parts)
    packed_rows, _ = packed(examples, capacity)
    single, double = trainable_copy(model), exact(model)
    whole = gradients(double, whole_rows, sum_over_targets)
    comparisons = {
        "float32": _differences(
            gradients(single, whole_rows, sum_over_targets), gradients(single, part_rows, sum_over_targets)
        ),
        "float64": _differences(whole, gradients(double, part_rows, sum_over_targets)),
        "unmatched": _differences(whole, gradients(double, part_rows, mean_of_examples)),
        "packed": _differences(whole, gradients(double, packed_rows, sum_over_targets)),
    }
    return Equality(
        names=tuple(whole),
        **comparisons,
        conversations=len(examples),
        turns=len(parts),
        targets=whole_rows.targets,
        one_pass_tokens=whole_rows.tokens,
        per_turn_tokens=part_rows.tokens,
    )


def sum_over_targets(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean over all targets: weights matched."""
    return rows_loss(logits, labels)


def mean_of_examples(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean over examples of the mean over each one's targets: what a batch of one example per step averages to."""
    losses = rows_loss(logits, labels, reduction="none").view(labels.shape[0], -1)
    counts = (labels[:, 1:] != IGNORED).sum(dim=1)
    return (losses.sum(dim=1) / counts).mean()


def gradients(model: Any, rows: Rows, loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Gradients:
    model.zero_grad(set_to_none=True)
    loss = loss_of(model(**rows.inputs(), use_cache=False).logits, rows.labels)
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: weight.grad.double() for name, weight in model.named_parameters() if weight.grad is not None}


def exact(model: Any) -> Any:
    """A copy in float64 throughout. transformers' norms compute in float32 whatever their input is, so they are
    replaced by the same formula."""
    copied = trainable_copy(model).double()
    for name, module in list(copied.named_modules()):
        if type(module).__name__.endswith("RMSNorm"):
            parent = copied.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], _Norm(module.weight, module.variance_epsilon))
    return copied


class _Norm(nn.Module):
    """Root mean square norm in the dtype of its input."""

    def __init__(self, weight: nn.Parameter, epsilon: float) -> None:
        super().__init__()
        self.weight = weight
        self._epsilon = epsilon

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.weight * hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + self._epsilon)


def _differences(ours: Gradients, theirs: Gradients) -> np.ndarray:
    """The norm of each parameter's difference as a share of its norm, float64 [parameters]."""
    return np.array(
        [
            float((gradient - theirs[name]).norm() / gradient.norm().clamp(min=torch.finfo(torch.float64).tiny))
            for name, gradient in ours.items()
        ]
    )
