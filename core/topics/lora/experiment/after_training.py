"""What is measured on the trained models: updates, answers, merges, saved adapters and kernels."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from core.contracts.events import Partial, Progress
from core.contracts.result import Metric
from core.contracts.text import Text, listed, tr
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.language_model.evaluation import exact_match
from core.language_model.libraries import LIBRARY_ERRORS, reason
from core.topics.lora.experiment import checks, summary
from core.topics.lora.experiment.merging import measure_merges, merge_metrics, swallowed_notices
from core.topics.lora.experiment.runs import ANSWERED_ROWS, Run, held_out_rows
from core.topics.lora.experiment.saving import saved_and_loaded
from core.topics.lora.experiment.setting import Setting
from core.topics.lora.experiment.summary import Builder
from core.topics.lora.experiment.updates import measure_updates
from core.topics.lora.params import LoraParams
from core.topics.lora.result import AnsweredRow
from core.wording import NOT_TRACED, reason_of
from kernels.errors import KernelError
from kernels.launching import has_triton

TRAINED, _MEASURED, _ANSWERED = 0.8, 0.85, 0.95

Steps = Generator[Progress | Partial, None, None]


def measure_after_training(builder: Builder, params: LoraParams, setting: Setting, runs: list[Run]) -> Steps:
    """Measurements on the trained models. One that fails becomes a message; all other results stay."""
    by_id = {run.id: run for run in runs}
    recorder = by_id["adalora"].recorder
    assert recorder is not None
    builder.add(
        checks=(*builder.result.checks, *checks.allocator_checks(recorder)),
        held_out_pairs=summary.held_out_pairs(runs),
    )

    def measure(progress: ProgressCallback) -> None:
        updates = measure_updates(by_id, setting.base.model, setting.names, params.target_r, progress)
        builder.add(spectra=updates.spectra, factors=updates.factors)
        if updates.approximate:
            text = tr("The matrices are large, so their singular values come from a randomized method.")
            builder.add_message("notice", text)
        summary.add_matrices(builder, params, setting.matrices, recorder, updates)

    yield from _or_warning(builder, _measuring_failed, TRAINED, _MEASURED, measure)
    yield Partial(builder.result)
    if params.exact_match:
        yield from _or_warning(
            builder,
            _answering_failed,
            _MEASURED,
            _ANSWERED,
            lambda progress: _add_answers(builder, setting, runs, progress),
        )
    adapted = [run for run in runs if run.id != "full" and not run.error]
    yield from _or_warning(
        builder, _merging_failed, _ANSWERED, _ANSWERED, lambda _: _add_merging(builder, setting, adapted)
    )
    yield Partial(builder.result)
    lora = by_id["lora"]
    if not lora.error:
        yield from _or_warning(
            builder,
            _merging_failed,
            _ANSWERED,
            _ANSWERED,
            lambda progress: _add_merges(builder, setting, lora, progress),
        )
    for run in adapted:
        yield from _or_warning(
            builder,
            _saving_failed,
            _ANSWERED,
            _ANSWERED,
            lambda _, run=run: _add_saved(builder, setting, run),  # type: ignore[misc]
        )
    yield Partial(builder.result)


def _add_merges(builder: Builder, setting: Setting, lora: Run, progress: ProgressCallback) -> None:
    merged = measure_merges(lora, setting.base.model, setting.names, setting.batch, progress)
    builder.add(merge_metrics(merged, builder.measured), merges=merged.matrices)
    for text in swallowed_notices(merged):
        builder.add_message("notice", text)


def _add_saved(builder: Builder, setting: Setting, run: Run) -> None:
    saved = saved_and_loaded(run, setting.base.model, setting.batch)
    what = tr("{run}: saved and loaded again, logits relative to the largest", run=run.label)
    compared = checks.check(what, saved.max_error, checks.MERGED_LIMIT)
    note = tr("{tensors} tensors, {empty} of them empty (rank 0)", tensors=saved.tensors, empty=saved.empty_tensors)
    builder.add(
        {f"saved.{run.id}.bytes": Metric(saved.bytes, "B", builder.measured, note)},
        saved=(*builder.result.saved, saved),
        checks=(*builder.result.checks, compared),
    )
    builder.add_number(f"saved.{run.id}.max_error", saved.max_error, what)
    builder.add_message("notice", saved.resumes)
    if not compared.passed:
        text = tr("{run}: the adapter does not come back as it was saved; see the checks.", run=run.label)
        builder.add_message("warning", text)


def _saving_failed(reason: Text) -> Text:
    return tr("The adapter could not be saved and loaded again: {reason}", reason=reason)


def _or_warning(
    builder: Builder,
    failure: Callable[[Text], Text],
    start: float,
    end: float,
    work: Callable[[ProgressCallback], None],
) -> Steps:
    """Run a phase. If it fails, add the `failure` with its reason as a warning and continue."""
    try:
        yield from phase(start, end, work)
    except KernelError as error:
        builder.add_message("warning", failure(reason_of(error)))
    except LIBRARY_ERRORS as error:
        builder.add_message("warning", failure(reason(error)))


def _measuring_failed(reason: Text) -> Text:
    return tr("The updates could not be measured: {reason}", reason=reason)


def _answering_failed(reason: Text) -> Text:
    return tr("Held-out rows could not be answered: {reason}", reason=reason)


def _merging_failed(reason: Text) -> Text:
    return tr("Merged weights could not be compared: {reason}", reason=reason)


def _tracing_failed(reason: Text) -> Text:
    return tr("The Triton kernels could not be traced: {reason}", reason=reason)


def _add_merging(builder: Builder, setting: Setting, adapted: Sequence[Run]) -> None:
    """Compare merged and unmerged logits of the runs without an error. The last step of a run may still have left NaN
    or infinite weights; such a run is not compared."""
    merged = {run.label: checks.merge_error(run, setting.batch) for run in adapted}
    for label in [label for label, errors in merged.items() if not all(map(math.isfinite, errors))]:
        del merged[label]
        text = tr("{run}: the logits are NaN or inf after training, so merging was not compared.", run=label)
        builder.add_message("warning", text)
    if not merged:
        return
    compared = [
        checks.check(
            tr("{run}: merged against unmerged logits, relative to the largest", run=label),
            error / max(1.0, largest),
            checks.MERGED_LIMIT,
        )
        for label, (error, largest) in merged.items()
    ]
    error, largest = max(merged.values(), key=lambda errors: errors[0] / max(1.0, errors[1]))
    note = tr(
        "logit error relative to the largest logit: {error:.2g} of {largest:.3g}; the larger value of {runs}",
        error=error,
        largest=largest,
        runs=listed(merged),
    )
    builder.add(
        {"merge.max_abs_error": Metric(error / max(1.0, largest), "", builder.measured, note)},
        checks=(*builder.result.checks, *compared),
    )


def _add_answers(builder: Builder, setting: Setting, runs: Sequence[Run], progress: ProgressCallback) -> None:
    """Add the answers of each model and their exact-match share."""
    rows = held_out_rows(setting.task)[:ANSWERED_ROWS]
    models = {"before": setting.base.model} | {run.id: run.model for run in runs}
    answers = {}
    for done, (name, model) in enumerate(models.items()):

        def model_progress(part: float, total: float, _: Text, done: int = done) -> None:
            progress(done + part / total, len(models), tr("answering held-out rows"))

        answers[name] = exact_match(model, setting.base.tokenizer, rows, model_progress)
    builder.add(
        runs={run: replace(row, exact_match=answers[run].accuracy) for run, row in builder.result.runs.items()},
        samples=tuple(
            AnsweredRow(example.row, example.sentence, {name: each.texts[index] for name, each in answers.items()})
            for index, example in enumerate(rows)
        ),
    )


def run_kernels(builder: Builder, params: LoraParams, setting: Setting, lora: Run, device: str) -> Steps:
    """Run the kernels on LoRA's trained weights. Skipped if LoRA stopped early, because its weights may be NaN and
    correct kernels would then look wrong."""
    if lora.error:
        builder.add_message("notice", tr("LoRA stopped early, so the Triton kernels were not run on its weights."))
        return
    if not has_triton():
        builder.add_message("warning", NOT_TRACED)
        return
    from core.topics.lora.experiment.kernels import add_kernels

    def trace(progress: ProgressCallback) -> None:
        add_kernels(builder, params, lora, setting.names[0], device, progress)

    yield from _or_warning(builder, _tracing_failed, _ANSWERED, 1.0, trace)
