"""Runs of the quantization experiment, for its tests."""

from __future__ import annotations

from core.contracts.events import Partial, Progress
from core.topics.quantization import TOPIC
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import QuantizationResult

Events = list[Progress | Partial]


def finished(params: QuantizationParams, device: str = "cpu") -> tuple[QuantizationResult, Events]:
    """The result of a whole run, and what it yielded."""
    steps, events = TOPIC.load_experiment()(params, device), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return end.value, events


def messages(result: QuantizationResult) -> list[str]:
    return [str(message.text) for message in result.messages]
