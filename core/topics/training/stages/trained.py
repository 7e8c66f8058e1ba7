"""What a stage hands to the next one. Workers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from core.language_model.model import parameter_count


@dataclass(frozen=True)
class Trained:
    """The trained model, in eval mode, and the parameters of every model that the stage held in memory, by role."""

    model: Any
    parameters: Mapping[str, int]


def trained(model: Any, **models: nn.Module) -> Trained:
    return Trained(model.eval(), {role: parameter_count(held) for role, held in models.items()})


def frozen(model: Any) -> Any:
    """The model in eval mode, without gradients: a reference or a reward model. It is not copied."""
    return model.eval().requires_grad_(False)
