"""The experiment of the fine-tuning page: every method trained on the same batches, a few steps each in turn."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from time import monotonic

import torch

from core.contracts.events import Partial, Progress
from core.contracts.result import Environment, Metric, Provenance
from core.contracts.result_builder import Draft, as_partial
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.hardware.host import cpu_name
from core.language_model.evaluation import task_loss
from core.language_model.libraries import WHAT_LIBRARIES_RAISE, reason
from core.language_model.torch_state import torch_threads
from core.topics.fine_tuning.experiment import tables
from core.topics.fine_tuning.experiment.answering import answers
from core.topics.fine_tuning.experiment.building import build
from core.topics.fine_tuning.experiment.inspect_example import (
    column_labels,
    mask_and_attention,
    objective_row,
    one_example,
)
from core.topics.fine_tuning.experiment.opening import Opened, opened
from core.topics.fine_tuning.experiment.qlora_gradients import gradient_rows
from core.topics.fine_tuning.experiment.training import MethodRun
from core.topics.fine_tuning.methods import METHODS, PROMPTS, MethodId
from core.topics.fine_tuning.model.plan import check
from core.topics.fine_tuning.params import FineTuningParams
from core.versions import versions

_OPENED, _TRAINED = 0.03, 0.85
_STEPS_IN_TURN = 4
_PARTIAL_EVERY_S = 0.5
_SMALL_PARAMETERS = 1 << 25
_LIBRARIES = ("transformers", "peft", "bitsandbytes")


def run(params: FineTuningParams, device: str) -> ExperimentRun:
    """Every array, table and metric of payload.py, with Partials on the way: curves grow side by side.

    Raises InvalidParams for a model folder that cannot be opened and for what the model has no room for. A method that
    breaks, or whose loss is no number, stops with a message; its curves stay and the others go on.
    """
    check(params)
    findings = Draft("fine-tuning", params, _environment(device))
    shared = yield from phase(0.0, _OPENED, lambda progress: opened(params, device, progress))
    if shared.model.notice:
        _add_message(findings, "notice", shared.model.notice)
    how = Provenance.MEASURED_CPU if torch.device(device).type == "cpu" else Provenance.MEASURED
    findings.metrics["base.parameters"] = Metric(shared.model.parameters, "parameters", how, shared.model.name)
    # In a small model threads wait for each other longer than they compute, on a busy machine many times as long.
    with torch_threads(1 if shared.model.parameters < _SMALL_PARAMETERS else None):
        runs = yield from _trained(findings, params, shared)
        for number, method_run in enumerate(runs):
            start, end = (_TRAINED + (1 - _TRAINED) * (number + part) / len(runs) for part in (0, 1))
            yield from _looked_at(findings, method_run, shared, start, end)
            yield Partial(as_partial(findings.result()))
    return findings.result()


def _trained(
    findings: Draft, params: FineTuningParams, shared: Opened
) -> Generator[Progress | Partial, None, list[MethodRun]]:
    """All methods, a few steps each in turn; built when their first turn comes. What the model says before is asked
    after the first round, when there are curves to look at."""
    runs: list[MethodRun] = []
    waiting = list(params.chosen)
    asked_before = False
    told_at = 0.0
    while waiting or any(not found.over for found in runs):
        if waiting:
            _begin(findings, waiting.pop(0), runs, shared, params)
        for method_run in runs[-1:] if waiting else runs:
            for _ in range(_STEPS_IN_TURN):
                if not method_run.over:
                    method_run.advance()
                    if method_run.error:
                        _add_message(findings, "warning", f"{METHODS[method_run.method].label}: {method_run.error}")
                    yield _progress(method_run, runs, params)
                if monotonic() - told_at > _PARTIAL_EVERY_S:
                    tables.add_training(findings, runs, shared)
                    yield Partial(as_partial(findings.result()))
                    told_at = monotonic()
        if not waiting and not asked_before:
            asked_before = True
            tables.add_training(findings, runs, shared)
            reached = _progress(runs[-1], runs, params).done if runs else _TRAINED
            yield from _before(findings, shared, params, reached)
    tables.add_training(findings, runs, shared)
    yield Partial(as_partial(findings.result()))
    return runs


def _begin(findings: Draft, method: MethodId, runs: list[MethodRun], shared: Opened, params: FineTuningParams) -> None:
    """A method that cannot be built on this model is left out, with a message."""
    task, tokenizer = shared.task, shared.model.tokenizer
    try:
        built = build(method, shared.base, tokenizer, task.train, shared.targets, params)
        runs.append(MethodRun(method, built, shared.places, task.train, shared.held_out, tokenizer, params))
    except WHAT_LIBRARIES_RAISE as error:
        text = f"{METHODS[method].label} cannot be put on this model ({reason(error)}): it is left out."
        _add_message(findings, "warning", text)


def _before(
    findings: Draft, shared: Opened, params: FineTuningParams, reached: float
) -> Generator[Progress | Partial, None, None]:
    """What the model says before any training. What cannot be asked is a message: the methods go on without it."""

    def ask(progress: ProgressCallback) -> None:
        found = answers(shared.base, shared.model.tokenizer, shared.answered, progress, by_length=False)
        tables.add_answers(findings, None, found, shared, params.samples)
        loss = task_loss(shared.base, shared.model.tokenizer, shared.held_out).loss
        how = findings.metrics["base.parameters"].provenance
        findings.metrics["base.held_out"] = Metric(loss, "nats", how, "per learned token, before any training")

    try:
        yield from phase(reached, reached, ask)
    except WHAT_LIBRARIES_RAISE as error:
        _add_message(findings, "warning", f"The model before training could not be evaluated: {reason(error)}.")


def _looked_at(
    findings: Draft, method_run: MethodRun, shared: Opened, start: float, end: float
) -> Generator[Progress | Partial, None, None]:
    """What a trained method answers, where it looks, and its evidence. What cannot be looked at is a message."""
    method, params = method_run.method, method_run.params
    try:
        found = yield from phase(
            start,
            end,
            lambda progress: answers(
                method_run.model, shared.model.tokenizer, shared.answered, progress, by_length=method in PROMPTS
            ),
        )
        tables.add_answers(findings, method, found, shared, params.samples)
        _look(findings, method_run, shared)
    except WHAT_LIBRARIES_RAISE as error:
        _add_message(findings, "warning", f"{METHODS[method].label} could not be looked at: {reason(error)}.")


def _look(findings: Draft, method_run: MethodRun, shared: Opened) -> None:
    method, model, arrays, rows = method_run.method, method_run.model, findings.arrays, findings.tables
    tokenizer = shared.model.tokenizer
    batch = one_example(tokenizer, shared.answered[0]).to(shared.base.device)
    prefix = method_run.params.virtual_tokens if method in PROMPTS else 0
    mask, attention = mask_and_attention(model, batch, prefix)
    if mask is not None:
        arrays[f"mask.{method.value}"] = mask
        name = "p" if method is MethodId.PROMPT_TUNING else "kv"
        labels = column_labels(method.value, tokenizer, batch, prefix, name)
        rows["mask_labels"] = [*rows.get("mask_labels", []), *labels]
    if attention is not None:
        arrays[f"attention_to_prefix.{method.value}"] = attention
    rows["vectors"] = [*rows.get("vectors", []), *tables.vector_rows(method_run)]
    if method in PROMPTS:
        row = objective_row(method.value, model, shared.base, batch, prefix)
        rows["objective"] = [*rows.get("objective", []), row]
    if method is MethodId.QLORA:
        rows["gradients_through"] = gradient_rows(model, batch)
    for row in rows["methods"]:
        if row["method"] == method.value:
            row["frozen_unchanged"] = method_run.frozen_is_unchanged()


def _progress(method_run: MethodRun, runs: list[MethodRun], params: FineTuningParams) -> Progress:
    taken = sum(params.steps if found.over else found.done for found in runs)
    share = taken / (params.steps * len(params.chosen))
    label = METHODS[method_run.method].label
    loss = f": loss {method_run.losses[-1]:.2f}" if method_run.losses else ""
    what = f"training {label}, step {method_run.done} of {params.steps}{loss}"
    return Progress(_OPENED + (_TRAINED - _OPENED) * share, 1.0, what)


def _add_message(findings: Draft, severity: str, text: str) -> None:
    told = findings.tables.get("messages", [])
    findings.tables["messages"] = [*told, {"severity": severity, "text": text}]


def _environment(device: str) -> Environment:
    on_cuda = torch.device(device).type == "cuda"
    name = f"cuda ({torch.cuda.get_device_name(device)})" if on_cuda else f"cpu ({cpu_name()})"
    libraries = {}
    for library in _LIBRARIES:
        with suppress(PackageNotFoundError):
            libraries[library] = version(library)
    return Environment(name, "torch, transformers, peft", {**versions(), **libraries})
