"""What the page's pictures show, taken from a plan or a run. Renames and regroups; computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.contracts.result import Provenance
from core.format import format_quantity
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.plan import Plan
from core.topics.fine_tuning.result import FineTuningResult, MethodSummary
from gui.charts.series import Series, Style
from gui.pages.fine_tuning.method_costs import MethodCost
from gui.pages.fine_tuning.method_picker import MethodTile
from gui.pages.fine_tuning.transformer_grid import TrainedModules, TransformerGrid, place_name
from gui.widgets.metric_bar import Number
from gui.widgets.samples_table import BEFORE, Sample, Variant

ORDER = tuple(method.value for method in METHODS)
"""Ids of the methods as they are numbered, from 1."""

SHORT = {
    "full": "Full",
    "prefix-tuning": "Prefix",
    "prompt-tuning": "Prompt",
    "p-tuning-v2": "P-v2",
    "lora": "LoRA",
    "qlora": "QLoRA",
    "adalora": "Ada",
}
_IN_LEGEND = {"prefix-tuning": "Prefix", "prompt-tuning": "Prompt", "p-tuning-v2": "P-v2"}

Run = FineTuningResult | None


def label(method: str) -> str:
    return METHODS[MethodId(method)].label


def trains_where(method: str) -> str:
    return str(METHODS[MethodId(method)].where)


def has_losses(run: Run, method: str) -> bool:
    return run is not None and run.method(method).losses is not None


def summary_of(run: Run, method: str) -> MethodSummary | None:
    """The method's numbers of a run; None before there are any."""
    return None if run is None else run.method(method).summary


# The diagram.


def grid(plan: Plan, run: Run) -> TransformerGrid:
    """The run's places, else the plan's."""
    return TransformerGrid(plan.places if run is None or not run.places else run.places)


def trained_modules(plan: Plan, run: Run, method: str, step: int | None) -> TrainedModules:
    """What a method does at each place, with the gradients at a step (the newest for None) where a run measured it."""
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
    """The steps whose gradients were kept, of the method that is furthest."""
    return [] if run is None or run.gradient_steps is None else run.gradient_steps.tolist()


def tile(plan: Plan, run: Run, method: str, modules: TrainedModules) -> MethodTile:
    """A method's button: its share, or why it has none."""
    summary, counts = summary_of(run, method), plan.counts[MethodId(method)]
    if summary is not None and run is not None:
        facts = _share_facts(summary.share)
        about = f"{summary.trainable_parameters:,} of {summary.total_parameters:,} parameters train; {run.measured}"
    elif run is not None and method not in run.params.chosen:
        facts, about = ("not in this run", "not run"), "modelled from shapes"
    else:
        facts = _share_facts(counts.share)
        about = f"{counts.trainable_parameters:,} of {counts.total_parameters:,} parameters; modelled"
    error = "" if summary is None else summary.error
    lines = label(method), trains_where(method), about, error and f"stopped: {error}"
    return MethodTile(
        key=method,
        name=label(method),
        short=SHORT[method],
        facts=("stopped",) if error else facts,
        modules=modules,
        tip="\n".join(line for line in lines if line),
        broken=bool(error),
        ink=ORDER.index(method),
    )


def _share_facts(share: float) -> tuple[str, ...]:
    percent = format_quantity(100 * share, "%")
    return f"{percent} trains", percent


# Numbers and costs.


def key_metrics(plan: Plan, run: Run, method: str) -> list[tuple[Provenance, list[Number]]]:
    """What the chosen method trains and what came of it, of a run; else what follows from shapes."""
    summary = summary_of(run, method)
    if summary is None or run is None:
        return [(Provenance.MODELLED, _planned_numbers(plan, method))]
    numbers = [
        Number(f"train with {label(method)}", f"{summary.trainable_parameters:,}", trains_where(method)),
        Number("of all", _percent(summary.share), f"of {summary.total_parameters:,}"),
        Number("memory per step", format_quantity(summary.memory.total_bytes, "bytes"), summary.memory.how),
        *_outcome(summary),
    ]
    return [(run.measured, numbers)]


def _planned_numbers(plan: Plan, method: str) -> list[Number]:
    counts, base = plan.counts[MethodId(method)], plan.base_parameters
    state = counts.memory.gradients_bytes + counts.memory.optimizer_bytes
    total = f"{counts.total_parameters:,} with what the method adds"
    return [
        Number(f"train with {label(method)}", f"{counts.trainable_parameters:,}", trains_where(method)),
        Number("of all parameters", _percent(counts.share), total),
        Number("parameters of the model stay", f"{base if method != 'full' else 0:,}", f"of {base:,}, frozen"),
        Number("gradients and optimizer", format_quantity(state, "bytes"), "float32, AdamW; modelled"),
    ]


