"""The whole model in one call: what is drawn before, and beside, any run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.contracts.errors import InvalidParams
from core.paths import expanded
from core.topics.fine_tuning.methods import ADAPTERS, KEY_VALUE_PREFIX, METHODS, PROMPTS, MethodId
from core.topics.fine_tuning.params import ALL, FineTuningParams
from core.topics.fine_tuning.result import MethodSummary
from core.topics.fine_tuning.shapes import MATRICES, Shape, shape_of_folder, shape_of_small_model
from core.topics.fine_tuning.trained_modules import (
    MethodCounts,
    Place,
    Sizes,
    base_parameters,
    counts_of,
    places_of,
)

MASK_TOKENS = 24
"""Length of the input whose mask is drawn before a run: about that of a row and its sentence."""


@dataclass(frozen=True)
class Plan:
    """What each method would train, from shapes alone. Everything is modelled.

    `shape` is the model's, or the small one's where the folder's cannot be told beforehand. `counts` has every method,
    chosen or not. `problem` is '' or why nothing can run, blaming the parameter `blames`.
    """

    params: FineTuningParams
    shape: Shape
    places: tuple[Place, ...]
    counts: Mapping[MethodId, MethodCounts]
    problem: str = ""
    blames: str | None = None

    @property
    def base_parameters(self) -> int:
        return base_parameters(self.shape)

    def mask(self, method: MethodId, length: int = MASK_TOKENS) -> np.ndarray:
        """bool [queries, columns] for an input of `length` tokens, as in `prefix_mask`."""
        return prefix_mask(method, self.params.virtual_tokens, length)

    def prefix_columns(self, method: MethodId) -> int:
        """How many of the mask's columns, the first ones, are vectors that the method adds."""
        return self.params.virtual_tokens if method in PROMPTS else 0

    def summary(self, method: MethodId) -> MethodSummary:
        """What a run will say of the method, as far as it follows from shapes."""
        counts = self.counts[method]
        return MethodSummary(
            method=method,
            trainable_parameters=counts.trainable_parameters,
            total_parameters=counts.total_parameters,
            extra_parameters=counts.extra_parameters,
            learning_rate=METHODS[method].learning_rate * self.params.rate_factor,
            memory=counts.memory,
        )


def plan(params: FineTuningParams) -> Plan:
    """The plan of `params`. Does not raise: what is wrong is `problem`."""
    problem, blames = "", None
    try:
        check(params)
    except InvalidParams as error:
        problem, blames = error.sentence, error.field
    shape = _shape(params) or shape_of_small_model()
    sizes = _sizes(params)
    return Plan(
        params=params,
        shape=shape,
        places=places_of(shape),
        counts={method: counts_of(shape, method, sizes) for method in METHODS},
        problem=problem,
        blames=blames,
    )


def prefix_mask(method: MethodId, virtual_tokens: int, length: int) -> np.ndarray:
    """bool [queries, columns], for an input of `length` tokens: which columns each query may see.

    Of a key-value prefix the columns come first and are no queries: [length, virtual_tokens + length]. Vectors of
    prompt tuning are tokens like others, causal among themselves: [virtual_tokens + length] both ways.
    """
    columns = length + (virtual_tokens if method in PROMPTS else 0)
    queries = length if method in KEY_VALUE_PREFIX else columns
    return np.tri(queries, columns, columns - queries, dtype=bool)


def check(params: FineTuningParams) -> None:
    """Raises InvalidParams for a folder that is not there, and for sizes that the model has no room for. Of a model of
    another family than Llama's only the run can tell."""
    if params.model.strip():
        folder = expanded(params.model, "model")
        if not os.path.isdir(folder):  # Path's own raises for a name that is too long
            raise InvalidParams(f"There is no folder {folder}: give a local Hugging Face model folder.", "model")
    shape = _shape(params)
    if shape is None:
        return
    check_virtual_tokens(params, shape.context)
    if set(params.chosen) & set(ADAPTERS):
        _check_targets(params)
        smallest = min((min(shape.sides(kind)) for kind in _targets(params)), default=shape.hidden)
        check_rank(params, smallest)


def check_virtual_tokens(params: FineTuningParams, context: int, longest: int | None = None) -> None:
    """Raises InvalidParams where prompt and an input of `longest` tokens, of one where that is not known yet, are more
    than the model's context."""
    if not set(params.chosen) & set(PROMPTS) or params.virtual_tokens + (longest or 1) <= context:
        return
    if longest is None:
        sentence = f"leave no room for an input in this model's context of {context}: take fewer"
    else:
        sentence = (
            f"and inputs of up to {longest} tokens do not fit into this model's context of {context}: take at most "
            f"{max(0, context - longest)} virtual tokens"
        )
    raise InvalidParams(f"{params.virtual_tokens} virtual tokens {sentence}.", "virtual_tokens")


def check_rank(params: FineTuningParams, smallest_side: int) -> None:
    """Raises InvalidParams for a rank above the smallest side of the adapted matrices."""
    if params.rank > smallest_side:
        raise InvalidParams(
            f"Rank {params.rank} is above the {smallest_side} rows or columns of the smallest adapted matrix: take at "
            f"most {smallest_side}.",
            "rank",
        )
    if MethodId.ADALORA in params.chosen and params.initial_rank > smallest_side:
        raise InvalidParams(
            f"AdaLoRA would begin with rank {params.initial_rank}, above the {smallest_side} rows or columns of the "
            f"smallest adapted matrix: take rank {max(1, 2 * smallest_side // 3)} or less, or leave AdaLoRA out.",
            "rank",
        )


def _check_targets(params: FineTuningParams) -> None:
    """What full names stand for is told by the run alone; the last part of one has to exist."""
    unknown = [name for name in _named(params) if name != ALL and name.rsplit(".", 1)[-1] not in MATRICES]
    if unknown:
        raise InvalidParams(
            f"There is no target module {unknown[0][:80]!r} in this model: use {ALL}, or some of "
            f"{', '.join(MATRICES)}.",
            "target_modules",
        )


def _named(params: FineTuningParams) -> list[str]:
    return [name.strip() for name in params.target_modules.split(",") if name.strip()]


def _targets(params: FineTuningParams) -> tuple[str, ...]:
    named = _named(params)
    ends = {name.rsplit(".", 1)[-1] for name in named}
    return tuple(kind for kind in MATRICES if ALL in named or kind in ends)


def _sizes(params: FineTuningParams) -> Sizes:
    return Sizes(
        virtual_tokens=params.virtual_tokens,
        prefix_hidden=params.prefix_hidden,
        rank=params.rank,
        initial_rank=params.initial_rank,
        targets=_targets(params),
    )


def _shape(params: FineTuningParams) -> Shape | None:
    """None for a folder whose configuration does not tell."""
    if not params.model.strip():
        return shape_of_small_model()
    try:
        return shape_of_folder(expanded(params.model, "model"))
    except InvalidParams:
        return None
