"""Runs of the fine-tuning experiment, for its tests."""

from __future__ import annotations

from typing import Any

from core.contracts.events import Partial, Progress
from core.contracts.result import Result
from core.topics.fine_tuning import TOPIC
from core.topics.fine_tuning.params import FineTuningParams

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


def finished(params: FineTuningParams) -> tuple[Result, Events]:
    """The result of a whole run, and what it yielded."""
    steps, events = TOPIC.load_experiment()(params, "cpu"), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return end.value, events


def messages(result: Result) -> list[str]:
    return [row["text"] for row in result.tables.get("messages", [])]
