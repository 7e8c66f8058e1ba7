"""A tiny world, model and pairs for the tests of the training stages, and runs of every stage in them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from core.language_model.model import build_model
from core.language_model.model_config import ModelConfig
from core.language_model.text import documents
from core.language_model.tokenizer import train_tokenizer
from core.language_model.world import World, build_world
from core.topics.training.stages.answer_batch import answer_tokens
from core.topics.training.stages.answers import Reader
from core.topics.training.stages.configs import DpoConfig, GrpoConfig, PpoConfig, RewardConfig, SftConfig
from core.topics.training.stages.dpo import train_dpo
from core.topics.training.stages.grpo import train_grpo
from core.topics.training.stages.instructions import InstructionData, instruction_data
from core.topics.training.stages.ppo import train_ppo
from core.topics.training.stages.preferences import Pair, Pairs
from core.topics.training.stages.records import Record
from core.topics.training.stages.reward import train_reward
from core.topics.training.stages.scalar_model import ScalarModel
from core.topics.training.stages.sft import train_sft
from core.topics.training.stages.trained import Trained

Stage = Callable[..., Generator[Record, None, Trained]]

STEPS = 5
COMMON: Mapping[str, Any] = {"steps": STEPS, "eval_every": 2, "save_every": 2, "learning_rate": 1e-3}
EXAMPLES: Mapping[str, Any] = {"questions": 12, "descriptions": 14, "refusals": 4, "new_facts": 4}


@dataclass(frozen=True)
class Tiny:
    """Everything that the stages start from. Stages copy the models, so tests may share them."""

    world: World
    reader: Reader
    tokenizer: Any
    model: Any
    data: InstructionData
    pairs: Pairs
    reward_model: ScalarModel


@cache
def tiny() -> Tiny:
    world = build_world(0, people=8)
    tokenizer = train_tokenizer(islice(documents(world, 0), 200), 300)
    size = ModelConfig(people=8, vocabulary=300, hidden=16, layers=1, heads=2, intermediate=32, context=160)
    model = build_model(size, len(tokenizer))
    data = instruction_data(world, SftConfig(**EXAMPLES))
    described = [item for item in data.train if item.fact is None]
    pairs = [_pair(tokenizer, item.prompt, item.answer, f"{item.answer} {item.answer}") for item in described]
    reward_model = ScalarModel(model)
    with torch.no_grad():
        reward_model.head.weight.copy_(torch.linspace(-1, 1, 16)[None])
    return Tiny(
        world, Reader(world), tokenizer, model, data, Pairs(tuple(pairs[:8]), tuple(pairs[8:]), 500), reward_model
    )


def _pair(tokenizer: Any, prompt: str, chosen: str, rejected: str) -> Pair:
    tokens = (tuple(answer_tokens(tokenizer, text)) for text in (chosen, rejected))
    return Pair(prompt, chosen, rejected, *tokens, 1.0, -1.0)


def sft(folder: Path | None = None, **changes: Any) -> Generator[Record, None, Trained]:
    t = tiny()
    config = SftConfig(**{**COMMON, **EXAMPLES, "batch": 4, **changes})
    return train_sft(t.model, t.tokenizer, t.data, config, folder)


def reward(folder: Path | None = None, **changes: Any) -> Generator[Record, None, Trained]:
    t = tiny()
    return train_reward(t.model, t.tokenizer, t.pairs, RewardConfig(**{**COMMON, "batch": 3, **changes}), folder)


def dpo(folder: Path | None = None, **changes: Any) -> Generator[Record, None, Trained]:
    t = tiny()
    config = DpoConfig(**{**COMMON, "batch": 3, "max_tokens": 6, **changes})
    return train_dpo(t.model, t.tokenizer, t.reader, t.data, t.pairs, config, folder, t.reward_model)


def ppo(folder: Path | None = None, **changes: Any) -> Generator[Record, None, Trained]:
    t = tiny()
    config = PpoConfig(**{**COMMON, "batch": 6, "max_tokens": 6, **changes})
    return train_ppo(t.model, t.reward_model, t.tokenizer, t.reader, t.data, config, folder)


def grpo(folder: Path | None = None, **changes: Any) -> Generator[Record, None, Trained]:
    t = tiny()
    config = GrpoConfig(**{**COMMON, "batch": 6, "group": 3, "max_tokens": 6, **changes})
    return train_grpo(t.model, t.reward_model, t.tokenizer, t.reader, t.data, config, folder)


STAGES: Mapping[str, Stage] = {"sft": sft, "reward": reward, "dpo": dpo, "ppo": ppo, "grpo": grpo}


def finished(stage: Iterator[Record]) -> tuple[list[Record], Trained]:
    """All records of a stage, and what it trained."""
    records: list[Record] = []
    while True:
        try:
            records.append(next(stage))
        except StopIteration as end:
            return records, end.value


def same_weights(one: Trained, other: Trained) -> bool:
    first, second = one.model.state_dict(), other.model.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
