"""The numbers of the selected stage, above the cards."""

from __future__ import annotations

import math

from core.contracts.result import Provenance
from core.contracts.text import Text, tr, tr_in, verbatim
from core.format import format_quantity
from core.topics.training.own_log import OwnLog
from core.topics.training.plan import Plan
from core.topics.training.result import StageRun, TrainingResult
from core.topics.training.stage_ids import PRETRAINING, SFT, STAGE_LABELS
from gui.pages.training.route_layout import OWN_LOG
from gui.pages.training.stage_nodes import UNITS, headline, model_words
from gui.widgets.metric_bar import Number

_MOST = 7
Group = tuple[Provenance | None, list[Number]]
_METRICS: tuple[tuple[str, Text, Text, str], ...] = (
    ("eval_loss", tr("held-out loss"), tr("held out"), "nats"),
    ("eval_accuracy", tr("held-out accuracy"), tr("held out"), "%"),
    ("eval/true_reward", tr("true reward"), tr("reward"), ""),
    ("eval/scores", tr("reward model's score"), tr("score"), ""),
    ("eval/kl", tr("KL to SFT"), verbatim("KL"), "nats"),
    ("policy/clipfrac_avg", tr("clipped share"), tr("clipped"), "%"),
    ("rewards/margins", tr("reward margin"), tr("margin"), ""),
    ("num_tokens", tr("generated tokens"), tr("tokens"), ""),
)


def numbers(plan: Plan, result: TrainingResult | None, stage: str) -> list[Group]:
    """Measured numbers of the stage if it ran, else what follows from the parameters. Of the user's log, what is in
    it."""
    if stage == OWN_LOG:
        return [(None, [] if plan.own_log is None else _of_log(plan.own_log))]
    run = None if result is None else result.stages.get(stage)
    if result is None or run is None:
        return [(Provenance.MODELLED, _planned(plan, stage))]
    return [(Provenance.RECORDED if run.recorded else result.measured, _measured(run))]


def _of_log(log: OwnLog) -> list[Number]:
    facts = (
        (tr("steps"), len(log.curves.steps)),
        (tr("metrics"), len(log.curves.metrics)),
        (tr("remarks"), len(log.remarks)),
    )
    found = [Number(str(label), f"{count:,}") for label, count in facts]
    values = ((metric, label, short, unit, log.curves.last(metric)) for metric, label, short, unit in _METRICS)
    found += [
        Number(str(label), format_quantity(100 * value if unit == "%" else value, unit), metric, short=str(short))
        for metric, label, short, unit, value in values
        if math.isfinite(value)
    ]
    return found[:_MOST]


def _measured(run: StageRun) -> list[Number]:
    name = str(STAGE_LABELS[run.stage])
    done = tr("{done:,} of {steps:,}", done=run.steps_done, steps=run.steps)
    found = [Number(str(tr("{stage}, steps", stage=name)), str(done), short=str(tr("steps")))]
    if run.stage in (PRETRAINING, SFT) and headline(run.stage, run.curves):
        found.append(Number(str(tr("loss")), format_quantity(run.curves.last("loss"), "nats"), "loss"))
    for metric, label, short, unit in _METRICS:
        value = run.curves.last(metric)
        if math.isfinite(value) and not (metric == "num_tokens" and run.stage in (PRETRAINING, SFT)):
            shown = format_quantity(100 * value if unit == "%" else value, unit)
            found.append(Number(str(label), shown, metric, short=str(short)))
    if run.seconds:
        found.append(Number(str(tr_in("duration", "time")), format_quantity(run.seconds, "s")))
    if not run.error:
        return found[:_MOST]
    return [*found[: _MOST - 1], Number(str(tr("stopped early")), "!", str(run.error), "bad")]


def _planned(plan: Plan, stage: str) -> list[Number]:
    planned = plan.stages[stage]
    models = planned.models
    trained = sum(model.trained for model in models)
    held = Number(
        str(tr("models in memory")),
        str(tr("{models} ({trained} trained)", models=len(models), trained=trained)),
        "\n".join(str(model_words(model)) for model in models),
        short=str(tr("models")),
    )
    size = Number(
        str(tr("memory")),
        format_quantity(planned.bytes, "bytes"),
        str(tr("Weights, gradients and the two moments of AdamW, in float32; without activations.")),
    )
    steps = Number(str(tr("{stage}, steps", stage=planned.label)), f"{planned.steps:,}", short=str(tr("steps")))
    unit = UNITS[planned.unit]
    batch = Number(str(tr("{unit} per step", unit=unit)), f"{planned.batch:,}", short=str(unit))
    found = [steps, batch]
    if planned.available is not None:
        found.append(Number(str(tr("different pairs")), f"{planned.available:,}", short=str(unit)))
    return [*found, held, size]
