"""Assigns each parameter of a real model to a place of the diagram."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.topics.fine_tuning.methods import MethodId
from core.topics.fine_tuning.trained_modules import IN_LAYER, NO_LAYER, Place, place_id

_LAYER = re.compile(r"\.(?:layers|h|blocks)\.(\d+)\.(.+)")
_KINDS = {
    **{kind: kind for kind in IN_LAYER},
    "input_layernorm": "attention_norm",
    "ln_1": "attention_norm",
    "q_norm": "attention_norm",
    "k_norm": "attention_norm",
    "post_attention_layernorm": "mlp_norm",
    "ln_2": "mlp_norm",
    "c_attn": "qkv_proj",
    "qkv_proj": "qkv_proj",
    "query_key_value": "qkv_proj",
    "dense": "o_proj",
    "out_proj": "o_proj",
    "attn.c_proj": "o_proj",
    "gate_up_proj": "up_proj",
    "c_fc": "up_proj",
    "fc1": "up_proj",
    "fc_in": "up_proj",
    "dense_h_to_4h": "up_proj",
    "mlp.c_proj": "down_proj",
    "fc2": "down_proj",
    "fc_out": "down_proj",
    "dense_4h_to_h": "down_proj",
}
_OTHER = "other"
_ORDER = (*IN_LAYER[:2], "qkv_proj", *IN_LAYER[2:], _OTHER)


@dataclass(frozen=True)
class ParameterPart:
    """A parameter, or its part that belongs to one layer: part `index` of `parts` along `dim`."""

    place: str
    parameter: nn.Parameter
    dim: int = 0
    index: int = 0
    parts: int = 1

    def of(self, values: torch.Tensor) -> torch.Tensor:
        """The same part of a tensor with the parameter's shape, such as its gradient."""
        return values if self.parts == 1 else values.chunk(self.parts, self.dim)[self.index]


def places_of_model(model: Any) -> tuple[Place, ...]:
    """The places of a transformers model, including those that only a method fills. Each parameter counts once."""
    counts: dict[tuple[int, str], int] = {}
    for name, weight in model.named_parameters():
        location = _location(model, name, weight)
        counts[location] = counts.get(location, 0) + weight.numel()
    before = [(NO_LAYER, kind) for kind in ("prefix_encoder", "prompt", "embedding")]
    inside = [
        (layer, kind)
        for layer in range(model.config.num_hidden_layers)
        for kind in _ORDER
        if kind == "prefix" or (layer, kind) in counts
    ]
    after = [
        (NO_LAYER, kind) for kind in ("final_norm", "head", _OTHER) if kind != _OTHER or (NO_LAYER, kind) in counts
    ]
    return tuple(
        Place(index, place_id(*location), *location, counts.get(location, 0))
        for index, location in enumerate([*before, *inside, *after])
    )


def parameter_parts(model: Any, method: MethodId, named: Iterable[tuple[str, nn.Parameter]]) -> list[ParameterPart]:
    """The parameters. One that holds or produces the prefix vectors of all layers is split by layer."""
    parts = []
    for name, weight in named:
        if "prompt_encoder." in name:
            parts += _encoder_parts(model, method, name, weight)
        else:
            parts.append(ParameterPart(place_id(*_location(base_of(model), name, weight)), weight))
    return parts


def base_of(model: Any) -> Any:
    """The transformers model inside a PEFT model, or the model itself if it is not a PEFT model."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _encoder_parts(model: Any, method: MethodId, name: str, weight: nn.Parameter) -> list[ParameterPart]:
    if method is MethodId.PROMPT_TUNING:
        return [ParameterPart("prompt", weight)]
    # peft's columns are the keys and values of the first layer, then those of the second layer, and so on.
    by_column, by_row = method is MethodId.P_TUNING_V2, ".transform.2." in name
    if not (by_column or by_row):
        return [ParameterPart("prefix_encoder", weight)]
    layers = model.active_peft_config.num_layers
    return [ParameterPart(place_id(layer, "prefix"), weight, int(by_column), layer, layers) for layer in range(layers)]


def _location(base: Any, name: str, weight: nn.Parameter) -> tuple[int, str]:
    """(layer, kind) of a parameter of the model or of its adapter."""
    inside = _LAYER.search(f".{name}")
    if inside is not None:
        return int(inside.group(1)), _kind(inside.group(2))
    head, embedding = base.get_output_embeddings(), base.get_input_embeddings()
    if weight is embedding.weight:
        return NO_LAYER, "embedding"
    if head is not None and any(weight is parameter for parameter in head.parameters()):
        return NO_LAYER, "head"
    if "norm" in name or "ln_f" in name:
        return NO_LAYER, "final_norm"
    return NO_LAYER, "embedding" if "wpe" in name or "embed" in name else _OTHER


def _kind(name: str) -> str:
    parts = name.split(".")
    for index, part in enumerate(parts):
        two = f"{parts[index - 1]}.{part}" if index else part
        if kind := _KINDS.get(two) or _KINDS.get(part):
            return kind
    return _OTHER
