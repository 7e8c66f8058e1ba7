"""The places of a transformer that have parameters, how many each method trains there, and the memory this needs.

Modelled from shapes. A run measures the same quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from core.contracts.text import EMPTY, Text, tr
from core.language_model.target_modules import HEAD
from core.topics.fine_tuning.methods import MethodId
from core.topics.fine_tuning.shapes import MATRICES, Shape

FLOAT_BYTES = 4
_ADAM_STATES = 2
NF4_BLOCK, NF4_NESTED_BLOCK = 64, 256
"""QLoRA's block sizes: weights per scale, and scales per second-level scale."""

NF4_BITS = 4 + 8 / NF4_BLOCK + 32 / (NF4_BLOCK * NF4_NESTED_BLOCK)
"""Bits per weight with double quantization (Dettmers et al. 2023, section 3), assuming full blocks."""

NO_LAYER = -1
ADDED_KINDS = ("prefix_encoder", "prompt", "prefix")
"""Kinds of places that a method adds to the model."""

IN_LAYER = ("prefix", "attention_norm", *MATRICES[:4], "mlp_norm", *MATRICES[4:])
"""Kinds of places in a layer, in execution order."""


@dataclass(frozen=True)
class Sizes:
    """The parameters that determine how much is trained. `targets` are kinds of matrices, and each of the model's own
    weights has `weight_bytes`."""

    virtual_tokens: int
    prefix_hidden: int
    rank: int
    initial_rank: int
    targets: tuple[str, ...]
    weight_bytes: int = FLOAT_BYTES


@dataclass(frozen=True)
class Place:
    """`parameters` counts the model's own parameters at this place; 0 if only a method adds some."""

    index: int
    id: str
    layer: int
    kind: str
    parameters: int

    @property
    def is_added(self) -> bool:
        """Whether the place exists only because a method adds it."""
        return self.kind in ADDED_KINDS


@dataclass(frozen=True)
class StepMemory:
    """Bytes that one training step needs: weights, gradients, optimizer state and activations, which are None before a
    run measures them. `how` says how the bytes were obtained."""

    weights_bytes: float
    gradients_bytes: float
    optimizer_bytes: float
    activations_bytes: float | None = None
    how: Text = EMPTY

    @property
    def total_bytes(self) -> float:
        """The sum of all known parts."""
        return self.weights_bytes + self.gradients_bytes + self.optimizer_bytes + (self.activations_bytes or 0)


@dataclass(frozen=True)
class MethodCounts:
    """`extra_parameters` are added by the method; `total_parameters` include them; `share` is the trained share of the
    total. Bytes are for training with AdamW, without activations, which only a run measures. `trained_at`
    counts trainable parameters by place id."""

    method: MethodId
    trainable_parameters: int
    extra_parameters: int
    total_parameters: int
    memory: StepMemory
    trained_at: Mapping[str, int]

    @property
    def share(self) -> float:
        return self.trainable_parameters / self.total_parameters


def place_id(layer: int, kind: str) -> str:
    return kind if layer == NO_LAYER else f"layer.{layer}.{kind}"


@lru_cache(maxsize=8)
def places_of(shape: Shape) -> tuple[Place, ...]:
    """All places in order: before the layers, layer by layer, after the layers."""
    parameters = _own_parameters(shape)
    before = [(NO_LAYER, "prefix_encoder"), (NO_LAYER, "prompt"), (NO_LAYER, "embedding")]
    inside = [(layer, kind) for layer in range(shape.layers) for kind in IN_LAYER]
    after = [(NO_LAYER, "final_norm"), (NO_LAYER, "head")]
    return tuple(
        Place(index, place_id(layer, kind), layer, kind, parameters.get(kind, 0))
        for index, (layer, kind) in enumerate([*before, *inside, *after])
    )


def trained_at(shape: Shape, method: MethodId, sizes: Sizes) -> Mapping[str, int]:
    """Trainable parameters by place id; places without any are omitted."""
    if method is MethodId.FULL:
        return {place.id: place.parameters for place in places_of(shape) if place.parameters}
    if method is MethodId.PROMPT_TUNING:
        return {"prompt": sizes.virtual_tokens * shape.hidden}
    if method is MethodId.P_TUNING_V2:
        return _in_each_layer(shape, {"prefix": sizes.virtual_tokens * 2 * shape.kv_width})
    if method is MethodId.PREFIX_TUNING:
        # The rows of the MLP's last linear layer belong to the layer whose keys and values they produce.
        width, hidden = shape.kv_width, sizes.prefix_hidden
        encoder = sizes.virtual_tokens * width + (width + 1) * hidden
        return {"prefix_encoder": encoder, **_in_each_layer(shape, {"prefix": 2 * width * (hidden + 1)})}
    ada = method is MethodId.ADALORA
    rank = sizes.initial_rank if ada else sizes.rank
    # AdaLoRA has a singular value for every triplet.
    adapters = {kind: rank * (sum(shape.sides(kind)) + ada) for kind in MATRICES if kind in sizes.targets}
    head = {"head": rank * (sum(shape.sides(HEAD)) + ada)} if HEAD in sizes.targets else {}
    return {**_in_each_layer(shape, adapters), **head}


def base_parameters(shape: Shape) -> int:
    return sum(place.parameters for place in places_of(shape))


def counts_of(shape: Shape, method: MethodId, sizes: Sizes) -> MethodCounts:
    """Trainable and total parameters as peft counts them, and the bytes of weights, gradients and AdamW's moments."""
    by_place = trained_at(shape, method, sizes)
    trainable = sum(by_place.values())
    extra = 0 if method is MethodId.FULL else trainable
    total = base_parameters(shape) + extra
    if method is MethodId.ADALORA:
        # peft keeps a rank per matrix as a parameter.
        total += shape.layers * len(set(sizes.targets) & set(MATRICES)) + (HEAD in sizes.targets)
    # Full training is in the dtype of the weights; what a method adds is in float32.
    trained_bytes = sizes.weight_bytes if method is MethodId.FULL else FLOAT_BYTES
    weights = float(sizes.weight_bytes * base_parameters(shape) + FLOAT_BYTES * (total - base_parameters(shape)))
    if method is MethodId.QLORA:
        weights -= _linear_parameters(shape) * (sizes.weight_bytes - NF4_BITS / 8)
    return MethodCounts(
        method=method,
        trainable_parameters=trainable,
        extra_parameters=extra,
        total_parameters=total,
        memory=StepMemory(
            weights_bytes=weights,
            gradients_bytes=trained_bytes * trainable,
            optimizer_bytes=_ADAM_STATES * trained_bytes * trainable,
            how=tr("modelled, without activations"),
        ),
        trained_at=by_place,
    )


def _in_each_layer(shape: Shape, kinds: Mapping[str, int]) -> dict[str, int]:
    return {place_id(layer, kind): count for layer in range(shape.layers) for kind, count in kinds.items()}


def _own_parameters(shape: Shape) -> dict[str, int]:
    """The model's own parameters at one place of each kind."""
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


def _linear_parameters(shape: Shape) -> int:
    return shape.layers * sum(shape.sides(kind)[0] * shape.sides(kind)[1] for kind in MATRICES)
