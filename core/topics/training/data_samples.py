"""Examples of what each stage learns from, before anything has run. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice

from core.language_model.model_config import STANDARD
from core.language_model.text import documents
from core.language_model.world import World, build_world
from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, SFT
from core.topics.training.stages.answers import Reader
from core.topics.training.stages.configs import SftConfig
from core.topics.training.stages.instructions import Instruction, instruction_data
from core.topics.training.stages.rule import judge

_SAMPLES = 6
_FEW = SftConfig(questions=4, descriptions=9, refusals=1)
"""Examples of every kind, in a fraction of the time that those of a run take."""


@dataclass(frozen=True)
class DataSample:
    """One example that a stage learns from: a text, or a prompt with the expected answer (empty where the model gives
    the answer itself). A pair has the answer that the rule likes and the `rejected` one, with the rule's `scores`."""

    prompt: str = ""
    answer: str = ""
    rejected: str = ""
    scores: tuple[float, ...] = ()


@cache
def data_samples() -> Mapping[str, tuple[DataSample, ...]]:
    """Examples of all stages by id.

    They are about the people of the shipped model, and those of a run are drawn in the same way. The pairs of a run are
    sampled from the SFT model; these show what the rule likes.
    """
    world = build_world(STANDARD.seed, STANDARD.people)
    data = instruction_data(world, _FEW)
    asked = tuple(DataSample(item.prompt) for item in data.prompts_train[:_SAMPLES])
    pairs = _pairs(world, data.train)
    return {
        PRETRAINING: tuple(DataSample(answer=text) for text in islice(documents(world, 0), _SAMPLES)),
        SFT: tuple(DataSample(item.prompt, item.answer) for item in _mixed(data.train)),
        REWARD: pairs,
        PPO: asked,
        DPO: pairs,
        GRPO: asked,
    }


def _mixed(items: tuple[Instruction, ...]) -> list[Instruction]:
    """Examples of all kinds: questions, and no more descriptions than fit beside them."""
    questions = [item for item in items if item.fact is not None]
    descriptions = [item for item in items if item.fact is None]
    return [*questions, *descriptions][:_SAMPLES]


def _pairs(world: World, items: tuple[Instruction, ...]) -> tuple[DataSample, ...]:
    """Descriptions with a worse answer each: one that repeats itself, or one that says less."""
    reader = Reader(world)
    found: list[DataSample] = []
    for item in items:
        sentences = [f"{part}." for part in item.answer.removesuffix(".").split(". ")]
        if item.fact is None and len(sentences) > 1:
            worse = f"{sentences[0]} {sentences[0]}" if len(found) % 2 == 0 else sentences[0]
            scores = tuple(judge(reader, text, item.person, True).score for text in (item.answer, worse))
            if scores[0] > scores[1]:
                found.append(DataSample(item.prompt, item.answer, worse, scores))
    return tuple(found[:_SAMPLES])
