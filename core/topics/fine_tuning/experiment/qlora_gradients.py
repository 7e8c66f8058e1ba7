"""QLoRA's evidence: which gradients go through weights in 4 bits, and which stay out of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from core.contracts.result import Row
from core.language_model.data import Batch, batch_loss
from core.topics.fine_tuning.experiment.four_bits import four_bit_layers, restored_weight
from core.topics.fine_tuning.methods import MethodId


def gradient_rows(model: Any, batch: Batch) -> list[Row]:
    """The table 'gradients_through' from one backward pass of the trained model, whose gradients are cleared."""
    model.zero_grad()
    batch_loss(model, batch).backward()  # type: ignore[no-untyped-call]
    layers = four_bit_layers(model)
    in_order = [weight for name, weight in model.named_parameters() if weight.requires_grad]
    first = [weight for name, weight in model.named_parameters() if weight.requires_grad and ".0." in name]
    rows = [
        _row("adapters", (weight.grad for weight in in_order)),
        _row("adapters of the first layer", (weight.grad for weight in first)),
        _row("frozen 4-bit weights", (layer.weight.grad for layer in layers)),  # type: ignore[misc]
        _through_a_layer(layers[0]),
    ]
    model.zero_grad()
    return rows


def _through_a_layer(layer: nn.Module) -> Row:
    """The gradient that a layer hands to its input, against dy W with W restored from its codes."""
    weight = restored_weight(layer)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, weight.shape[1], generator=generator).to(weight.device).requires_grad_()
    dy = torch.randn(4, weight.shape[0], generator=generator).to(weight.device)
    layer(x).backward(dy)
    row = _row("input of a 4-bit layer", [x.grad])
    assert x.grad is not None
    row["max_abs_difference"] = float((x.grad - dy @ weight).abs().max())
    return row


def _row(what: str, gradients: Iterable[torch.Tensor | None]) -> Row:
    every = list(gradients)
    norms = [float(gradient.norm()) for gradient in every if gradient is not None]
    return {
        "method": MethodId.QLORA.value,
        "what": what,
        "tensors": len(every),
        "with_gradient": sum(norm > 0 for norm in norms),
        "norm": float(torch.tensor(norms, dtype=torch.float64).norm()) if norms else 0.0,
        "max_abs_difference": None,
    }
