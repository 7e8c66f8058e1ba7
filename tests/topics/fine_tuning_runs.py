"""Runs of the fine-tuning experiment, for its tests."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from core.contracts.events import Partial, Progress
from core.contracts.text import Text
from core.topics.fine_tuning import TOPIC
from core.topics.fine_tuning.methods import METHODS
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.result import FineTuningResult, MethodSummary
from tests.old_result import old_bytes

Events = list[Progress | Partial]
QUICK: dict[str, Any] = {
    "steps": 3,
    "batch": 2,
    "virtual_tokens": 4,
    "prefix_hidden": 8,
    "rank": 2,
    "held_out_every": 2,
    "samples": 4,
    "exact_match_rows": 3,
}


def quick(**changes: Any) -> FineTuningParams:
    """A few steps of a few rows."""
    return FineTuningParams.parse({**QUICK, **changes})


def finished(params: FineTuningParams) -> tuple[FineTuningResult, Events]:
    """The result of a whole run, and what it yielded."""
    steps, events = TOPIC.load_experiment()(params, "cpu"), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return end.value, events


def messages(result: FineTuningResult) -> list[str]:
    return [str(message.text) for message in result.messages]


def as_stored_before(result: FineTuningResult) -> bytes:
    """A run as versions before typed results stored it, with one message."""
    arrays = {"held_out.steps": result.held_out_steps, "gradient.frames": result.gradient_steps}
    for method, run in result.methods.items():
        arrays |= {
            f"loss.{method}": run.losses,
            f"held_out.{method}": run.held_out_losses,
            f"gradient.{method}": run.gradient_norms,
            f"frozen_gradient.{method}": run.frozen_gradients,
            f"mask.{method}": run.mask,
            f"attention_to_prefix.{method}": run.attention_to_prefix,
        }
    metrics = {name: (metric.value, metric.unit, metric.provenance.value) for name, metric in result.metrics.items()}
    return old_bytes(
        result.topic,
        result.params,
        metrics=metrics,
        arrays={name: array for name, array in arrays.items() if array is not None},
        tables=_tables_before(result),
    )


def with_rendered_texts(result: FineTuningResult) -> FineTuningResult:
    """The result with the texts of its summaries as the strings that earlier versions stored."""
    methods = dict(result.methods)
    for method, run in methods.items():
        if (summary := run.summary) is not None:
            memory = replace(summary.memory, how=Text(str(summary.memory.how)))
            texts = {"runs_on": Text(str(summary.runs_on)), "error": Text(str(summary.error))}
            methods[method] = replace(run, summary=replace(summary, memory=memory, **texts))
    return replace(result, methods=methods)


def _tables_before(result: FineTuningResult) -> dict[str, list[dict[str, Any]]]:
    def of_each(name: str) -> list[dict[str, Any]]:
        return [{"method": m.value, **asdict(row)} for m, run in result.methods.items() for row in getattr(run, name)]

    methods, labels = result.methods, of_each("mask_columns")
    for method in methods:
        for position, label in enumerate([row for row in labels if row["method"] == method]):
            label["position"] = position
    return {
        "methods": [_summary_before(run.summary) for run in methods.values() if run.summary is not None],
        "places": [
            {"place": place.id, **asdict(place)}
            | {method.value: (run.trained_at or {}).get(place.id, 0) for method, run in methods.items()}
            for place in result.places
        ],
        "samples": [
            {"row": s.row, "wanted": s.expected, "split": s.split, "before": s.before, **s.answers}
            for s in result.samples
        ],
        "vectors": of_each("vectors"),
        "objective": [{"method": m.value, **asdict(r.objective)} for m, r in methods.items() if r.objective],
        "gradients_through": of_each("gradient_evidence"),
        "mask_labels": labels,
        "messages": [{"severity": "notice", "text": "The small model will be trained anew."}],
    }


def _summary_before(summary: MethodSummary) -> dict[str, Any]:
    row = asdict(summary)
    memory = row.pop("memory") | {"how": str(summary.memory.how)}
    row |= {"runs_on": str(summary.runs_on), "error": str(summary.error)}
    label, where = str(METHODS[summary.method].label), str(METHODS[summary.method].where)
    shares = {"share": summary.share, "frozen_parameters": summary.frozen_parameters}
    return {"label": label, "where": where, "memory_how": memory.pop("how")} | memory | row | shares
