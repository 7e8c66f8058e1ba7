"""Runs the conversions of one model, one after another, as a generator with progress and partial results."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.contracts.events import Progress
from core.contracts.result import number_or_none
from core.engine.phases import in_parts, phase
from core.engine.steps import ProgressCallback
from core.language_model.adapters import trainable_copy
from core.language_model.evaluation import TextLoss, windows_loss
from core.language_model.torch_state import torch_threads
from core.topics.attention_heads.conversion_result import (
    ConversionResult,
    ConversionSetting,
    ConversionStudy,
    Grouping,
    all_settings,
)
from core.topics.attention_heads.experiment.conversion import grouping
from core.topics.attention_heads.experiment.conversion.layers import AttentionLayers, attention_layers, check_kv_heads
from core.topics.attention_heads.experiment.conversion.measuring import gram_matrices, head_errors
from core.topics.attention_heads.experiment.conversion.pooling import (
    LayerGroups,
    group_of_query_head,
    pooled_copy,
)
from core.topics.attention_heads.experiment.conversion.texts import Source, in_batches, shuffled_batches
from core.topics.attention_heads.experiment.conversion.tuning import Tuning, tune

_ERROR_WINDOWS, _SIMILARITY_WINDOWS = 64, 64
"""Windows on which the errors and similarities of heads are measured; they vary far less than a loss."""

_PREPARATION_SHARE = 0.05
_SMALL_PARAMETERS = 1 << 25
"""In a smaller model, threads wait for each other longer than they compute once the machine is busy."""


@dataclass(frozen=True)
class Prepared:
    """A model before its conversions: its loss, and the distances of its KV heads [layers, kv_heads, kv_heads]."""

    source: Source
    layers: AttentionLayers
    loss: TextLoss
    distances: NDArray[np.float64]

    @property
    def model(self) -> Any:
        return self.source.model.model


def study(
    source: Source,
    settings: Sequence[ConversionSetting] | None = None,
    tuning: Tuning | None = None,
    seed: int = 0,
    field: str | None = "model",
) -> Generator[Progress | ConversionStudy, None, ConversionStudy]:
    """Convert the model as each setting says; None means all settings. The model itself stays as it is.

    Yields the progress (from 0 to 1) and, after the preparation and each setting, the study so far. Source, settings,
    tuning and seed determine the results, on the same machine. Raises InvalidParams for `field` if the model cannot be
    converted, and NonFiniteLoss if tuning diverges.
    """
    tuning = tuning or Tuning()
    layers = attention_layers(source.model.model, field)
    settings = all_settings(layers.kv_heads) if settings is None else settings
    for setting in settings:
        check_kv_heads(layers, setting.kv_heads, field)
    prepared = yield from phase(0.0, _PREPARATION_SHARE, lambda progress: prepare(source, layers, progress))
    outcome = _empty_study(prepared, tuning)
    yield outcome
    share = (1.0 - _PREPARATION_SHARE) / max(1, len(settings))
    for number, setting in enumerate(settings):
        start = _PREPARATION_SHARE + number * share
        work = partial(convert, prepared, setting, tuning, seed)
        result = yield from phase(start, start + share, work)
        outcome = replace(outcome, results=(*outcome.results, result))
        yield outcome
    return outcome


def prepare(source: Source, layers: AttentionLayers, progress: ProgressCallback) -> Prepared:
    """Measure the loss and how similar the heads are, the latter on text that tunes: held-out text chooses nothing."""
    progress, model = in_parts(progress, 2), source.model.model
    with _threads(source):
        loss = windows_loss(model, source.held_out, progress, len(source.held_out), source.batch)
        batches = in_batches(source.training[:_SIMILARITY_WINDOWS], source.batch)
        keys, values = gram_matrices(model, layers, batches, progress)
    pairs = zip(keys, values, strict=True)
    return Prepared(source, layers, loss, np.stack([grouping.distances(key, value) for key, value in pairs]))


def convert(
    prepared: Prepared, setting: ConversionSetting, tuning: Tuning, seed: int, progress: ProgressCallback
) -> ConversionResult:
    """One conversion, measured and tuned. `progress` is called between all steps and may raise to stop."""
    source, layers = prepared.source, prepared.layers
    groups = layer_groups(prepared, setting, seed)
    progress = in_parts(progress, 4)
    with _threads(source):
        converted = (
            trainable_copy(prepared.model)
            if setting.grouping is Grouping.UNCHANGED
            else pooled_copy(prepared.model, layers, groups)
        ).eval()
        batches = in_batches(source.held_out[:_ERROR_WINDOWS], source.batch)
        errors = head_errors(prepared.model, converted, layers, groups, batches, progress)
        after = _loss(converted, source, progress)
        curve, tuned = np.empty(0, dtype=np.float32), None
        if tuning.steps:
            curve = tune(converted, shuffled_batches(source.training, source.batch, seed), tuning, progress)
            tuned = _loss(converted, source, progress)
    lost = [grouping.energy_lost(distance, row) for distance, row in zip(prepared.distances, groups, strict=True)]
    return ConversionResult(
        kv_heads=int(groups.max()) + 1,
        grouping=setting.grouping,
        group_of_head=group_of_query_head(layers, groups),
        energy_lost=np.array(lost, dtype=np.float32),
        head_error=errors.together,
        head_error_alone=errors.alone,
        loss_after=number_or_none(after.loss),
        increase_stderr=number_or_none(after.minus(prepared.loss)[1]),
        loss_tuned=None if tuned is None else number_or_none(tuned.loss),
        tuned_increase_stderr=None if tuned is None else number_or_none(tuned.minus(prepared.loss)[1]),
        curve=curve,
        kv_parameters=layers.kv_parameters(converted),
    )


def layer_groups(prepared: Prepared, setting: ConversionSetting, seed: int) -> LayerGroups:
    """The groups of KV heads in each layer, as the setting says."""
    heads, count = prepared.layers.kv_heads, setting.kv_heads
    if setting.grouping is Grouping.UNCHANGED:
        count = heads
    if setting.grouping is Grouping.SIMILAR:
        return np.stack([grouping.most_similar(distance, count, seed) for distance in prepared.distances])
    if setting.grouping is Grouping.RANDOM:
        rng = np.random.default_rng((seed, 13))
        return np.stack([grouping.random_groups(heads, count, rng) for _ in prepared.distances])
    return np.stack([grouping.neighbours(heads, count) for _ in prepared.distances])


def _threads(source: Source) -> AbstractContextManager[int]:
    return torch_threads(1 if source.model.parameters < _SMALL_PARAMETERS else None)


def _loss(model: Any, source: Source, progress: ProgressCallback) -> TextLoss:
    windows: Sequence[torch.Tensor] = source.held_out
    return windows_loss(model, windows, progress, len(windows), source.batch)


def _empty_study(prepared: Prepared, tuning: Tuning) -> ConversionStudy:
    layers = prepared.layers
    return ConversionStudy(
        model=prepared.source.model.name,
        heads=layers.heads,
        kv_heads=layers.kv_heads,
        kv_parameters=layers.kv_parameters(prepared.model),
        tokens=prepared.loss.tokens,
        loss_before=number_or_none(prepared.loss.loss),
        steps=tuning.steps,
    )
