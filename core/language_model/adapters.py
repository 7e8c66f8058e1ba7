"""Training a model, or PEFT adapters on a copy of it, step by step. Workers only.

Shared by the fine-tuning topics. Functions import peft and transformers when they need them.
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
from core.contracts.text import Text, sentences, tr
from core.language_model.data import Batch, batch_loss
from core.language_model.dtypes import FLOAT16, FLOAT32
from core.language_model.libraries import import_peft, silent_transformers
from core.language_model.model import linear_names, parameter_count
from core.language_model.target_modules import ALL, check_target_modules, matches_target, named
from core.language_model.torch_state import seeded


class NonFiniteLoss(RunFailed):
    """The loss of a step was NaN or infinite. `step` counts from 1. The weights are those from before the step.

    `damaged` is the name of a weight that was NaN or infinite already, '' if there is none.
    """

    def __init__(self, step: int, loss: float, dtype: str = FLOAT32, damaged: str = "") -> None:
        text = (
            tr("The loss of step {step} is NaN, so training stopped: use a smaller learning rate.", step=step)
            if math.isnan(loss)
            else tr("The loss of step {step} is infinite, so training stopped: use a smaller learning rate.", step=step)
        )
        super().__init__(sentences(text, _float16_cause(damaged)) if dtype == FLOAT16 else text)
        self.step, self.loss, self.dtype, self.damaged = step, loss, dtype, damaged

    def __reduce__(self) -> tuple[type[NonFiniteLoss], tuple[int, float, str, str]]:
        return (NonFiniteLoss, (self.step, self.loss, self.dtype, self.damaged))


def _float16_cause(damaged: str) -> Text:
    if damaged:
        return tr(
            "In float16 the update before it left {weight} NaN or infinite: AdamW's squared gradients and its eps of "
            "1e-8 become 0 below 6e-8, and it divides by them. Load the weights in bfloat16 or float32.",
            weight=damaged,
        )
    return tr(
        "The weights are finite, so numbers in between exceeded 65,504, the largest of float16. Load the weights in "
        "bfloat16 or float32."
    )


@dataclass(frozen=True)
class Step:
    """One completed step. `step` counts from 1. `loss` is the loss of its batch before the update, in nats per token
    that carries a loss."""

    step: int
    loss: float


def target_modules(model: Any, text: str, field: str | None = "target_modules") -> list[str]:
    """peft's `target_modules` for the text that the user typed: 'all', or names separated by commas.

    A name is the end of the full name of a linear layer, such as 'q_proj', 'mlp.down_proj', 'layers.0.self_attn.q_proj'
    or 'lm_head'. 'all' gives those inside the blocks: the last part of every name once, in order. Raises InvalidParams,
    which lists the existing names, if a name matches no linear layer or no name is given.
    """
    kinds = list(dict.fromkeys(name.rsplit(".", 1)[-1] for name in linear_names(model)))
    names = named(text)
    if not kinds:
        raise InvalidParams(
            tr("This model has no linear layers inside its blocks, so no adapter fits: use another model."), field
        )
    if ALL in names:
        return kinds
    experts = fused_experts(model)
    total = parameter_count(model)
    shares = {name: weight.numel() / total for name, weight in experts.items()}
    check_target_modules(names, _adaptable_names(model), field, experts=shares)
    return names


def adapted_layers(model: Any, targets: Iterable[str]) -> list[str]:
    """Full names of the linear layers that `target_modules` names, in the model's order."""
    targets = list(targets)
    return [name for name in _adaptable_names(model) if any(matches_target(name, target) for target in targets)]


def head_name(model: Any) -> str:
    """The full name of the output head, '' if it is no linear layer."""
    head = model.get_output_embeddings()
    return next((name for name, module in model.named_modules() if module is head and isinstance(head, nn.Linear)), "")


def is_tied(model: Any) -> bool:
    """Whether the output head shares its weights with the embedding."""
    head = model.get_output_embeddings()
    return head is not None and head.weight is model.get_input_embeddings().weight


def fused_experts(model: Any) -> dict[str, nn.Parameter]:
    """The 3-D parameters, by full name: the weights of all experts of a layer in one tensor. No linear layer holds
    them."""
    linear = set(linear_names(model))
    return {
        name: weight
        for name, weight in model.named_parameters()
        if weight.ndim == 3 and name.rpartition(".")[0] not in linear and "conv" not in name.lower()
    }


def _adaptable_names(model: Any) -> list[str]:
    """The linear layers inside the blocks, then the output head."""
    return [*linear_names(model), *filter(None, [head_name(model)])]


def trainable_copy(model: Any) -> Any:
    """A deep copy of the model. All its weights are trainable and have no gradients."""
    duplicate = copy.deepcopy(model)
    for weight in duplicate.parameters():
        weight.requires_grad_(True)
        weight.grad = None
    return duplicate


def with_adapter(model: Any, config: Any, seed: int) -> Any:
    """A PEFT model on a copy of `model`, in training mode. `seed` alone determines peft's random initialization."""
    base = trainable_copy(model)
    import_peft()
    with silent_transformers(), seeded(seed):
        from peft import get_peft_model

        return get_peft_model(base, config).train()


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that an optimizer updates."""
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
    """Run `steps` optimizer steps and yield each one after it is done, so that a caller can interleave several models.

    `after_backward(step)` is called once the gradients exist. `after_step(step)` is called once the weights have
    changed and before the gradients are cleared: the place where AdaLoRA's `update_and_allocate` belongs. Batches are
    moved to the model's device. Raises NonFiniteLoss before a NaN or infinite loss changes the weights.
    """
    first = next(model.parameters())
    device, dtype = first.device, first.dtype
    for step in range(1, steps + 1):
        loss = loss_of(model, next(batches).to(device))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NonFiniteLoss(step, value, str(dtype).removeprefix("torch."), _damaged_weight(model))
        loss.backward()  # type: ignore[no-untyped-call]
        if after_backward is not None:
            after_backward(step)
        optimizer.step()
        if after_step is not None:
            after_step(step)
        optimizer.zero_grad()
        yield Step(step, value)


def _damaged_weight(model: nn.Module) -> str:
    """The name of the first weight with NaN or infinite elements, '' if all are finite."""
    return next((name for name, weight in model.named_parameters() if not torch.isfinite(weight).all()), "")
