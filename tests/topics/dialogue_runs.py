"""Runs of the dialogue experiment on a tiny model and a few conversations, for its tests."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import pytest

from core.contracts.events import Partial, Progress
from core.language_model.model import build_model
from core.language_model.model_config import STANDARD, ModelConfig
from core.language_model.small_model import small_model
from core.topics.dialogue import experiment, training_set
from core.topics.dialogue.experiment import generations, memory, packed_leaks, position_model, positions, setting
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.result import DialogueResult

Events = list[Progress | Partial]
TINY = ModelConfig(hidden=16, layers=1, heads=2, intermediate=32, context=400)


def quick(**changes: Any) -> DialogueParams:
    """A few steps of every training."""
    return DialogueParams.parse({"steps": 4, "batch_size": 2, "turns": 2, **changes})


@pytest.fixture
def tiny_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs use an untrained model with the small model's tokenizer; little is trained and asked."""
    shipped = small_model(STANDARD)
    tiny = replace(shipped, model=build_model(TINY))
    monkeypatch.setattr(experiment, "small_model", lambda config, progress: tiny)
    monkeypatch.setattr(training_set, "CONVERSATIONS", 12)
    monkeypatch.setattr(setting, "HELD_OUT_CONVERSATIONS", 6)
    monkeypatch.setattr(generations, "GENERATIONS", 4)
    monkeypatch.setattr(generations, "NEW_TOKENS", 5)
    monkeypatch.setattr(packed_leaks, "ASKED", 3)
    monkeypatch.setattr(packed_leaks, "ANSWER_TOKENS", 4)
    monkeypatch.setattr(positions, "STEPS", 2)
    monkeypatch.setattr(position_model, "WIDTH", 16)
    monkeypatch.setattr(training_set, "_sets", OrderedDict())
    monkeypatch.setattr(memory, "_last", [])


def finished(params: DialogueParams) -> tuple[DialogueResult, Events]:
    """The result of a run, and what it yielded."""
    events: Events = []
    run = experiment.run(params, "cpu")
    try:
        while True:
            events.append(next(run))
    except StopIteration as stop:
        result: DialogueResult = stop.value
        return result, events


def messages(result: DialogueResult) -> list[str]:
    return [str(message.text) for message in result.messages]
