"""Runs of the training experiment on the tiny model, for its tests."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from core.contracts import archive
from core.contracts.events import Partial, Progress
from core.language_model.cache import Cache
from core.language_model.model_config import TINY
from core.language_model.small_model import SmallModel, small_model
from core.topics.training import TOPIC, experiment, settings
from core.topics.training.experiment import answering, knowledge, measuring
from core.topics.training.params import TrainingParams
from core.topics.training.result import TrainingResult
from core.topics.training.stages.configs import SftConfig

Events = list[Progress | Partial]
QUICK: dict[str, Any] = {
    "sft_steps": 3,
    "sft_batch": 4,
    "pairs": 3,
    "reward_steps": 2,
    "ppo_steps": 2,
    "dpo_steps": 2,
    "grpo_steps": 2,
    "rollouts": 4,
    "grpo_group": 2,
    "max_tokens": 8,
    "knowledge": False,
    "epochs": False,
}


def quick(**changes: Any) -> TrainingParams:
    """A few steps of every stage."""
    return TrainingParams.parse({**QUICK, **changes})


@cache
def _tiny(folder: Path) -> SmallModel:
    return small_model(TINY, cache=Cache(folder))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> SmallModel:
    return _tiny(tmp_path_factory.mktemp("language-models"))


@pytest.fixture
def tiny_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_model: SmallModel) -> Path:
    """Runs use the tiny model and keep their files in the returned folder; little is asked."""
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(experiment, "small_model", lambda config, progress: tiny_model)
    monkeypatch.setattr(experiment, "model_config", lambda params: replace(TINY, steps=params.pretraining_steps))
    monkeypatch.setattr(answering, "QUESTION_TOKENS", 4)
    monkeypatch.setattr(measuring, "FINAL_ANSWERS", 8)
    few = partial(SftConfig, questions=24, descriptions=24, refusals=8)
    monkeypatch.setattr(settings, "SftConfig", few)
    numbers = {"NEW_FACTS": 6, "EPOCH_EXAMPLES": 16, "EPOCH_HELD_OUT": 4, "EPOCH_BATCH": 4, "EPOCHS": 3}
    for name, value in numbers.items():
        monkeypatch.setattr(knowledge, name, value)
    return tmp_path / "data" / "training"


def finished(params: TrainingParams, killed_in: str = "") -> tuple[TrainingResult | None, Events]:
    """The result of a run and what it yielded. A run that is killed in the phase that begins so has no result."""
    steps, events = TOPIC.load_experiment()(params, "cpu"), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return end.value, events
        event = events[-1]
        if killed_in and isinstance(event, Progress) and str(event.phase).startswith(killed_in):
            steps.close()
            return None, events


def result_of(params: TrainingParams) -> TrainingResult:
    result, _ = finished(params)
    assert result is not None
    return result


def figures(result: TrainingResult) -> Any:
    """All that a run measured, without times, and without what tells that it continued."""
    tree = archive.plain(result)
    for run in tree["runs"]:
        for stage in run["stages"].values():
            for name in ("seconds", "resumed_from", "log"):
                del stage[name]
    tree["metrics"] = {name: value for name, value in tree["metrics"].items() if value["unit"] != "s"}
    tree["outcomes"] = [row for row in tree["outcomes"] if not row["metric"].endswith("seconds")]
    del tree["params"]["folder"]
    return tree


def messages(result: TrainingResult) -> list[str]:
    return [str(message.text) for message in result.messages]
