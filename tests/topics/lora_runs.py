"""Runs of the lora experiment on the tiny model, for its tests."""

from __future__ import annotations

from typing import Any

from core.contracts.events import Partial, Progress
from core.topics.lora import TOPIC
from core.topics.lora.params import LoraParams
from core.topics.lora.result import LoraResult

Events = list[Progress | Partial]

QUICK: dict[str, Any] = {
    "steps": 24,
    "batch": 4,
    "tinit": 4,
    "tfinal": 8,
    "delta_t": 3,
    "init_r": 6,
    "target_r": 3,
    "held_out_every": 10,
    "exact_match": False,
    "kernels": False,
}
"""A run of about two seconds."""


def finished(**changes: Any) -> tuple[LoraResult, Events]:
    """The result of a whole quick run with some parameters changed, and what it yielded."""
    params = LoraParams.parse(QUICK | changes)
    steps, events = TOPIC.load_experiment()(params, "cpu"), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return end.value, events


def messages(result: LoraResult) -> list[str]:
    return [str(message.text) for message in result.messages]
