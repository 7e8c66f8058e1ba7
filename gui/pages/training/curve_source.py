"""What the curves show: a stage of a run, or the log that the user opened. Renames and regroups."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts.result import Provenance
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.topics.training.curves import Curves
from core.topics.training.plan import Plan
from core.topics.training.remarks import Remark, remarks
from core.topics.training.result import TrainingResult
from core.topics.training.sabotage import SABOTAGES
from core.topics.training.stage_ids import STAGE_LABELS
from gui.pages.training.route_layout import OWN_LOG

REMARK_NAMES = {
    "not-finite": tr("NaN or inf"),
    "kl-runaway": tr("KL runaway"),
    "zero-deviation": tr("zero reward deviation"),
    "entropy-collapse": tr("entropy collapse"),
    "ln-2": tr("stuck at ln 2"),
    "never-clipped": tr("never clipped"),
    "reward-hacking": tr("reward hacking"),
}


@dataclass(frozen=True, eq=False)
class CurveSource:
    """`key` is the stage or OWN_LOG. `empty` says what to do if there are no curves. `notes` are sentences about the
    log; `sabotaged` are the metrics that show a mistake made on purpose."""

    key: str
    title: Text
    curves: Curves | None
    steps: int
    provenance: Provenance | None = None
    remarks: tuple[Remark, ...] = ()
    notes: tuple[Text, ...] = ()
    sabotaged: tuple[str, ...] = ()
    empty: Text = EMPTY


def curve_source(plan: Plan, result: TrainingResult | None, key: str) -> CurveSource:
    """The curves of a stage, or of the user's log."""
    return _own_log(plan) if key == OWN_LOG else _stage(plan, result, key)


def _stage(plan: Plan, result: TrainingResult | None, stage: str) -> CurveSource:
    run = None if result is None else result.stages.get(stage)
    title = STAGE_LABELS[stage]
    sabotage = plan.sabotage if result is None else SABOTAGES[result.params.sabotage]
    sabotaged = sabotage.metrics.get(stage, ())
    look_for = (sabotage.look_for,) if sabotaged else ()
    if result is None or run is None or not len(run.curves.steps):
        return CurveSource(
            stage, title, None, plan.stages[stage].steps, notes=look_for, empty=_nothing_yet(plan, result, stage)
        )
    errors = (run.error,) if run.error else ()
    return CurveSource(
        stage,
        title,
        run.curves,
        run.steps,
        Provenance.RECORDED if run.recorded else result.measured,
        remarks(run.curves),
        (*errors, *look_for),
        sabotaged,
    )


def _nothing_yet(plan: Plan, result: TrainingResult | None, stage: str) -> Text:
    title = STAGE_LABELS[stage]
    if not plan.stages[stage].runs:
        return tr(
            "{stage} is not among the stages to run. Choose all stages or {stage} under Route in the form, then run "
            "(F5).",
            stage=title,
        )
    if result is None:
        return tr("Run (F5) to see the curves of {stage} here while it trains.", stage=title)
    return tr("{stage} has no curves yet: it comes after the stages that it needs.", stage=title)


def _own_log(plan: Plan) -> CurveSource:
    log, title = plan.own_log, tr("Your log")
    if log is None:
        how = tr(
            "Drop a trainer_state.json of TRL, or a log of JSON lines, on the map; or open it under Files in the form."
        )
        return CurveSource(OWN_LOG, title, None, 1, empty=plan.log_problem or how)
    notes = []
    if log.without_steps:
        notes.append(tr("The log names no steps: its lines were counted."))
    if log.broken_lines:
        notes.append(tr("{count:,} lines are no JSON objects and were left out.", count=log.broken_lines))
    if not log.remarks:
        notes.append(tr("Nothing conspicuous: none of the known troubles is in this log."))
    steps = int(log.curves.steps[-1]) if len(log.curves.steps) else 1
    name = verbatim(log.path.rsplit("/", 1)[-1])
    return CurveSource(OWN_LOG, name, log.curves, steps, None, log.remarks, tuple(notes))
