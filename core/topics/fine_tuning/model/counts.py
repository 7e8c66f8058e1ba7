"""How much each method trains and what that takes in memory, from shapes. Modelled; a run measures the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.model.shapes import MATRICES, Shape
from core.topics.fine_tuning.model.trained_modules import Sizes, places_of, trained_at

FLOAT_BYTES = 4
_ADAM_STATES = 2
NF4_BLOCK, NF4_NESTED_BLOCK = 64, 256
"""QLoRA's: weights that share a scale, and scales that share a second one."""

NF4_BITS = 4 + 8 / NF4_BLOCK + 32 / (NF4_BLOCK * NF4_NESTED_BLOCK)
"""Bits a weight with double quantization (Dettmers et al. 2023, section 3), groups taken as full."""


@dataclass(frozen=True)
class MethodCounts:
    """`extra_parameters` are those that the method adds to the model; `total_parameters` are all, `share` the trained
    of all. Bytes are those of float32 training with AdamW; what activations take is measured by a run only."""

    method: MethodId
    label: str
    trainable_parameters: int
    extra_parameters: int
    total_parameters: int
    weights_bytes: float
    gradients_bytes: int
    optimizer_bytes: int
    trained_at: Mapping[str, int]

    @property
    def share(self) -> float:
        return self.trainable_parameters / self.total_parameters


def base_parameters(shape: Shape) -> int:
    return sum(place.parameters for place in places_of(shape))


def counts_of(shape: Shape, method: MethodId, sizes: Sizes) -> MethodCounts:
    """What peft counts as trainable and in all, with the bytes of weights, gradients and AdamW's two moments."""
    by_place = trained_at(shape, method, sizes)
    trainable = sum(by_place.values())
    extra = 0 if method is MethodId.FULL else trainable
    total = base_parameters(shape) + extra
    if method is MethodId.ADALORA:
        total += shape.layers * len(set(sizes.targets) & set(MATRICES))  # peft keeps a rank a matrix as a parameter
    weights = float(FLOAT_BYTES * total)
    if method is MethodId.QLORA:
        weights -= _linear_parameters(shape) * (FLOAT_BYTES - NF4_BITS / 8)
    return MethodCounts(
        method=method,
        label=METHODS[method].label,
        trainable_parameters=trainable,
        extra_parameters=extra,
        total_parameters=total,
        weights_bytes=weights,
        gradients_bytes=FLOAT_BYTES * trainable,
        optimizer_bytes=_ADAM_STATES * FLOAT_BYTES * trainable,
        trained_at=by_place,
    )


def _linear_parameters(shape: Shape) -> int:
    return shape.layers * sum(shape.sides(kind)[0] * shape.sides(kind)[1] for kind in MATRICES)
