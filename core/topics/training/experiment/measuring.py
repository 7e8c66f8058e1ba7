"""What the model of a stage can do, and how good it is by the rule. Workers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from core.topics.training.experiment.answering import abilities, with_answers
from core.topics.training.experiment.board import Board
from core.topics.training.experiment.setting import Setting
from core.topics.training.result import FrontierPoint, Reliability
from core.topics.training.stage_ids import POLICY_STAGES, PRETRAINING, REWARD, SFT
from core.topics.training.stages.calibration import calibration
from core.topics.training.stages.policy_evaluation import evaluate_policy
from core.topics.training.stages.preferences import Pairs
from core.topics.training.stages.reward import pair_margins

Measured = dict[str, float]
FINAL_ANSWERS = 192
"""Sampled answers that the rule judges at the end of a stage."""

_SEED_OFFSET = 10_000
"""The draws of these answers are those of no evaluation during a stage."""


def measure_pretrained(board: Board, setting: Setting) -> None:
    """The answers of the pretrained model."""
    board.add(answers=with_answers(setting, PRETRAINING, setting.base, board.result.answers))


def add_start_score(board: Board, setting: Setting, models: Mapping[str, Any]) -> Measured:
    """What the reward model gives the answers of the SFT model. With it the start of the frontier is complete, and so
    are the compared answers of the stages before the reward model."""
    score = _sampled(setting, models[SFT], models)["eval/scores"]
    start = board.result.start
    if setting.seed == board.params.seed and start is not None:
        board.add(start=replace(start, score=score))
        for stage in (PRETRAINING, SFT):
            board.add(answers=with_answers(setting, stage, models[stage], board.result.answers, models[REWARD]))
    return {"score": score}


def measure_policy(board: Board, setting: Setting, stage: str, models: Mapping[str, Any], shows: bool) -> Measured:
    """Abilities, reward and KL of a stage's model. With `shows`, also its answers to the compared prompts."""
    model = models[stage]
    found = abilities(setting, model)
    measured = {name: value for name, value in asdict(found).items() if isinstance(value, float)}
    sampled = _sampled(setting, model, models)
    measured |= {"true_reward": sampled["eval/true_reward"], "length": sampled["eval/mean_length"]}
    if stage in POLICY_STAGES:
        measured["kl"] = sampled["eval/kl"]
    if "eval/scores" in sampled:
        measured["score"] = sampled["eval/scores"]
    if shows:
        board.add(
            answers=with_answers(setting, stage, model, board.result.answers, models.get(REWARD)),
            abilities={**board.result.abilities, stage: found},
        )
        if stage == SFT:
            board.add(start=FrontierPoint(SFT, 0, 0, 0.0, sampled["eval/true_reward"]))
    return measured


def _sampled(setting: Setting, model: Any, models: Mapping[str, Any]) -> Measured:
    return evaluate_policy(
        model,
        models[SFT],
        setting.tokenizer,
        setting.reader,
        setting.data.prompts_held_out,
        setting.params.max_tokens,
        _SEED_OFFSET + setting.seed,
        models.get(REWARD),
        FINAL_ANSWERS,
    )


def reliability(setting: Setting, model: Any, pairs: Pairs) -> Reliability:
    """How often the reward model is right about held-out pairs, by how sure it is."""
    margins = pair_margins(model, setting.tokenizer, pairs.held_out)
    found = calibration(margins)
    return Reliability(
        np.asarray(found.confidence, dtype=np.float64),
        np.asarray(found.accuracy, dtype=np.float64),
        np.asarray(found.pairs, dtype=np.int64),
        float((margins > 0).mean()),
        found.expected_error,
    )
