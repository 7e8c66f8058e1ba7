"""Prepares a plan or a run for the page's pictures. Renames and regroups; computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.contracts.result import Provenance
from core.contracts.text import EMPTY, Text, listed, tr, tr_in
from core.format import format_quantity
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.plan import Plan
from core.topics.fine_tuning.result import (
    ADAPTERS,
    FIRST_ADAPTERS,
    FROZEN_WEIGHTS,
    LAYER_INPUT,
    UNSEEN_PERSON,
    UNSTATED_FACT,
    FineTuningResult,
    GradientEvidence,
    MethodSummary,
)
from core.topics.fine_tuning.trained_modules import MethodCounts
from gui.charts.series import Series, Style
from gui.pages.fine_tuning.method_costs import MethodCost
from gui.pages.fine_tuning.method_picker import MethodTile
from gui.pages.fine_tuning.transformer_grid import TrainedModules, TransformerGrid, place_name
from gui.widgets.metric_bar import Number
from gui.widgets.samples_table import BEFORE, Sample, Variant

ORDER = tuple(method.value for method in METHODS)
"""Ids of the methods in the order of their numbers, which start at 1."""

SHORT: dict[str, Text | str] = {
    "full": tr_in("method", "Full"),
    "prefix-tuning": "Prefix",
    "prompt-tuning": "Prompt",
    "p-tuning-v2": "P-v2",
    "lora": "LoRA",
    "qlora": "QLoRA",
    "adalora": "Ada",
}
_IN_LEGEND = {"prefix-tuning": "Prefix", "prompt-tuning": "Prompt", "p-tuning-v2": "P-v2"}
_SPLIT_LABELS = {UNSEEN_PERSON: tr("unseen person"), UNSTATED_FACT: tr("unstated fact")}
_EVIDENCE_LABELS = {
    ADAPTERS: tr("adapters"),
    FIRST_ADAPTERS: tr("adapters of the first layer"),
    FROZEN_WEIGHTS: tr("frozen 4-bit weights"),
    LAYER_INPUT: tr("input of a 4-bit layer"),
}

Run = FineTuningResult | None


def label(method: str) -> str:
    return str(METHODS[MethodId(method)].label)


def trains_where(method: str) -> str:
    return str(METHODS[MethodId(method)].where)


def has_losses(run: Run, method: str) -> bool:
    return run is not None and run.method(method).losses is not None


def summary_of(run: Run, method: str) -> MethodSummary | None:
    """The method's numbers in a run, None if there are none yet."""
    return None if run is None else run.method(method).summary


# The diagram.


def grid(plan: Plan, run: Run) -> TransformerGrid:
    """The places of the run, or of the plan without a run."""
    return TransformerGrid(plan.places if run is None or not run.places else run.places)


def trained_modules(plan: Plan, run: Run, method: str, step: int | None) -> TrainedModules:
    """What a method trains at each place, with the gradients at a step (None for the newest) if a run measured them."""
    places = grid(plan, run).places
    trained = None if run is None or not run.places else run.method(method).trained_at
    if run is None or trained is None:
        planned = plan.counts[MethodId(method)].trained_at
        return TrainedModules(tuple(planned.get(place.id, 0) for place in places))
    return TrainedModules(
        tuple(trained.get(place.id, 0) for place in places),
        run.gradients_at(method, step),
        run.method(method).frozen_gradients,
    )


def frames(run: Run) -> list[int]:
    """The steps with recorded gradients, up to the most advanced method."""
    return [] if run is None or run.gradient_steps is None else run.gradient_steps.tolist()


def tile(plan: Plan, run: Run, method: str, modules: TrainedModules) -> MethodTile:
    """A method's button with its trainable share, or the reason why there is none."""
    summary, counts = summary_of(run, method), plan.counts[MethodId(method)]
    if summary is not None and run is not None:
        facts, about = _share_facts(summary.share), _trains(summary, run.measured)
    elif run is not None and method not in run.params.chosen:
        facts, about = (tr("not in this run"), tr("not run")), tr("modelled from shapes")
    else:
        facts, about = _share_facts(counts.share), _trains(counts, Provenance.MODELLED)
    error = EMPTY if summary is None else summary.error
    stopped = tr("stopped: {reason}", reason=error) if error else EMPTY
    lines = label(method), trains_where(method), about, stopped
    return MethodTile(
        key=method,
        name=label(method),
        short=str(SHORT[method]),
        facts=(str(tr("stopped")),) if error else tuple(map(str, facts)),
        modules=modules,
        tip="\n".join(str(line) for line in lines if line),
        broken=bool(error),
        ink=ORDER.index(method),
    )


