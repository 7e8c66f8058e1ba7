"""Adds the methods' curves, gradients, summaries and answers to the result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from core.contracts.result import Metric, Provenance
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import tr
from core.language_model.evaluation import Answers
from core.language_model.model import parameter_count
from core.topics.fine_tuning.experiment.building import vectors
from core.topics.fine_tuning.experiment.opening import RunSetup
from core.topics.fine_tuning.experiment.training import MethodRun, recorded_steps
from core.topics.fine_tuning.methods import PROMPTS, MethodId
from core.topics.fine_tuning.result import (
    UNSEEN_PERSON,
    UNSTATED_FACT,
    AnsweredSample,
    FineTuningResult,
    MethodResult,
    MethodSummary,
    TrainedVectors,
    gradient_range,
)
from core.topics.fine_tuning.trained_modules import StepMemory

Builder = ResultBuilder[FineTuningResult]


def provenance_of(model: torch.nn.Module) -> Provenance:
    """The provenance of measurements on a model: its device."""
    on_cpu = next(model.parameters()).device.type == "cpu"
    return Provenance.MEASURED_CPU if on_cpu else Provenance.MEASURED


def change_method(builder: Builder, method: MethodId, **fields: Any) -> None:
    """Set fields of a method's result."""
    methods = builder.result.methods
    builder.add(methods={**methods, method: replace(methods.get(method, MethodResult()), **fields)})


def add_training(builder: Builder, runs: Sequence[MethodRun], shared: RunSetup) -> None:
    """Add the curves, gradients and summaries so far."""
    longest = max((run.held_out_steps for run in runs), key=len, default=[])
    frames = recorded_steps(runs[0].params.steps) if runs else np.zeros(0, dtype=np.int64)
    frames_done = int(np.searchsorted(frames, max((run.done for run in runs), default=0), side="right"))
    for run in runs:
        change_method(
            builder,
            run.method,
            summary=_summary(run, shared.model.parameters, builder.result.method(run.method).summary),
            trained_at=_trained_at(run),
            losses=np.array(run.losses, dtype=np.float32),
            held_out_losses=np.array(run.held_out, dtype=np.float32),
            gradient_norms=run.gradient_norms[:frames_done].copy(),
            frozen_gradients=run.frozen_gradients.copy(),
        )
        builder.add(_training_metrics(run, builder.result.method(run.method).summary))
    builder.add(
        places=shared.places,
        held_out_steps=np.array(longest, dtype=np.int64),
        gradient_steps=frames[:frames_done],
        gradient_range=gradient_range([run.gradient_norms[:frames_done] for run in runs]),
    )


def add_answers(builder: Builder, method: MethodId | None, answers: Answers, shared: RunSetup) -> None:
    """Add the answers of `method`, or of the untrained model (None): its exact match and its part of the samples."""
    unseen, unstated = answers.correct[: shared.unseen], answers.correct[shared.unseen :]
    if method is not None:
        summary = builder.result.method(method).summary
        assert summary is not None
        summary = replace(summary, exact_match_unseen=_mean(unseen), exact_match_untold=_mean(unstated))
        change_method(builder, method, summary=summary)
    note = tr(
        "{rows} rows about unseen people; {correct} of {facts} unstated facts",
        rows=len(unseen),
        correct=int(np.sum(unstated)),
        facts=len(unstated),
    )
    name = "base" if method is None else method.value
    match = Metric(_or_nan(_mean(unseen)), "", provenance_of(shared.base), note)
    samples = builder.result.samples or _unanswered_samples(shared, builder.result.params.samples)
    texts = dict(zip((example.row for example in shared.answered), answers.texts, strict=True))
    builder.add(
        {f"{name}.exact_match": match},
        samples=tuple(
            replace(sample, before=texts[sample.row])
            if method is None
            else replace(sample, answers={**sample.answers, method.value: texts[sample.row]})
            for sample in samples
        ),
    )


