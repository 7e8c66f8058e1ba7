"""Cross-entropy on a device, from logits or from hidden states, each with its gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from core.families.axes import Case
from core.families.running.problem import DTYPES, Outputs, Problem, Run, generator, normal
from core.families.running.torch_compiled import torch_compiled
from kernels.loss import api
from kernels.loss.api import Backward, Impl, LossOptions, Reduction, cross_entropy_with_gradient
from kernels.loss.reference import (
    reference_linear_gradients,
    reference_logit_gradient,
    reference_logits,
    reference_losses,
)
from kernels.loss.rows import token_scale
from kernels.loss.tiling import MAX_ON_CHIP_WIDTH

CHECKED_ROWS = 256
"""Rows of each gradient that are checked; the loss is checked whole."""

_OPTIONS = LossOptions()
_LOGIT_SIZE = 2.0
"""The standard deviation of the logits: about that of a trained model's."""


def cross_entropy(case: Case, seed: int, device: torch.device) -> Problem:
    """Outputs are the loss and the first rows of the gradient of the logits."""
    numbers, dtype = generator(seed, device), DTYPES[str(case["dtype"])]
    labels = _labels(case, numbers)
    logits = normal((int(case["tokens"]), int(case["vocabulary"])), numbers, dtype, _LOGIT_SIZE)
    leaf = logits.detach().requires_grad_()

    def by(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Outputs:
        return _with_gradients(partial(loss, leaf, labels), (leaf,))

    def in_one_launch() -> Outputs:
        return cross_entropy_with_gradient(logits, labels)

    def by_liger() -> Outputs:
        return by(lambda leaf, labels: api.cross_entropy(leaf.clone(), labels, in_place=True, impl=Impl.LIGER))

    return Problem(
        runs={
            "triton": partial(by, api.cross_entropy),
            "triton-one-launch": in_one_launch,
            "triton-unfused": partial(by, partial(api.cross_entropy, impl=Impl.TRITON_UNFUSED)),
            "torch": partial(by, _torch_loss),
            "torch-float32": partial(by, _torch_float32_loss),
            "torch-compile": lambda: by(torch_compiled(_torch_float32_loss, device)),
            "liger": by_liger,
        },
        exact=partial(_exact, _Given(logits, labels)),
        plain=lambda: _first_rows(by(_torch_loss)),
        part=_first_rows,
        partly_traced=frozenset({"liger"}),
    )


def linear_cross_entropy(case: Case, seed: int, device: torch.device) -> Problem:
    """Outputs are the loss and the first rows of the gradients of hidden states and weight."""
    numbers, dtype = generator(seed, device), DTYPES[str(case["dtype"])]
    tokens, vocabulary, width = int(case["tokens"]), int(case["vocabulary"]), int(case["width"])
    labels = _labels(case, numbers)
    hidden = normal((tokens, width), numbers, dtype).requires_grad_()
    weight = normal((vocabulary, width), numbers, dtype, _LOGIT_SIZE * width**-0.5).requires_grad_()

    def by(loss: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]) -> Outputs:
        return _with_gradients(partial(loss, hidden, weight, labels), (hidden, weight))

    runs: dict[str, Run] = {
        "triton": partial(by, api.linear_cross_entropy),
        "triton-chunked": partial(by, partial(api.linear_cross_entropy, backward=Backward.CHUNKED)),
        "triton-unfused": partial(by, partial(api.linear_cross_entropy, impl=Impl.TRITON_UNFUSED)),
        "torch": partial(by, _torch_linear_loss),
        "torch-float32": partial(by, _torch_float32_linear_loss),
        "torch-compile": lambda: by(torch_compiled(_torch_float32_linear_loss, device)),
        "liger": partial(by, partial(api.linear_cross_entropy, impl=Impl.LIGER)),
    }
    if width <= MAX_ON_CHIP_WIDTH[hidden.element_size()]:
        runs["triton-on-chip"] = partial(by, partial(api.linear_cross_entropy, backward=Backward.ON_CHIP))
    return Problem(
        runs=runs,
        exact=partial(_exact, _Given(hidden.detach(), labels, weight.detach())),
        plain=lambda: _first_rows(by(_torch_linear_loss)),
        part=_first_rows,
        partly_traced=frozenset({"liger"}),
    )


@dataclass(frozen=True)
class _Given:
    """Logits [n, V], or hidden states [n, width] with the weight [V, width] of the output layer."""

    first: torch.Tensor
    labels: torch.Tensor
    weight: torch.Tensor | None = None


def _labels(case: Case, numbers: torch.Generator) -> torch.Tensor:
    """[tokens] entries of the vocabulary, and `ignore_index` for the last tokens of the wanted share."""
    tokens, device = int(case["tokens"]), numbers.device
    labels = torch.randint(int(case["vocabulary"]), (tokens,), generator=numbers, device=device)
    ignored = min(tokens - 1, tokens * int(case["ignored"]) // 100)
    order = torch.randperm(tokens, generator=numbers, device=device)
    labels[order[:ignored]] = _OPTIONS.ignore_index
    return labels


def _with_gradients(loss_of: Callable[[], torch.Tensor], leaves: tuple[torch.Tensor, ...]) -> Outputs:
    with torch.enable_grad():
        loss = loss_of()
        return (loss.detach(), *torch.autograd.grad(loss, leaves))


def _first_rows(outputs: Outputs) -> Outputs:
    loss, *gradients = outputs
    return (loss, *(gradient[:CHECKED_ROWS] for gradient in gradients))


def _torch_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits, labels)


def _torch_float32_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """As the loss of transformers does it (ForCausalLMLoss)."""
    return _torch_loss(logits.float(), labels)


def _torch_linear_loss(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return _torch_loss(torch.nn.functional.linear(hidden, weight), labels)


def _torch_float32_linear_loss(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return _torch_float32_loss(torch.nn.functional.linear(hidden, weight), labels)


def _exact(given: _Given) -> Outputs:
    """In float64: the loss and the first rows of the gradients, with as few logits at a time as that takes."""
    scale = token_scale(given.labels, None, _OPTIONS.ignore_index, Reduction.MEAN)
    loss = torch.zeros((), dtype=torch.float64, device=given.first.device)
    first_rows: torch.Tensor | None = None
    of_weight: torch.Tensor | None = None
    for begin in range(0, len(given.labels), CHECKED_ROWS):
        rows = slice(begin, begin + CHECKED_ROWS)
        part = _Given(given.first[rows], given.labels[rows], given.weight)
        loss += _loss(part, scale[rows])
        if begin == 0 or given.weight is not None:
            gradients = _gradients(part, scale[rows])
            first_rows = gradients[0] if first_rows is None else first_rows
            if len(gradients) > 1:
                of_weight = gradients[1] if of_weight is None else of_weight + gradients[1]
    assert first_rows is not None
    return (loss, first_rows) if of_weight is None else (loss, first_rows, of_weight)


def _loss(given: _Given, scale: torch.Tensor) -> torch.Tensor:
    logits = given.first if given.weight is None else reference_logits(given.first, given.weight, None)
    return (reference_losses(logits, given.labels, _OPTIONS) * scale.double()).sum()


def _gradients(given: _Given, scale: torch.Tensor) -> Outputs:
    """Of the logits, or of the hidden states and the first rows of the weight."""
    if given.weight is None:
        return (reference_logit_gradient(given.first, given.labels, scale, _OPTIONS),)
    hidden, weight, _ = reference_linear_gradients(given.first, given.weight, None, given.labels, scale, _OPTIONS)
    return hidden, weight[:CHECKED_ROWS].clone()
