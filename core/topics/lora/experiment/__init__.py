"""The experiment of the lora page: three runs side by side, and how they change the matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from time import monotonic, perf_counter

import torch

from core.contracts.events import Partial, Progress
from core.contracts.result import Metric
from core.contracts.text import Text, listed, tr
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.language_model.adapters import adapted_layers, target_modules
from core.language_model.data import Batch, ordered_batches
from core.language_model.evaluation import exact_match
from core.language_model.folder import open_folder
from core.language_model.libraries import LIBRARY_ERRORS, import_peft, reason
from core.language_model.model_config import STANDARD
from core.language_model.small_model import SmallModel, small_model
from core.language_model.table_task import TableTask, table_task
from core.language_model.torch_state import torch_threads
from core.language_model.world import build_world
from core.topics.lora.experiment import checks, summary
from core.topics.lora.experiment.runs import ANSWERED_ROWS, Run, adalora_run, full_run, held_out_rows, lora_run
from core.topics.lora.experiment.summary import Builder
from core.topics.lora.experiment.updates import measure_updates
from core.topics.lora.matrices import Matrix, check_ranks, matrix_from_name
from core.topics.lora.params import LoraParams
from core.topics.lora.plan import check, check_copies
from core.topics.lora.result import AnsweredRow
from core.wording import NOT_TRACED, reason_of
from kernels.errors import KernelError
from kernels.launching import has_triton

_OPENED, _TRAINED, _MEASURED, _ANSWERED = 0.05, 0.8, 0.85, 0.95
_SMALL_PARAMETERS = 1 << 25
_PARTIALS_EVERY_S = 0.5
_CHECKED_ROWS = 16


Steps = Generator[Progress | Partial, None, None]


@dataclass
class _Setting:
    """The model, task and matrices that all runs share."""

    base: SmallModel
    task: TableTask
    targets: list[str]
    names: list[str]
    matrices: list[Matrix]
    batch: Batch


def run(params: LoraParams, device: str) -> ExperimentRun:
    """Train three runs in turn, with about two Partials per second, then measure how they changed the matrices.

    Raises InvalidParams for an unusable model folder, unknown target modules or impossible ranks. A run whose loss
    becomes NaN or infinite stops and keeps its curves; the others continue.
    """
    started = monotonic()
    check(params)
    builder = Builder(params, device)
    builder.add(summary.gpt_3_metrics())
    setting = yield from phase(0.0, _OPENED, lambda progress: _open_setting(params, device, progress))
    builder.add_message("notice", setting.base.notice)
    with torch_threads(1 if setting.base.parameters < _SMALL_PARAMETERS else None):
        runs = _prepared_runs(builder, params, setting)
        yield from _train(builder, params, setting, runs, started)
        yield from _measure_after_training(builder, params, setting, runs)
        if params.kernels:
            yield from _kernels(builder, params, setting, runs[0], device)
    return builder.result


def _open_setting(params: LoraParams, device: str, progress: ProgressCallback) -> _Setting:
    base = (
        open_folder(params.model.strip(), progress, "model")
        if params.model.strip()
        else small_model(STANDARD, progress)
    )
    progress(1, 1, tr("importing peft"))
    import_peft()
    targets = target_modules(base.model, params.target_modules)
    names = adapted_layers(base.model, targets)
    _check_copies(base, names, params)
    base.model.to(torch.device(device))
    matrices = [_matrix(base.model, name) for name in names]
    check_ranks(params, matrices)
    task = table_task(base.world or build_world(params.seed))
    batch = next(ordered_batches(held_out_rows(task)[:_CHECKED_ROWS], base.tokenizer, _CHECKED_ROWS))
    return _Setting(base, task, targets, names, matrices, batch)


def _check_copies(base: SmallModel, names: Sequence[str], params: LoraParams) -> None:
    full_parameters = sum(base.model.get_submodule(name).weight.numel() for name in names)
    check_copies(params, base.parameters, full_parameters if params.compare_full else 0)


def _prepared_runs(builder: Builder, params: LoraParams, setting: _Setting) -> list[Run]:
    """The runs before their first step. Checks that the adapters change nothing yet."""
    base, task = setting.base, setting.task
    runs = [
        lora_run(params, base, task, setting.targets),
        adalora_run(params, base, task, setting.targets, setting.names),
    ]
    logits = checks.logits_of(base.model, setting.batch)
    changes = {run.label: checks.largest_start_change(run, logits, setting.batch) for run in runs}
    unchanged = [
        checks.check(tr("{run}: largest change of a logit before the first step", run=label), change, 0.0)
        for label, change in changes.items()
    ]
    note = tr("{logits:,} logits, both adapters", logits=logits.numel())
    builder.add(
        {"start.max_abs_change": Metric(max(changes.values()), "", builder.measured, note)},
        checks=(*unchanged, *checks.count_checks(params, runs, setting.matrices)),
    )
    if params.compare_full:
        runs.append(full_run(params, base, task, setting.names))
    if params.call_update and params.init_r == params.target_r:
        builder.add_message(
            "notice",
            tr(
                "init_r equals target_r: PEFT's update_and_allocate raises an error if there is nothing to prune, so "
                "only the scores are updated."
            ),
        )
    return runs


def _train(builder: Builder, params: LoraParams, setting: _Setting, runs: list[Run], started: float) -> Steps:
    """The runs take steps in turn, so that their curves grow side by side."""
    rows = held_out_rows(setting.task)
    evaluated: list[int] = []
    shown_at = 0.0
    for step in range(1, params.steps + 1):
        for run in runs:
            if not run.finished:
                run.advance()
                done = step - 1 + runs.index(run) / len(runs)
                share = _OPENED + (_TRAINED - _OPENED) * done / params.steps
                yield Progress(share, 1.0, tr("step {step} of {steps}", step=step, steps=params.steps))
        if all(run.finished for run in runs):
            break
        if step % params.held_out_every == 0 or step == params.steps:
            evaluated.append(step)
            for run in runs:
                if not run.finished:
                    run.evaluate(setting.base.tokenizer, rows)
        if "first_curve_s" not in builder.result.metrics:
            note = tr("from the start of the run to its first curves")
            builder.add({"first_curve_s": Metric(monotonic() - started, "s", builder.measured, note)})
        if perf_counter() - shown_at >= _PARTIALS_EVERY_S:
            _add_training(builder, params, setting, runs, evaluated)
            yield Partial(builder.result)
            shown_at = perf_counter()
    _add_training(builder, params, setting, runs, evaluated)
    for run in runs:
        if run.error:
            builder.add_message("warning", tr("{run}: {error}", run=run.label, error=run.error))
    yield Partial(builder.result)


def _add_training(
    builder: Builder, params: LoraParams, setting: _Setting, runs: Sequence[Run], evaluated: Sequence[int]
) -> None:
    summary.add_curves(builder, runs, evaluated)
    recorder = next((run.recorder for run in runs if run.recorder), None)
    if recorder is not None:
        summary.add_history(builder, recorder, setting.matrices)
    summary.add_matrices(builder, params, setting.matrices, recorder)


def _measure_after_training(builder: Builder, params: LoraParams, setting: _Setting, runs: list[Run]) -> Steps:
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

    yield from _or_warning(builder, _measuring_failed, _TRAINED, _MEASURED, measure)
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


def _add_merging(builder: Builder, setting: _Setting, adapted: Sequence[Run]) -> None:
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


def _add_answers(builder: Builder, setting: _Setting, runs: Sequence[Run], progress: ProgressCallback) -> None:
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


def _kernels(builder: Builder, params: LoraParams, setting: _Setting, lora: Run, device: str) -> Steps:
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


def _matrix(model: torch.nn.Module, name: str) -> Matrix:
    layer = model.get_submodule(name)
    weight = layer.weight
    assert isinstance(weight, torch.Tensor)
    first, second = weight.shape
    # GPT-2's Conv1D stores its weights as [in, out].
    rows, columns = (first, second) if isinstance(layer, torch.nn.Linear) else (second, first)
    return matrix_from_name(name, rows, columns)
