"""The plan of the fine-tuning page: everything that follows from the parameters without a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.contracts.errors import InvalidParams
from core.contracts.text import EMPTY, Text, tr
from core.language_model.dtypes import DTYPE_BYTES
from core.language_model.folder_files import check_fits, inspect, read_config
from core.language_model.memory_check import PARAMETER_BYTES, TRAINED_PARAMETER_BYTES, check_memory
from core.language_model.target_modules import ALL, HEAD, check_target_modules, named
from core.topics.fine_tuning.methods import ADAPTERS, KEY_VALUE_PREFIX, METHODS, PROMPTS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.result import MethodSummary
from core.topics.fine_tuning.shapes import MATRICES, Shape, shape_of_config, shape_of_small_model
from core.topics.fine_tuning.trained_modules import (
    MethodCounts,
    Place,
    Sizes,
    base_parameters,
    counts_of,
    places_of,
)

_BYTES_PER_PARAMETER = {MethodId.FULL: TRAINED_PARAMETER_BYTES}
"""float32 weights, gradients and two moments. Other methods need little more than the weights."""

MASK_TOKENS = 24
"""Length of the input whose mask is drawn before a run: about one row and its sentence."""


@dataclass(frozen=True)
class Plan:
    """What each method would train, computed from shapes alone. Everything is modelled.

    `shape` is the model's shape, or the small model's if the folder does not reveal its shape. `counts` has all
    methods, selected or not. `problem` says why nothing can run and is empty if it can; `blames` names the parameter.
    """

    params: FineTuningParams
    shape: Shape
    places: tuple[Place, ...]
    counts: Mapping[MethodId, MethodCounts]
    problem: Text = EMPTY
    blames: str | None = None

    @property
    def base_parameters(self) -> int:
        return base_parameters(self.shape)

    def mask(self, method: MethodId, length: int = MASK_TOKENS) -> np.ndarray:
        """The mask, bool [queries, columns], for an input of `length` tokens; see `prefix_mask`."""
        return prefix_mask(method, self.params.virtual_tokens, length)

    def prefix_columns(self, method: MethodId) -> int:
        """The number of leading mask columns that are vectors added by the method."""
        return self.params.virtual_tokens if method in PROMPTS else 0

    def summary(self, method: MethodId) -> MethodSummary:
        """The part of a run's summary that follows from shapes."""
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
    """The plan of `params`. Never raises; an error becomes its `problem`."""
    shape, problem, blames = None, EMPTY, None
    try:
        shape = _shape(params)
        _check_sizes(params, shape)
    except InvalidParams as error:
        problem, blames = error.text, error.field
    shape = shape or shape_of_small_model()
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
    """Which columns each query can see, bool [queries, columns], for an input of `length` tokens.

    The columns of a key-value prefix come first and are not queries: [length, virtual_tokens + length]. The vectors of
    prompt tuning are ordinary causal tokens: [virtual_tokens + length, virtual_tokens + length].
    """
    columns = length + (virtual_tokens if method in PROMPTS else 0)
    queries = length if method in KEY_VALUE_PREFIX else columns
    return np.tri(queries, columns, columns - queries, dtype=bool)


def check(params: FineTuningParams) -> None:
    """Raises InvalidParams if the folder is incomplete or damaged, if the models do not fit into memory, or if sizes do
    not fit the model. Models outside the Llama family are checked only by a run."""
    shape: Shape | None = shape_of_small_model()
    if params.model.strip():
        files = inspect(params.model, "model")
        check_fits(files, params.dtype)
        check_copies(params, files.parameters)
        shape = shape_of_config(files.folder.name, files.config)
    _check_sizes(params, shape)


def check_copies(params: FineTuningParams, parameters: int) -> None:
    """Raises InvalidParams if the methods' own copies of a model do not fit into memory."""
    size = DTYPE_BYTES[params.dtype] / PARAMETER_BYTES
    needed = sum(parameters * _BYTES_PER_PARAMETER.get(method, PARAMETER_BYTES) for method in params.chosen)
    check_memory(int(size * needed), len(params.chosen), tr("select fewer methods, or leave out full"), "methods")


def _check_sizes(params: FineTuningParams, shape: Shape | None) -> None:
    """Raises InvalidParams if sizes of the run do not fit the model, where its shape is known."""
    if shape is None:
        return
    check_virtual_tokens(params, shape.context)
    if set(params.chosen) & set(ADAPTERS):
        _check_targets(params)
        smallest = min((min(shape.sides(kind)) for kind in _targets(params)), default=shape.hidden)
        check_rank(params, smallest)


def check_virtual_tokens(params: FineTuningParams, context: int, longest: int | None = None) -> None:
    """Raises InvalidParams if the prompt and an input of `longest` tokens exceed the model's context. If `longest` is
    not known yet, an input of one token must fit."""
    if not set(params.chosen) & set(PROMPTS) or params.virtual_tokens + (longest or 1) <= context:
        return
    if longest is None:
        text = tr(
            "{tokens} virtual tokens leave no room for an input in this model's context of {context}: use fewer.",
            tokens=params.virtual_tokens,
            context=context,
        )
    else:
        text = tr(
            "{tokens} virtual tokens and inputs of up to {longest} tokens do not fit into this model's context of "
            "{context}: use at most {largest} virtual tokens.",
            tokens=params.virtual_tokens,
            longest=longest,
            context=context,
            largest=max(0, context - longest),
        )
    raise InvalidParams(text, "virtual_tokens")


def check_rank(params: FineTuningParams, smallest_side: int) -> None:
    """Raises InvalidParams if a rank is larger than the smallest side of the adapted matrices."""
    if params.rank > smallest_side:
        raise InvalidParams(
            tr(
                "Rank {rank} is above the {side} rows or columns of the smallest adapted matrix: use at most {side}.",
                rank=params.rank,
                side=smallest_side,
            ),
            "rank",
        )
    if MethodId.ADALORA in params.chosen and params.initial_rank > smallest_side:
        raise InvalidParams(
            tr(
                "AdaLoRA would start with rank {initial}, above the {side} rows or columns of the smallest adapted "
                "matrix: use rank {largest} or less, or leave out AdaLoRA.",
                initial=params.initial_rank,
                side=smallest_side,
                largest=max(1, 2 * smallest_side // 3),
            ),
            "rank",
        )


def _check_targets(params: FineTuningParams) -> None:
    """Only a run can resolve full names, so this checks that the last part of each name exists."""
    ends = [name.rsplit(".", 1)[-1] for name in named(params.target_modules)]
    check_target_modules(ends, (*MATRICES, HEAD))


def _targets(params: FineTuningParams) -> tuple[str, ...]:
    names = named(params.target_modules)
    ends = {name.rsplit(".", 1)[-1] for name in names}
    return tuple(kind for kind in (*MATRICES, HEAD) if kind in ends or (ALL in names and kind != HEAD))


def _sizes(params: FineTuningParams) -> Sizes:
    return Sizes(
        virtual_tokens=params.virtual_tokens,
        prefix_hidden=params.prefix_hidden,
        rank=params.rank,
        initial_rank=params.initial_rank,
        targets=_targets(params),
        weight_bytes=DTYPE_BYTES[params.dtype],
    )


def _shape(params: FineTuningParams) -> Shape | None:
    """The shape of the model; None if the folder's configuration does not reveal it. Raises InvalidParams if there is
    no readable one."""
    if not params.model.strip():
        return shape_of_small_model()
    return shape_of_config(Path(params.model.strip()).name, read_config(params.model, "model"))
