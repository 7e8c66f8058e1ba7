"""Checks of the inputs of multi-head latent attention. Each failure is one sentence."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from kernels.errors import InvalidInputs

_SHAPES = {
    "w_dkv": ("latent", "hidden"),
    "w_kr": ("rope", "hidden"),
    "w_uk": ("heads", "head_dim", "latent"),
    "w_uv": ("heads", "value_dim", "latent"),
    "w_dq": ("query_latent", "hidden"),
    "w_uq": ("heads", "head_dim", "query_latent"),
    "w_qr": ("heads", "rope", "query_latent"),
    "kv_norm": ("latent",),
    "q_norm": ("query_latent",),
}
"""The sizes of each weight. Without `w_dq`, query_latent is hidden. `w_o` is [hidden, heads * value_dim]."""


def check_weights(weights: Mapping[str, torch.Tensor | None]) -> None:
    """Raises InvalidInputs unless the weights of a layer agree with each other. An optional weight is None."""
    sizes: dict[str, int] = {}
    for name, names in _SHAPES.items():
        weight = weights[name]
        if weight is None:
            continue
        if name == "q_norm" and weights["w_dq"] is None:
            raise InvalidInputs("q_norm needs w_dq: without a compressed query there is nothing to normalize.")
        if weight.dim() != len(names):
            raise InvalidInputs(
                "{name} {shape} must have the dimensions [{expected}].",
                name=name,
                shape=_shape(weight),
                expected=", ".join(names),
            )
        for size, kind in zip(weight.shape, names, strict=True):
            kind = "hidden" if kind == "query_latent" and weights["w_dq"] is None else kind
            _agree(sizes, kind, size, name, weight)
    if sizes["rope"] % 2:
        raise InvalidInputs(
            "The rotated part has {rope} columns: rotary positions need pairs of columns.", rope=sizes["rope"]
        )
    out = weights["w_o"]
    assert out is not None
    if out.shape != (sizes["hidden"], sizes["heads"] * sizes["value_dim"]):
        raise InvalidInputs(
            "w_o {shape} must be [{hidden}, {inputs}]: hidden, and heads times value_dim.",
            shape=_shape(out),
            hidden=sizes["hidden"],
            inputs=sizes["heads"] * sizes["value_dim"],
        )


def check_hidden(hidden_states: torch.Tensor, hidden: int) -> None:
    """Raises InvalidInputs unless the hidden states are [batch, length, hidden]."""
    if hidden_states.dim() != 3 or hidden_states.shape[2] != hidden:
        raise InvalidInputs(
            "The hidden states {shape} must be [batch, length, {hidden}].", shape=_shape(hidden_states), hidden=hidden
        )


def check_cache(cache: torch.Tensor, width: int, hidden_states: torch.Tensor | None = None) -> None:
    """Raises InvalidInputs unless the cache is [batch, length, width] and holds at least the given tokens."""
    if cache.dim() != 3 or cache.shape[2] != width:
        raise InvalidInputs(
            "The latent cache {shape} must be [batch, length, {width}]: the latent and the rotated key of each token.",
            shape=_shape(cache),
            width=width,
        )
    if hidden_states is None:
        return
    if hidden_states.shape[0] != cache.shape[0] or hidden_states.shape[1] > cache.shape[1]:
        raise InvalidInputs(
            "The latent cache {cache} must hold the tokens of the hidden states {hidden}: put them into the cache "
            "first.",
            cache=_shape(cache),
            hidden=_shape(hidden_states),
        )


def _agree(sizes: dict[str, int], kind: str, size: int, name: str, weight: torch.Tensor) -> None:
    if sizes.setdefault(kind, size) != size:
        raise InvalidInputs(
            "{name} {shape} has another {kind} than the other weights, which have {size}.",
            name=name,
            shape=_shape(weight),
            kind=kind,
            size=sizes[kind],
        )


def _shape(tensor: torch.Tensor) -> str:
    return str(list(tensor.shape))
