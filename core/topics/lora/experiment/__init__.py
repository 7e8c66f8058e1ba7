"""The experiment of the lora page: three runs side by side, and how they change the matrices."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, perf_counter

from core.contracts.events import Partial, Progress
from core.contracts.result import Metric
from core.contracts.text import tr
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.language_model.torch_state import torch_threads
from core.topics.lora.experiment import checks, summary
from core.topics.lora.experiment.after_training import TRAINED, Steps, measure_after_training, run_kernels
from core.topics.lora.experiment.runs import Run, adalora_run, full_run, held_out_rows, lora_run
from core.topics.lora.experiment.setting import Setting, expert_sides, open_setting, tell_what_adapters_reach
from core.topics.lora.experiment.summary import Builder
from core.topics.lora.params import LoraParams
from core.topics.lora.plan import check
from core.topics.lora.schedule import total_step_mismatch

_OPENED = 0.05
_SMALL_PARAMETERS = 1 << 25
_PARTIALS_EVERY_S = 0.5


def run(params: LoraParams, device: str) -> ExperimentRun:
    """Train three runs in turn, with about two Partials per second, then measure how they changed the matrices.

    Raises InvalidParams for an unusable model folder, unknown target modules or impossible ranks. A run whose loss
    becomes NaN or infinite stops and keeps its curves; the others continue.
    """
    started = monotonic()
    check(params)
    builder = Builder(params, device)
    builder.add(summary.gpt_3_metrics())
    setting = yield from phase(0.0, _OPENED, lambda progress: open_setting(params, device, progress))
    builder.add_message("notice", setting.base.notice)
    tell_what_adapters_reach(builder, setting)
    with torch_threads(1 if setting.base.parameters < _SMALL_PARAMETERS else None):
        runs = _prepared_runs(builder, params, setting)
        yield from _train(builder, params, setting, runs, started)
        yield from measure_after_training(builder, params, setting, runs)
        if params.kernels:
            yield from run_kernels(builder, params, setting, runs[0], device)
    return builder.result


def _prepared_runs(builder: Builder, params: LoraParams, setting: Setting) -> list[Run]:
    """The runs before their first step. Checks that the adapters change nothing yet."""
    base, task = setting.base, setting.task
    runs = [
        lora_run(params, base, task, setting.targets, setting.parameters),
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
        checks=(*unchanged, *checks.count_checks(params, runs, setting.matrices, expert_sides(setting))),
    )
    if params.compare_full:
        runs.append(full_run(params, base, task, setting.names))
    builder.add_message("warning", total_step_mismatch(params))
    if params.call_update and params.init_r == params.target_r:
        builder.add_message(
            "notice",
            tr(
                "init_r equals target_r: PEFT's update_and_allocate raises an error if there is nothing to prune, so "
                "only the scores are updated."
            ),
        )
    return runs


def _train(builder: Builder, params: LoraParams, setting: Setting, runs: list[Run], started: float) -> Steps:
    """The runs take steps in turn, so that their curves grow side by side."""
    rows = held_out_rows(setting.task)
    evaluated: list[int] = []
    shown_at = 0.0
    for step in range(1, params.steps + 1):
        for run in runs:
            if not run.finished:
                run.advance()
                done = step - 1 + runs.index(run) / len(runs)
                share = _OPENED + (TRAINED - _OPENED) * done / params.steps
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
    builder: Builder, params: LoraParams, setting: Setting, runs: Sequence[Run], evaluated: Sequence[int]
) -> None:
    summary.add_curves(builder, runs, evaluated)
    recorder = next((run.recorder for run in runs if run.recorder), None)
    if recorder is not None:
        summary.add_history(builder, recorder, setting.matrices)
    summary.add_matrices(builder, params, setting.matrices, recorder)