def trained_vectors(run: MethodRun) -> tuple[TrainedVectors, ...]:
    """The trained tensors of a prompt method, by place."""
    if run.method not in PROMPTS:
        return ()
    heads = run.model.active_peft_config.num_attention_heads
    trained = []
    for part in run.trained_parts:
        tensor = part.of(part.parameter.detach())
        shape = tuple(tensor.shape)
        if run.method is MethodId.P_TUNING_V2:  # the layer's keys and values in the layout that attention reads
            shape = (2, len(vectors(run.model)), heads, tensor.shape[1] // (2 * heads))
        trained.append(TrainedVectors(part.place, shape, tensor.numel()))
    return tuple(trained)


def _trained_at(run: MethodRun) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for part in run.trained_parts:
        counts[part.place] = counts.get(part.place, 0) + part.of(part.parameter.detach()).numel()
    return counts


def _summary(run: MethodRun, base_parameters: int, previous: MethodSummary | None) -> MethodSummary:
    """The summary of the training so far. Keeps the evaluation results of the previous summary."""
    trained, total = _counts(run, base_parameters)
    memory = run.memory
    return MethodSummary(
        method=run.method,
        trainable_parameters=trained,
        total_parameters=total,
        extra_parameters=0 if run.method is MethodId.FULL else trained,
        steps=run.done,
        steps_per_s=run.done / run.seconds if run.done else None,
        learning_rate=run.learning_rate,
        final_loss=_last_mean(run.losses),
        held_out_loss=run.held_out_loss,
        memory=StepMemory(
            memory.weights_bytes,
            memory.gradients_bytes,
            memory.optimizer_bytes,
            memory.activations_bytes,
            memory.how,
        ),
        exact_match_unseen=None if previous is None else previous.exact_match_unseen,
        exact_match_untold=None if previous is None else previous.exact_match_untold,
        runs_on=run.runs_on,
        frozen_unchanged=None if previous is None else previous.frozen_unchanged,
        error=run.error,
    )


def _counts(run: MethodRun, base_parameters: int) -> tuple[int, int]:
    """(trainable, total) parameters by peft's count. For QLoRA the total is computed here, because peft does not know
    that two weights share a byte in this project's NF4."""
    if run.method is MethodId.FULL:
        return parameter_count(run.model, trainable_only=True), parameter_count(run.model)
    trained, total = run.model.get_nb_trainable_parameters()
    return int(trained), base_parameters + int(trained) if run.method is MethodId.QLORA else int(total)


def _training_metrics(run: MethodRun, summary: MethodSummary | None) -> dict[str, Metric]:
    assert summary is not None
    name, how = run.method.value, provenance_of(run.model)
    count_note = tr("PEFT's count") if run.method is not MethodId.FULL else tr("each weight counted once")
    steps = tr("{steps} steps of {rows} rows, without evaluations", steps=run.done, rows=run.params.batch)
    return {
        f"{name}.trainable": Metric(summary.trainable_parameters, "parameters", how, count_note),
        f"{name}.share": Metric(summary.share, "", how, tr("of the model's and the method's parameters")),
        f"{name}.held_out": Metric(_or_nan(summary.held_out_loss), "nats", how, tr("per labelled token")),
        f"{name}.steps_per_s": Metric(_or_nan(summary.steps_per_s), "steps/s", how, steps),
        f"{name}.memory": Metric(run.memory.total_bytes, "B", how, run.memory.how),
    }


def _unanswered_samples(shared: RunSetup, count: int) -> tuple[AnsweredSample, ...]:
    """Samples without answers: half about unseen people and half with unstated facts, if there are enough."""
    unseen, unstated = shared.answered[: shared.unseen], shared.answered[shared.unseen :]
    half = min(len(unstated), count // 2)
    return tuple(
        AnsweredSample(example.row, example.sentence, split)
        for split, rows in ((UNSEEN_PERSON, unseen[: count - half]), (UNSTATED_FACT, unstated[:half]))
        for example in rows
    )


def _mean(correct: np.ndarray) -> float | None:
    return float(correct.mean()) if len(correct) else None


def _last_mean(losses: Sequence[float]) -> float | None:
    """The mean of the last ten losses, because a single batch is noisy."""
    return float(np.mean(losses[-10:])) if losses else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
