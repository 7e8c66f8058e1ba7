"""The same model with another attention: MHA, GQA with any number of KV heads, MQA or MLA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.model_configs import AttentionFacts, LatentFacts, LayerFacts, ModelFacts
from core.topics.attention_heads.params import MHA, MLA, MODEL, MQA, AttentionHeadsParams

USUAL_KV_HEADS = 8
"""The GQA paper settles on 8 groups (Ainslie et al. 2023, arXiv 2305.13245, section 3)."""


def scheme_title(attention: AttentionFacts) -> str:
    """MHA, GQA-8, MQA or MLA."""
    if attention.latent is not None:
        return MLA.upper()
    if attention.kv_heads == attention.heads:
        return MHA.upper()
    return MQA.upper() if attention.kv_heads == 1 else f"GQA-{attention.kv_heads}"


def attending(model: ModelFacts) -> AttentionFacts:
    """The attention that most layers have. Raises InvalidParams for a model without any."""
    if model.attention is None:
        raise InvalidParams(
            tr("The model {name} has no attention layers: choose a model with attention.", name=model.name), "config"
        )
    return model.attention


def divisors(heads: int) -> tuple[int, ...]:
    """The possible numbers of KV heads, from `heads` down to 1."""
    return tuple(kv_heads for kv_heads in range(heads, 0, -1) if heads % kv_heads == 0)


def usual_kv_heads(heads: int) -> tuple[int, ...]:
    """The numbers of KV heads that are compared: MHA's, 8 where they divide the heads, and MQA's; each once."""
    return tuple(count for count in divisors(heads) if count in (heads, USUAL_KV_HEADS, 1))


def grouped(attention: AttentionFacts, kv_heads: int) -> AttentionFacts:
    """The attention with so many KV heads. Biases and norms of K and V follow; heads of MLA get their full K and V."""
    ratio = kv_heads / attention.kv_heads
    return replace(
        attention,
        kv_heads=kv_heads,
        latent=None,
        k_bias=round(attention.k_bias * ratio),
        v_bias=round(attention.v_bias * ratio),
    )


def latent(attention: AttentionFacts) -> AttentionFacts:
    """The attention as MLA: its own, or a rank of 4 head dimensions and a rotary part of half of one.

    DeepSeek-V2 (arXiv 2405.04434), section 2.1.4 and table 1. Queries are not compressed, and there are no biases.
    """
    if attention.latent is not None:
        return attention
    width = attention.head_dim
    facts = LatentFacts(rank=4 * width, rotary=max(width // 2, 1), content=width)
    return replace(attention, kv_heads=attention.heads, head_dim=width + facts.rotary, latent=facts, k_bias=0, v_bias=0)


def chosen(params: AttentionHeadsParams, attention: AttentionFacts) -> AttentionFacts:
    """One layer's attention under the params. Raises InvalidParams for KV heads that do not divide its heads."""
    scheme = params.scheme
    if scheme == MODEL:
        return attention
    if scheme == MLA:
        return latent(attention)
    if scheme == MHA:
        return grouped(attention, attention.heads)
    if scheme == MQA:
        return grouped(attention, 1)
    return grouped(attention, _kv_heads(params, attention))


def _kv_heads(params: AttentionHeadsParams, attention: AttentionFacts) -> int:
    heads, kv_heads = attention.heads, params.kv_heads
    if not kv_heads:
        own = attention.kv_heads if attention.latent is None else heads
        return own if 1 < own < heads else max(d for d in divisors(heads) if d <= USUAL_KV_HEADS)
    if heads % kv_heads:
        near = min(divisors(heads), key=lambda divisor: abs(divisor - kv_heads))
        raise InvalidParams(
            tr(
                "{heads} query heads cannot be divided among kv_heads = {kv_heads}: every KV head serves the same "
                "number of query heads, so choose a divisor of {heads}, such as {near}.",
                heads=heads,
                kv_heads=kv_heads,
                near=near,
            ),
            "kv_heads",
        )
    return kv_heads


def changed(model: ModelFacts, change: Callable[[AttentionFacts], AttentionFacts]) -> ModelFacts:
    """The model with the attention of every attending layer changed; layers that share a cache go on sharing it."""
    new: dict[LayerFacts, LayerFacts] = {
        layer: layer if layer.attention is None else replace(layer, attention=change(layer.attention))
        for layer, _ in model.groups
    }
    return replace(model, layers=tuple(new[layer] for layer in model.layers))


def with_attention(model: ModelFacts, params: AttentionHeadsParams) -> ModelFacts:
    """The model under the params. Raises InvalidParams for KV heads that do not divide the heads of some layer."""
    if params.scheme == MODEL:
        return model
    return changed(model, lambda attention: chosen(params, attention))
