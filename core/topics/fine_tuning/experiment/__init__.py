"""The experiment of the fine-tuning page: all methods train on the same batches, a few steps each in turn."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from time import monotonic

from core.contracts.events import Partial, Progress
from core.contracts.result import Message, Metric
from core.contracts.text import Text, tr
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.language_model.adapters import head_name, is_tied
from core.language_model.evaluation import task_loss
from core.language_model.libraries import LIBRARY_ERRORS, reason
from core.language_model.reach import experts_notice, parts_of, reach_metrics, unquantized_notice
from core.language_model.target_modules import tied_head_notice
from core.language_model.torch_state import torch_threads
from core.topics.fine_tuning.experiment import summaries
from core.topics.fine_tuning.experiment.building import build
from core.topics.fine_tuning.experiment.four_bits import gradient_evidence
from core.topics.fine_tuning.experiment.inspect_example import (
    answers,
    mask_columns,
    masks_and_attention,
    prefix_objective,
    single_example,
)
from core.topics.fine_tuning.experiment.opening import RunSetup, open_setup
from core.topics.fine_tuning.experiment.prefix_layers import cut_notice
from core.topics.fine_tuning.experiment.summaries import Builder, change_method, provenance_of
from core.topics.fine_tuning.experiment.training import MethodRun
from core.topics.fine_tuning.methods import ADAPTERS, KEY_VALUE_PREFIX, METHODS, PROMPTS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import check
from core.topics.fine_tuning.result import FineTuningResult

_OPENED, _TRAINED = 0.03, 0.85
_STEPS_IN_TURN = 4
_PARTIAL_EVERY_S = 0.5
_SMALL_PARAMETERS = 1 << 25


def run(params: FineTuningParams, device: str) -> ExperimentRun:
    """Train the selected methods in turn, with about two Partials per second, then inspect each of them.

    Raises InvalidParams if the model folder cannot be opened or the parameters do not fit the model. A method that
    fails or whose loss becomes NaN or infinite stops with a message; its curves stay and the other methods continue.
    """
    check(params)
    builder = Builder(FineTuningResult(params=params))
    shared = yield from phase(0.0, _OPENED, lambda progress: open_setup(params, device, progress))
    if shared.model.notice:
        _add_message(builder, "notice", shared.model.notice)
    how = provenance_of(shared.base)
    if set(params.chosen) & set(ADAPTERS):
        _tell_what_adapters_reach(builder, params, shared)
    builder.add({"base.parameters": Metric(shared.model.parameters, "parameters", how, shared.model.label)})
    # In a small model, threads spend longer waiting for each other than computing, especially on a busy machine.
    with torch_threads(1 if shared.model.parameters < _SMALL_PARAMETERS else None):
        runs = yield from _train(builder, params, shared)
        for number, method_run in enumerate(runs):
            start, end = (_TRAINED + (1 - _TRAINED) * (number + part) / len(runs) for part in (0, 1))
            yield from _evaluate_and_inspect(builder, method_run, shared, start, end)
            yield Partial(builder.result)
    return builder.result


def _tell_what_adapters_reach(builder: Builder, params: FineTuningParams, shared: RunSetup) -> None:
    """Say which parts of the model adapters do not reach, or QLoRA does not store in 4 bits, with their shares."""
    parts, how = parts_of(shared.base, shared.layers, shared.parameters), provenance_of(shared.base)
    builder.add(reach_metrics(parts, how))
    tied = is_tied(shared.base) and head_name(shared.base) in shared.layers
    for text in (experts_notice(parts, shared.base), tied_head_notice(tied)):
        if text:
            _add_message(builder, "warning", text)
    if MethodId.QLORA in params.chosen:
        share, text = unquantized_notice(parts, shared.base)
        builder.add({"qlora.unquantized": Metric(100 * share, "%", how, text)})


def _train(
    builder: Builder, params: FineTuningParams, shared: RunSetup
) -> Generator[Progress | Partial, None, list[MethodRun]]:
    """Train all methods, a few steps each in turn. Each is built at its first turn. The untrained model is evaluated
    after the first round, when the first curves are visible."""
    runs: list[MethodRun] = []
    waiting = list(params.chosen)
    untrained_evaluated = False
    last_partial = 0.0
    while waiting or any(not run.finished for run in runs):
        if waiting:
            _start_method(builder, waiting.pop(0), runs, shared, params)
        for method_run in runs[-1:] if waiting else runs:
            for _ in range(_STEPS_IN_TURN):
                if not method_run.finished:
                    method_run.advance()
                    if method_run.error:
                        label = METHODS[method_run.method].label
                        _add_message(builder, "warning", tr("{run}: {error}", run=label, error=method_run.error))
                    yield _progress(method_run, runs, params)
                if monotonic() - last_partial > _PARTIAL_EVERY_S:
                    summaries.add_training(builder, runs, shared)
                    yield Partial(builder.result)
                    last_partial = monotonic()
        if not waiting and not untrained_evaluated:
            untrained_evaluated = True
            summaries.add_training(builder, runs, shared)
            done = _progress(runs[-1], runs, params).done if runs else _TRAINED
            yield from _evaluate_untrained(builder, shared, done)
    summaries.add_training(builder, runs, shared)
    yield Partial(builder.result)
    return runs


def _start_method(
    builder: Builder, method: MethodId, runs: list[MethodRun], shared: RunSetup, params: FineTuningParams
) -> None:
    """Build a method and append it to `runs`. If it cannot be built on this model, add a message instead."""
    task, tokenizer = shared.task, shared.model.tokenizer
    try:
        parameters = () if method is MethodId.ADALORA else shared.parameters  # peft's AdaLoRA refuses them
        built = build(method, shared.base, tokenizer, task.train, shared.targets, params, parameters)
        runs.append(MethodRun(method, built, shared.places, task.train, shared.held_out, tokenizer, params))
    except LIBRARY_ERRORS as error:
        text = tr(
            "{method} is left out, because it cannot be built on this model: {reason}",
            method=METHODS[method].label,
            reason=reason(error),
        )
        _add_message(builder, "warning", text)


def _evaluate_untrained(builder: Builder, shared: RunSetup, done: float) -> Generator[Progress | Partial, None, None]:
    """Evaluate the model before training. A failure becomes a message and does not stop the methods."""

    def evaluate(progress: ProgressCallback) -> None:
        answered = answers(shared.base, shared.model.tokenizer, shared.answered, progress, by_length=False)
        summaries.add_answers(builder, None, answered, shared)
        loss = task_loss(shared.base, shared.model.tokenizer, shared.held_out).loss
        note = tr("per labelled token, before training")
        builder.add({"base.held_out": Metric(loss, "nats", provenance_of(shared.base), note)})

    try:
        yield from phase(done, done, evaluate)
    except LIBRARY_ERRORS as error:
        text = tr("The model before training could not be evaluated: {reason}", reason=reason(error))
        _add_message(builder, "warning", text)


def _evaluate_and_inspect(
    builder: Builder, method_run: MethodRun, shared: RunSetup, start: float, end: float
) -> Generator[Progress | Partial, None, None]:
    """Add the answers of a trained method, its mask, its attention and its evidence. A failure becomes a message."""
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
        text = tr("{method} could not be inspected: {reason}", method=METHODS[method].label, reason=reason(error))
        _add_message(builder, "warning", text)


def _inspect(builder: Builder, method_run: MethodRun, shared: RunSetup) -> None:
    """Add each part as soon as it is known, so that a later failure does not lose it."""
    method, model, tokenizer = method_run.method, method_run.model, shared.model.tokenizer
    batch = single_example(tokenizer, shared.answered[0]).to(shared.base.device)
    prefix = method_run.params.virtual_tokens if method in PROMPTS else 0
    masks, attention = masks_and_attention(model, batch, prefix)
    if masks:
        columns = mask_columns(tokenizer, batch, prefix, "p" if method is MethodId.PROMPT_TUNING else "kv")
        # Layers without a window come first. If every layer has one, the first mask is among those of windows too.
        windows = masks if masks[0].cuts(prefix) else masks[1:]
        change_method(builder, method, mask=masks[0].mask, window_masks=windows, mask_columns=columns)
    if method in KEY_VALUE_PREFIX:
        for text in cut_notice(METHODS[method].label, masks, prefix):
            _add_message(builder, "warning", text)
    change_method(builder, method, attention_to_prefix=attention, vectors=summaries.trained_vectors(method_run))
    if method in PROMPTS:
        change_method(builder, method, objective=prefix_objective(model, shared.base, batch, prefix))
    if method is MethodId.QLORA:
        change_method(builder, method, gradient_evidence=gradient_evidence(model, batch))
    summary = builder.result.method(method).summary
    assert summary is not None
    change_method(builder, method, summary=replace(summary, frozen_unchanged=method_run.frozen_is_unchanged()))


def _progress(method_run: MethodRun, runs: list[MethodRun], params: FineTuningParams) -> Progress:
    steps_done = sum(params.steps if run.finished else run.done for run in runs)
    share = steps_done / (params.steps * len(params.chosen))
    label = METHODS[method_run.method].label
    activity = (
        tr(
            "training {method}, step {step} of {steps}: loss {loss:.2f}",
            method=label,
            step=method_run.done,
            steps=params.steps,
            loss=method_run.losses[-1],
        )
        if method_run.losses
        else tr("training {method}, step {step} of {steps}", method=label, step=method_run.done, steps=params.steps)
    )
    return Progress(_OPENED + (_TRAINED - _OPENED) * share, 1.0, activity)


def _add_message(builder: Builder, severity: str, text: Text) -> None:
    builder.add(messages=(*builder.result.messages, Message(severity, text)))
