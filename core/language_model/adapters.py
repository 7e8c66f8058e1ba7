"""Training a model, or adapters that peft puts on a copy of it, step by step. Workers only.

What the pages on fine-tuning share. peft is imported (with transformers) inside the functions that need it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.contracts.errors import InvalidParams, RunFailed
from core.language_model.data import Batch, batch_loss
from core.language_model.libraries import import_peft, silent_transformers
from core.language_model.model import linear_names
from core.language_model.target_modules import ALL, check_target_modules, is_named
from core.language_model.torch_state import seeded


class LossNotANumber(RunFailed):
    """The loss of a step was NaN or infinite. `step` counts from 1; the weights are those before it."""

    def __init__(self, step: int, loss: float) -> None:
        value = "NaN" if math.isnan(loss) else "infinite"
        super().__init__(
            f"The loss of step {step} is {value}, so the training stopped there: a smaller learning rate would do."
        )
        self.step = step
        self.loss = loss

    def __reduce__(self) -> tuple[type[LossNotANumber], tuple[int, float]]:
        return (LossNotANumber, (self.step, self.loss))


@dataclass(frozen=True)
class Step:
    """A step that was taken. `step` counts from 1; `loss` is that of its batch before it, in nats per learned token."""

    step: int
    loss: float


def target_modules(model: Any, text: str, field: str | None = "target_modules") -> list[str]:
    """The names that peft's `target_modules` takes for what the user typed: 'all', or names with commas between.

    A name is the end of the full name of a linear layer inside the blocks, such as 'q_proj', 'mlp.down_proj' or
    'layers.0.self_attn.q_proj'; 'all' gives each last part once, in order. Raises InvalidParams, listing those that
    exist, for a name that no linear layer has, and for none at all.
    """
    full = linear_names(model)
    kinds = list(dict.fromkeys(name.rsplit(".", 1)[-1] for name in full))
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not kinds:
        raise InvalidParams("This model has no linear layers that an adapter could be put on.", field)
    if ALL in names:
        return kinds
    check_target_modules(names, full, field)
    return names


def adapted_layers(model: Any, targets: Iterable[str]) -> list[str]:
    """Full names of the linear layers that `target_modules` names, in the model's order."""
    targets = list(targets)
    return [name for name in linear_names(model) if any(is_named(name, target) for target in targets)]


def copied(model: Any) -> Any:
    """The model again, with weights of its own, all of them trainable and without gradients."""
    twin = copy.deepcopy(model)
    for weight in twin.parameters():
        weight.requires_grad_(True)
        weight.grad = None
    return twin


def with_adapter(model: Any, config: Any, seed: int) -> Any:
    """A peft model on a copy of `model`, in training mode; what peft draws follows from `seed` alone."""
    twin = copied(model)
    import_peft()
    with silent_transformers(), seeded(seed):
        from peft import get_peft_model

        return get_peft_model(twin, config).train()


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that an optimizer is given."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def train_steps(
    model: Any,
    batches: Iterator[Batch],
    optimizer: torch.optim.Optimizer,
    steps: int,
    *,
    loss_of: Callable[[Any, Batch], torch.Tensor] = batch_loss,
    after_backward: Callable[[int], None] | None = None,
    after_step: Callable[[int], None] | None = None,
) -> Iterator[Step]:
    """`steps` steps of the optimizer, each yielded when it was taken; between two of them other models may be trained.

    `after_backward(step)` is called with the gradients there, `after_step(step)` with the gradients still there and the
    weights changed (where peft wants AdaLoRA's `update_and_allocate`). Batches are moved to where the model is. Raises
    LossNotANumber before a loss that is NaN or infinite is learned from.
    """
    device = next(model.parameters()).device
    for step in range(1, steps + 1):
        loss = loss_of(model, next(batches).to(device))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise LossNotANumber(step, value)
        loss.backward()  # type: ignore[no-untyped-call]
        if after_backward is not None:
            after_backward(step)
        optimizer.step()
        if after_step is not None:
            after_step(step)
        optimizer.zero_grad()
        yield Step(step, value)