def _trains(counts: MethodSummary | MethodCounts, provenance: Provenance) -> Text:
    return tr(
        "{trainable:,} of {total:,} parameters train; {provenance}",
        trainable=counts.trainable_parameters,
        total=counts.total_parameters,
        provenance=provenance.label,
    )


def _share_facts(share: float) -> tuple[Text | str, ...]:
    percent = format_quantity(100 * share, "%")
    return tr("{share} trained", share=percent), percent


# Numbers and costs.


def key_metrics(plan: Plan, run: Run, method: str) -> list[tuple[Provenance, list[Number]]]:
    """The selected method's parameters and results from a run; without a run, the numbers that follow from shapes."""
    summary = summary_of(run, method)
    if summary is None or run is None:
        return [(Provenance.MODELLED, _planned_numbers(plan, method))]
    numbers = [
        Number(
            str(tr("trained by {method}", method=label(method))),
            f"{summary.trainable_parameters:,}",
            trains_where(method),
            short=str(tr("trained")),
        ),
        Number(
            str(tr("share of all")),
            _percent(summary.share),
            str(tr("of {parameters:,} parameters", parameters=summary.total_parameters)),
            short=str(tr("share")),
        ),
        Number(
            str(tr("memory per step")),
            format_quantity(summary.memory.total_bytes, "bytes"),
            str(summary.memory.how),
            short=str(tr("memory")),
        ),
        *_outcome(summary),
    ]
    return [(run.measured, numbers)]


def _planned_numbers(plan: Plan, method: str) -> list[Number]:
    counts, base = plan.counts[MethodId(method)], plan.base_parameters
    state = counts.memory.gradients_bytes + counts.memory.optimizer_bytes
    total = tr("of {parameters:,} parameters, including those added by the method", parameters=counts.total_parameters)
    return [
        Number(
            str(tr("trained by {method}", method=label(method))),
            f"{counts.trainable_parameters:,}",
            trains_where(method),
            short=str(tr("trained")),
        ),
        Number(str(tr("share of all parameters")), _percent(counts.share), str(total), short=str(tr("share"))),
        Number(
            str(tr("frozen model parameters")),
            f"{base if method != 'full' else 0:,}",
            str(tr("of {parameters:,} parameters", parameters=base)),
            short=str(tr("frozen")),
        ),
        Number(
            str(tr("gradients and optimizer")),
            format_quantity(state, "bytes"),
            str(tr("float32, AdamW; modelled")),
            short=str(tr("memory")),
        ),
    ]


def _outcome(summary: MethodSummary) -> list[Number]:
    numbers = [
        Number(
            str(tr("held-out loss")),
            _quantity(summary.held_out_loss, "nats"),
            str(tr("Nats per token, on rows about people who are not in the training data.")),
            short=str(tr("held out")),
        ),
        Number(
            str(tr("exact, unseen")),
            _percent(summary.exact_match_unseen),
            str(tr("The share of exactly matching answers about people who are not in the training data.")),
            short=str(tr_in("exact match", "unseen")),
        ),
        Number(
            str(tr("exact, unstated")),
            _percent(summary.exact_match_untold),
            str(
                tr(
                    "The share of exactly matching answers for facts that no text states. The model has to copy them "
                    "from the row."
                )
            ),
            short=str(tr_in("exact match", "unstated")),
        ),
        Number(
            str(tr("steps/s")),
            _quantity(summary.steps_per_s),
            str(tr("Steps per second on this machine, without evaluations.")),
        ),
    ]
    if not summary.error:
        return numbers
    return [*numbers, Number(str(tr("stopped early")), "!", str(summary.error), "bad")]


def _percent(share: float | None) -> str:
    return _quantity(None if share is None else 100 * share, "%")


def _quantity(value: float | None, unit: str = "") -> str:
    return "—" if value is None else format_quantity(value, unit)


def costs(plan: Plan, run: Run) -> tuple[MethodCost, ...]:
    """The costs of a run if it has any, else modelled costs. The two are never mixed."""
    if run is None or not run.has_summaries:
        return tuple(MethodCost(method, plan.summary(method), trains_where(method)) for method in METHODS)
    return tuple(_measured_cost(run, method) for method in METHODS)


