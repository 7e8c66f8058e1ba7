"""The attention layers of a model from transformers, with separate Q, K and V projections that heads can share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from core.contracts.errors import InvalidParams
from core.contracts.text import tr

_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class AttentionLayers:
    """Names of the attention modules, in order, and their sizes, which are the same in all layers."""

    names: tuple[str, ...]
    heads: int
    kv_heads: int
    head_dim: int

    @property
    def queries_per_kv_head(self) -> int:
        return self.heads // self.kv_heads

    def modules(self, model: Any) -> list[Any]:
        return [model.get_submodule(name) for name in self.names]

    def kv_parameters(self, model: Any) -> int:
        """Parameters of all K and V projections."""
        return sum(
            weight.numel()
            for module in self.modules(model)
            for projection in (module.k_proj, module.v_proj)
            for weight in projection.parameters()
        )


def attention_layers(model: Any, field: str | None = "model") -> AttentionLayers:
    """The attention layers of a model whose K and V projections can be pooled.

    Raises InvalidParams for `field` if the model has fused or missing K and V projections, if transformers does not let
    its heads share keys and values, if it has only one KV head already, or if it keeps weights per head besides the
    projections.
    """
    config = model.config.get_text_config()
    kind = str(getattr(config, "model_type", type(model).__name__))
    found = {
        name: module
        for name, module in model.named_modules()
        if all(isinstance(getattr(module, part, None), nn.Linear) for part in _PROJECTIONS)
    }
    if len(found) != config.num_hidden_layers:
        raise InvalidParams(
            tr(
                "The {kind} model has separate linear layers q_proj, k_proj, v_proj and o_proj in {found} of its "
                "{layers} layers, so its heads cannot be pooled: use a model with them in every layer, such as a "
                "Llama.",
                kind=kind,
                found=len(found),
                layers=int(config.num_hidden_layers),
            ),
            field,
        )
    sizes = {_sizes(module) for module in found.values()}
    shared = getattr(config, "num_key_value_heads", None)
    if shared is None or any(size is None for size in sizes):
        raise InvalidParams(
            tr(
                "transformers gives every query head of a {kind} model its own K and V, so the converted model could "
                "not run: use a model with num_key_value_heads in its config.json, such as a Llama.",
                kind=kind,
            ),
            field,
        )
    size = sizes.pop()
    assert size is not None
    heads, kv_heads, head_dim = size
    if sizes or kv_heads != shared:
        raise InvalidParams(
            tr(
                "The layers of the {kind} model differ in their number of heads, so they cannot be converted alike: "
                "use a model whose layers are the same.",
                kind=kind,
            ),
            field,
        )
    if kv_heads == 1:
        raise InvalidParams(
            tr(
                "The {kind} model already has one KV head (MQA), so there is nothing to pool: use a model with more "
                "KV heads.",
                kind=kind,
            ),
            field,
        )
    _check_other_weights(found, head_dim, kind, field)
    return AttentionLayers(tuple(found), heads, kv_heads, head_dim)


def check_kv_heads(layers: AttentionLayers, kv_heads: int, field: str | None = None) -> None:
    """Raises InvalidParams for `field` unless the KV heads can be pooled into `kv_heads` equal groups, or stay."""
    if kv_heads < 1 or layers.kv_heads % kv_heads:
        raise InvalidParams(
            tr(
                "The {before} KV heads of this model cannot be pooled into {after} groups of the same size: choose a "
                "divisor of {before}.",
                before=layers.kv_heads,
                after=kv_heads,
            ),
            field,
        )


def _sizes(module: Any) -> tuple[int, int, int] | None:
    """Query heads, KV heads and head dimension, None if the module does not share KV heads as transformers does."""
    head_dim = getattr(module, "head_dim", None)
    groups = getattr(module, "num_key_value_groups", None)
    if not isinstance(head_dim, int) or not isinstance(groups, int):
        return None
    heads, kv_heads = module.q_proj.out_features // head_dim, module.k_proj.out_features // head_dim
    values, outputs = module.v_proj.out_features, module.o_proj.in_features
    if (heads, kv_heads, values, outputs) != (groups * kv_heads, kv_heads, kv_heads * head_dim, heads * head_dim):
        return None
    return heads, kv_heads, head_dim


def _check_other_weights(found: dict[str, Any], head_dim: int, kind: str, field: str | None) -> None:
    """A weight of one head's size serves all heads (such as Qwen 3's norms); any other may belong to single heads."""
    for module in found.values():
        for name, weight in module.named_parameters():
            if name.split(".")[0] not in _PROJECTIONS and tuple(weight.shape) != (head_dim,):
                raise InvalidParams(
                    tr(
                        "The attention of the {kind} model has the weight {name}, which may belong to single heads, "
                        "so reordering the heads could change the model: use another model.",
                        kind=kind,
                        name=name,
                    ),
                    field,
                )
