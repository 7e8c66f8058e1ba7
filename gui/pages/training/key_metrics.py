"""The numbers of the selected stage, above the cards."""

from __future__ import annotations

import math

from core.contracts.result import Provenance
from core.contracts.text import Text, tr, tr_in, verbatim
from core.format import format_quantity
from core.topics.training.curves import Curves
from core.topics.training.own_log import OwnLog
from core.topics.training.plan import Plan
from core.topics.training.remarks import CLIPPED_SHARE, why_not_clipped
from core.topics.training.result import StageRun, TrainingResult
from core.topics.training.stage_ids import PRETRAINING, SFT, STAGE_LABELS
from gui.pages.training.metric_groups import VIEWS, view_of
from gui.pages.training.route_layout import OWN_LOG
from gui.pages.training.stage_nodes import UNITS, headline, model_words
from gui.widgets.metric_bar import Number

_MOST = 7
_KL, _CLIPPED = "eval/kl", ("policy/clipfrac_avg", "clip_ratio/region_mean")
Group = tuple[Provenance | None, list[Number]]
_METRICS: tuple[tuple[str, Text, Text, str], ...] = (
    ("eval_loss", tr("held-out loss"), tr("held out"), "nats"),
    ("eval_accuracy", tr("held-out accuracy"), tr("held out"), "%"),
    ("eval/true_reward", tr("true reward"), tr("reward"), ""),
    ("eval/scores", tr("reward model's score"), tr("score"), ""),
    (_KL, tr("KL to SFT, exact"), verbatim("KL"), "nats"),
    (_CLIPPED[0], tr("largest clipped share"), tr("clipped"), "%"),
    (_CLIPPED[1], tr("largest clipped share"), tr("clipped"), "%"),
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
    for metric, label, short, unit in _METRICS:
        # Nobody knows how the user's KL was computed.
        shown_label = tr("KL to SFT") if metric == _KL else label
        if math.isfinite(log.curves.last(metric)):
            value = _shown(log.curves, metric, unit)
            found.append(Number(str(shown_label), str(value), metric, short=str(short)))
    return found[:_MOST]


def _shown(curves: Curves, metric: str, unit: str) -> Text | str:
    """The last value; of the clipped share the largest, because it falls to almost 0 with the learning rate."""
    steps, values = curves.points(metric)
    percent = 100.0 if unit == "%" else 1.0
    if metric not in _CLIPPED or values.max() < CLIPPED_SHARE:
        return format_quantity(percent * float(values[-1]), unit)
    highest = int(values.argmax())
    share = format_quantity(percent * float(values[highest]), unit)
    return tr("{share} at step {step}", share=share, step=int(steps[highest]))


def _detail(curves: Curves, metric: str) -> str:
    """What the number means, and where the page draws it."""
    lines = {_KL: _KL_WORDS, _CLIPPED[0]: _CLIPPED_WORDS, _CLIPPED[1]: _CLIPPED_WORDS}.get(metric)
    if lines is None:
        return metric
    values = curves.points(metric)[1]
    found = [*lines, _where(metric)]
    if metric in _CLIPPED and values.max() < CLIPPED_SHARE:
        found.append(why_not_clipped(metric, curves))
    elif metric in _CLIPPED:
        found.append(tr("At the last step: {share}.", share=format_quantity(100 * float(values[-1]), "%")))
    return "\n".join(map(str, found))


def _where(metric: str) -> Text:
    view = view_of(metric)
    assert view is not None
    return tr("{metric} over the steps: Curves, {view}.", metric=metric, view=VIEWS[view].title)


_KL_WORDS = (
    tr(
        "KL: by what factor the policy's answers are likelier under the policy than under the SFT model, as a mean "
        "logarithm; 1 nat is a factor of e = 2.72."
    ),
    tr("Exact: the whole vocabulary is compared at every token. objective/kl is estimated from the sampled tokens."),
)
_CLIPPED_WORDS = (
    tr(
        "Clipping: a token whose probability has changed by more than the clip range, in the direction of its "
        "advantage, gets no gradient any more."
    ),
    tr("Clipped tokens are underlined in Token by token."),
)


def _measured(run: StageRun) -> list[Number]:
    name = str(STAGE_LABELS[run.stage])
    done = tr("{done:,} of {steps:,}", done=run.steps_done, steps=run.steps)
    found = [Number(str(tr("{stage}, steps", stage=name)), str(done), short=str(tr("steps")))]
    if run.stage in (PRETRAINING, SFT) and headline(run.stage, run.curves):
        found.append(Number(str(tr("loss")), format_quantity(run.curves.last("loss"), "nats"), "loss"))
    for metric, label, short, unit in _METRICS:
        counts = metric != "num_tokens" or run.stage not in (PRETRAINING, SFT)
        if counts and math.isfinite(run.curves.last(metric)):
            value = _shown(run.curves, metric, unit)
            found.append(Number(str(label), str(value), _detail(run.curves, metric), short=str(short)))
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