def _measured_cost(run: FineTuningResult, method: MethodId) -> MethodCost:
    summary = run.method(method).summary
    if summary is not None:
        return MethodCost(method, summary, trains_where(method))
    about = tr("nothing measured yet") if method in run.params.chosen else tr("not in this run")
    return MethodCost(method, None, str(about))


# Curves and answers.


def losses(run: Run, chosen: str) -> list[Series]:
    """The loss of each batch. The selected method comes first, so a narrow legend keeps it; the others are faint."""
    values = {} if run is None else {method: run.method(method).losses for method in ORDER}
    points = {method: (np.arange(1, len(y) + 1), y) for method, y in values.items() if y is not None}
    return _series(points, chosen, "line")


def held_out_losses(run: Run, chosen: str) -> list[Series]:
    """The loss on held-out rows."""
    if run is None or run.held_out_steps is None:
        return []
    steps, values = run.held_out_steps, {method: run.method(method).held_out_losses for method in ORDER}
    points = {method: (steps[: len(y)], y[: len(steps)]) for method, y in values.items() if y is not None}
    return _series(points, chosen, "rings")


def _series(points: Mapping[str, tuple[np.ndarray, np.ndarray]], chosen: str, style: Style) -> list[Series]:
    return [
        Series(_IN_LEGEND.get(method, label(method)), x, y, ORDER.index(method), style if method == chosen else "faint")
        for method, (x, y) in sorted(points.items(), key=lambda item: item[0] != chosen)
        if len(x)
    ]


def answers(run: Run) -> tuple[list[Variant], list[Sample]]:
    """The held-out rows of a run with all answers. The columns of marks have the methods' numbers as titles."""
    if run is None or not run.samples:
        return [], []
    methods = [method for method in ORDER if method in run.samples[0].answers]
    variants = [Variant(method, label(method), SHORT[method], str(ORDER.index(method) + 1)) for method in methods]
    samples = [
        Sample(
            sample.row,
            sample.expected,
            {BEFORE.key: sample.before, **sample.answers},
            _SPLIT_LABELS.get(sample.split, sample.split),
        )
        for sample in run.samples
    ]
    return [BEFORE, *variants], samples


# What is trained, place by place.


@dataclass(frozen=True)
class TrainedPart:
    """A place where a method trains `count` parameters. `shape` is the shape of the added vectors, if a run found
    it."""

    place: str
    count: int
    shape: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        return place_name(self.place)


def trained_parts(plan: Plan, run: Run, method: str) -> tuple[list[TrainedPart], bool]:
    """The vectors that a method adds, if a run found them, else the trained parameters by place; and whether they were
    measured."""
    method_result = None if run is None else run.method(method)
    if method_result is not None and method_result.vectors:
        return [TrainedPart(vectors.place, vectors.count, vectors.shape) for vectors in method_result.vectors], True
    measured = None if method_result is None else method_result.trained_at
    counts = plan.counts[MethodId(method)].trained_at if measured is None else measured
    return [TrainedPart(place, count) for place, count in counts.items() if count], measured is not None


def gradients_sentence(run: Run, method: str) -> Text:
    """Which tensors got gradients, if a run checked it."""
    parts = [_evidence_text(evidence) for evidence in (() if run is None else run.method(method).gradient_evidence)]
    return tr("Tensors with a gradient after backward: {parts}.", parts=listed(parts)) if parts else EMPTY


def _evidence_text(evidence: GradientEvidence) -> Text:
    values = {
        "tensors": _EVIDENCE_LABELS.get(evidence.what, evidence.what),
        "count": evidence.with_gradient,
        "total": evidence.tensors,
    }
    if not evidence.norm:
        return tr("{tensors} {count} of {total}", **values)
    return tr("{tensors} {count} of {total} (norm {norm})", norm=format_quantity(evidence.norm), **values)


def objective_sentence(run: Run, method: str) -> Text:
    """The objective of a prefix method, from the model and computed separately, if a run checked it."""
    objective = None if run is None else run.method(method).objective
    if objective is None:
        return EMPTY
    return tr(
        "On one held-out example the loss is {loss:.4f} nats per token, and −log p(y | prefix, x) is {by_hand:.4f}. "
        "Without the prefix the loss is {without_prefix:.4f}.",
        loss=objective.loss,
        by_hand=objective.by_hand,
        without_prefix=objective.without_prefix,
    )