def _outcome(summary: MethodSummary) -> list[Number]:
    numbers = [
        Number(
            "held-out loss",
            _quantity(summary.held_out_loss, "nats"),
            "Nats per token, on rows of people who are not in the training",
        ),
        Number(
            "exact, unseen",
            _percent(summary.exact_match_unseen),
            "Of people not in the training: answers that are the expected sentence, letter by letter",
        ),
        Number(
            "exact, untold",
            _percent(summary.exact_match_untold),
            "Facts that were in no text at all: they have to be copied",
        ),
        Number("steps/s", _quantity(summary.steps_per_s), "On this machine, evaluation left out"),
    ]
    return [*numbers, Number("stopped early", "!", summary.error, "bad")] if summary.error else numbers


def _percent(share: float | None) -> str:
    return _quantity(None if share is None else 100 * share, "%")


def _quantity(value: float | None, unit: str = "") -> str:
    return "—" if value is None else format_quantity(value, unit)


def costs(plan: Plan, run: Run) -> tuple[MethodCost, ...]:
    """Of a run where it has any, else modelled: the two are never mixed."""
    if run is None or not run.has_summaries:
        return tuple(MethodCost(method, plan.summary(method), trains_where(method)) for method in METHODS)
    return tuple(_measured_cost(run, method) for method in METHODS)


def _measured_cost(run: FineTuningResult, method: MethodId) -> MethodCost:
    summary = run.method(method).summary
    if summary is not None:
        return MethodCost(method, summary, trains_where(method))
    return MethodCost(method, None, "nothing measured yet" if method in run.params.chosen else "not in this run")


# Curves and answers.


def losses(run: Run, chosen: str) -> list[Series]:
    """The loss of each batch; the chosen method comes first, which a narrow legend keeps, and others are faint."""
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
    """The held-out rows of a run with every answer; the numbers of the methods head their marks."""
    if run is None or not run.samples:
        return [], []
    methods = [method for method in ORDER if method in run.samples[0].answers]
    variants = [Variant(method, label(method), SHORT[method], str(ORDER.index(method) + 1)) for method in methods]
    samples = [
        Sample(sample.row, sample.expected, {BEFORE.key: sample.before, **sample.answers}, sample.split)
        for sample in run.samples
    ]
    return [BEFORE, *variants], samples


# What is trained, place by place.


@dataclass(frozen=True)
class TrainedPart:
    """A place where a method trains; `shape` is that of the vectors it adds there, where a run tells."""

    place: str
    count: int
    shape: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        return place_name(self.place)


def trained_parts(plan: Plan, run: Run, method: str) -> tuple[list[TrainedPart], bool]:
    """The vectors that a method adds, where a run tells; else what trains at each place. Second: was it measured?"""
    of_run = None if run is None else run.method(method)
    if of_run is not None and of_run.vectors:
        return [TrainedPart(vectors.place, vectors.count, vectors.shape) for vectors in of_run.vectors], True
    measured = None if of_run is None else of_run.trained_at
    counts = plan.counts[MethodId(method)].trained_at if measured is None else measured
    return [TrainedPart(place, count) for place, count in counts.items() if count], measured is not None


def gradients_sentence(run: Run, method: str) -> str:
    """Which gradients there were, where a run looked; '' where it did not."""
    parts = [
        f"{evidence.what}: {evidence.with_gradient} of {evidence.tensors} tensors have a gradient"
        + (f" (norm {format_quantity(evidence.norm)})" if evidence.norm else "")
        for evidence in (() if run is None else run.method(method).gradient_evidence)
    ]
    return f"Gradients after backward. {'; '.join(parts)}." if parts else ""


def objective_sentence(run: Run, method: str) -> str:
    """What a method with a prefix optimizes, by the model and by hand; '' where a run did not look."""
    objective = None if run is None else run.method(method).objective
    if objective is None:
        return ""
    return (
        f"One held-out example: the loss is {objective.loss:.4f} nats per token, −log p(y | prefix, x) by hand "
        f"{objective.by_hand:.4f}; with the prefix taken off {objective.without_prefix:.4f}."
    )
