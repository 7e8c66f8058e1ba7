"""The places of a transformer where parameters are, and how many each method trains there. Modelled from shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.topics.fine_tuning.methods import MethodId
from core.topics.fine_tuning.model.shapes import MATRICES, Shape

NO_LAYER = -1
IN_LAYER = ("prefix", "attention_norm", *MATRICES[:4], "mlp_norm", *MATRICES[4:])
"""Kinds of places in a layer, in the order in which they are run."""


@dataclass(frozen=True)
class Sizes:
    """What a person chose, as far as it decides how much is trained. `targets` are kinds of matrices."""

    virtual_tokens: int
    prefix_hidden: int
    rank: int
    initial_rank: int
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """`parameters` are the model's own there; 0 where only a method puts some."""

    index: int
    id: str
    layer: int
    kind: str
    parameters: int


def place_id(layer: int, kind: str) -> str:
    return kind if layer == NO_LAYER else f"layer.{layer}.{kind}"


def places_of(shape: Shape) -> tuple[Place, ...]:
    """In the order of the table 'places': before the layers, layer by layer, after them."""
    own = _own_parameters(shape)
    before = [(NO_LAYER, "prefix_encoder"), (NO_LAYER, "prompt"), (NO_LAYER, "embedding")]
    inside = [(layer, kind) for layer in range(shape.layers) for kind in IN_LAYER]
    after = [(NO_LAYER, "final_norm"), (NO_LAYER, "head")]
    return tuple(
        Place(index, place_id(layer, kind), layer, kind, own.get(kind, 0))
        for index, (layer, kind) in enumerate([*before, *inside, *after])
    )


def trained_at(shape: Shape, method: MethodId, sizes: Sizes) -> Mapping[str, int]:
    """Trainable parameters by id of the place; places without any are left out."""
    if method is MethodId.FULL:
        return {place.id: place.parameters for place in places_of(shape) if place.parameters}
    if method is MethodId.PROMPT_TUNING:
        return {"prompt": sizes.virtual_tokens * shape.hidden}
    if method is MethodId.P_TUNING_V2:
        return _in_each_layer(shape, {"prefix": sizes.virtual_tokens * 2 * shape.kv_width})
    if method is MethodId.PREFIX_TUNING:
        # The rows of the last linear layer belong to the layer whose keys and values they write.
        width, hidden = shape.kv_width, sizes.prefix_hidden
        encoder = sizes.virtual_tokens * width + (width + 1) * hidden
        return {"prefix_encoder": encoder, **_in_each_layer(shape, {"prefix": 2 * width * (hidden + 1)})}
    ada = method is MethodId.ADALORA
    rank = sizes.initial_rank if ada else sizes.rank
    # AdaLoRA has a singular value for every triplet.
    adapters = {kind: rank * (sum(shape.sides(kind)) + ada) for kind in MATRICES if kind in sizes.targets}
    return _in_each_layer(shape, adapters)


def _in_each_layer(shape: Shape, kinds: Mapping[str, int]) -> dict[str, int]:
    return {place_id(layer, kind): count for layer in range(shape.layers) for kind, count in kinds.items()}


def _own_parameters(shape: Shape) -> dict[str, int]:
    """By kind, the model's own parameters at one place of that kind."""
    embedding = shape.vocabulary * shape.hidden
    matrices = {kind: shape.sides(kind)[0] * shape.sides(kind)[1] + shape.bias(kind) for kind in MATRICES}
    return {
        "embedding": embedding,
        "attention_norm": shape.hidden,
        "mlp_norm": shape.hidden,
        "final_norm": shape.hidden,
        "head": 0 if shape.tied else embedding,
        **matrices,
    }
