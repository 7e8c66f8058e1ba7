"""The experiment of the fine-tuning page: every method trained on the same batches, a few steps each in turn."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from time import monotonic

from core.contracts.events import Partial, Progress
from core.contracts.result import Message, Metric
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.language_model.evaluation import task_loss
from core.language_model.libraries import LIBRARY_ERRORS, reason
from core.language_model.torch_state import torch_threads
from core.topics.fine_tuning.experiment import summaries
from core.topics.fine_tuning.experiment.building import build
from core.topics.fine_tuning.experiment.four_bits import gradient_evidence
from core.topics.fine_tuning.experiment.inspect_example import (
    answers,
    mask_and_attention,
    mask_columns,
    one_example,
    prefix_objective,
)
from core.topics.fine_tuning.experiment.opening import Opened, opened
from core.topics.fine_tuning.experiment.summaries import Builder, change_method, provenance_of
from core.topics.fine_tuning.experiment.training import MethodRun
from core.topics.fine_tuning.methods import METHODS, PROMPTS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import check
from core.topics.fine_tuning.result import FineTuningResult

_OPENED, _TRAINED = 0.03, 0.85
_STEPS_IN_TURN = 4
_PARTIAL_EVERY_S = 0.5
_SMALL_PARAMETERS = 1 << 25


def run(params: FineTuningParams, device: str) -> ExperimentRun:
    """Partials come on the way, at most about two per second: curves grow side by side.

    Raises InvalidParams for a model folder that cannot be opened and for what the model has no room for. A method that
    breaks, or whose loss is no number, stops with a message; its curves stay and the others go on.
    """
    check(params)
    builder = Builder(FineTuningResult(params=params))
    shared = yield from phase(0.0, _OPENED, lambda progress: opened(params, device, progress))
    if shared.model.notice:
        _add_message(builder, "notice", shared.model.notice)
    how = provenance_of(shared.base)
    builder.add({"base.parameters": Metric(shared.model.parameters, "parameters", how, shared.model.name)})
    # In a small model threads wait for each other longer than they compute, on a busy machine many times as long.
    with torch_threads(1 if shared.model.parameters < _SMALL_PARAMETERS else None):
        runs = yield from _trained(builder, params, shared)
        for number, method_run in enumerate(runs):
            start, end = (_TRAINED + (1 - _TRAINED) * (number + part) / len(runs) for part in (0, 1))
            yield from _inspected(builder, method_run, shared, start, end)
            yield Partial(builder.result)
    return builder.result


def _trained(
    builder: Builder, params: FineTuningParams, shared: Opened
) -> Generator[Progress | Partial, None, list[MethodRun]]:
    """All methods, a few steps each in turn; built when their first turn comes. The model before training answers after
    the first round, when there are curves to look at."""
    runs: list[MethodRun] = []
    waiting = list(params.chosen)
    answered_before = False
    last_partial = 0.0
    while waiting or any(not run.over for run in runs):
        if waiting:
            _begin(builder, waiting.pop(0), runs, shared, params)
        for method_run in runs[-1:] if waiting else runs:
            for _ in range(_STEPS_IN_TURN):
                if not method_run.over:
                    method_run.advance()
                    if method_run.error:
                        _add_message(builder, "warning", f"{METHODS[method_run.method].label}: {method_run.error}")
                    yield _progress(method_run, runs, params)
                if monotonic() - last_partial > _PARTIAL_EVERY_S:
                    summaries.add_training(builder, runs, shared)
                    yield Partial(builder.result)
                    last_partial = monotonic()
        if not waiting and not answered_before:
            answered_before = True
            summaries.add_training(builder, runs, shared)
            reached = _progress(runs[-1], runs, params).done if runs else _TRAINED
            yield from _before(builder, shared, reached)
    summaries.add_training(builder, runs, shared)
    yield Partial(builder.result)
    return runs


def _begin(builder: Builder, method: MethodId, runs: list[MethodRun], shared: Opened, params: FineTuningParams) -> None:
    """A method that cannot be built on this model is left out, with a message."""
    task, tokenizer = shared.task, shared.model.tokenizer
    try:
        built = build(method, shared.base, tokenizer, task.train, shared.targets, params)
        runs.append(MethodRun(method, built, shared.places, task.train, shared.held_out, tokenizer, params))
    except LIBRARY_ERRORS as error:
        text = f"{METHODS[method].label} cannot be put on this model ({reason(error)}): it is left out."
        _add_message(builder, "warning", text)


def _before(builder: Builder, shared: Opened, reached: float) -> Generator[Progress | Partial, None, None]:
    """What the model answers before any training. What fails is a message: the methods go on without it."""

    def evaluate(progress: ProgressCallback) -> None:
        answered = answers(shared.base, shared.model.tokenizer, shared.answered, progress, by_length=False)
        summaries.add_answers(builder, None, answered, shared)
        loss = task_loss(shared.base, shared.model.tokenizer, shared.held_out).loss
        note = "per learned token, before any training"
        builder.add({"base.held_out": Metric(loss, "nats", provenance_of(shared.base), note)})

    try:
        yield from phase(reached, reached, evaluate)
    except LIBRARY_ERRORS as error:
        _add_message(builder, "warning", f"The model before training could not be evaluated: {reason(error)}.")


def _inspected(
    builder: Builder, method_run: MethodRun, shared: Opened, start: float, end: float
) -> Generator[Progress | Partial, None, None]:
    """What a trained method answers, its mask and attention, and its evidence. What fails is a message."""
    method = method_run.method
    try:
        answered = yield from phase(
            start,
            end,
            lambda progress: answers(
                method_run.model, shared.model.tokenizer, shared.answered, progress, by_length=method in PROMPTS
            ),
        )
        summaries.add_answers(builder, method, answered, shared)
        _inspect(builder, method_run, shared)
    except LIBRARY_ERRORS as error:
        _add_message(builder, "warning", f"{METHODS[method].label} could not be inspected: {reason(error)}.")


def _inspect(builder: Builder, method_run: MethodRun, shared: Opened) -> None:
    """Each part is put in place at once: what breaks later does not lose it."""
    method, model, tokenizer = method_run.method, method_run.model, shared.model.tokenizer
    batch = one_example(tokenizer, shared.answered[0]).to(shared.base.device)
    prefix = method_run.params.virtual_tokens if method in PROMPTS else 0
    mask, attention = mask_and_attention(model, batch, prefix)
    if mask is not None:
        columns = mask_columns(tokenizer, batch, prefix, "p" if method is MethodId.PROMPT_TUNING else "kv")
        change_method(builder, method, mask=mask, mask_columns=columns)
    change_method(builder, method, attention_to_prefix=attention, vectors=summaries.trained_vectors(method_run))
    if method in PROMPTS:
        change_method(builder, method, objective=prefix_objective(model, shared.base, batch, prefix))
    if method is MethodId.QLORA:
        change_method(builder, method, gradient_evidence=gradient_evidence(model, batch))
    summary = builder.result.method(method).summary
    assert summary is not None
    change_method(builder, method, summary=replace(summary, frozen_unchanged=method_run.frozen_is_unchanged()))


def _progress(method_run: MethodRun, runs: list[MethodRun], params: FineTuningParams) -> Progress:
    taken = sum(params.steps if run.over else run.done for run in runs)
    share = taken / (params.steps * len(params.chosen))
    label = METHODS[method_run.method].label
    loss = f": loss {method_run.losses[-1]:.2f}" if method_run.losses else ""
    what = f"training {label}, step {method_run.done} of {params.steps}{loss}"
    return Progress(_OPENED + (_TRAINED - _OPENED) * share, 1.0, what)


def _add_message(builder: Builder, severity: str, text: str) -> None:
    builder.add(messages=(*builder.result.messages, Message(severity, text)))
