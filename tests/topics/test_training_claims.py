"""Every claim can hold and can fail: the predicates are fed results that say the opposite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.contracts.claims import Claim, Verdict
from core.contracts.result import Metric, Provenance
from core.contracts.text import verbatim
from core.topics.training import TOPIC
from core.topics.training.claims import routes
from core.topics.training.curves import Curves
from core.topics.training.epoch_steps import epochs_of
from core.topics.training.params import TrainingParams
from core.topics.training.plan import held_models
from core.topics.training.result import Abilities, Knowledge, Reliability, SeedRun, StageRun, TrainingResult
from core.topics.training.stage_ids import DPO, GRPO, PPO, SFT, STAGES

CLAIMS = {claim.id: claim for claim in TOPIC.claims}
ASKED = {"known": 96, "new": 96, "invented": 96, "unstated": 30, "truth": 100}
SOUND = Abilities(known=0.8, invented=0.1, form=0.98, unstated=0.05, truth=0.8, new=0.05, asked=ASKED)
METRICS = {"sft.true_reward": 1.0, "ppo.true_reward": 2.0, "grpo.true_reward": 1.8, "ppo.kl": 8.0, "grpo.kl": 6.0,
           "dpo.first_loss": math.log(2)}  # fmt: skip


def evaluated(scores: list[float], rewards: list[float]) -> Curves:
    return Curves.of(
        (step, {"eval/scores": score, "eval/true_reward": reward, "eval/kl": 10.0 * step, "loss": 0.5})
        for step, (score, reward) in enumerate(zip(scores, rewards, strict=True), 1)
    )


def stage_run(stage: str, **changes: Any) -> StageRun:
    run = StageRun(stage, 3, evaluated([0.0, 1.0, 3.0], [1.0, 1.5, 2.0]), models=held_models(stage), finished=True)
    return replace(run, **changes)


def stairs(height: float, held_out: float) -> Curves:
    return Curves.of((s + 1, {"loss": 3.0 - height * (s // 16), "eval_loss": held_out}) for s in range(48))


def knowledge(**changes: Any) -> Knowledge:
    made: dict[str, Any] = {
        "new_facts": 600,
        "questions": {"known": 96, "new": 96, "unknown": 96, "unstated": 30},
        "recalled": 0.95,
        "before": replace(SOUND, known=0.1, form=0.3),
        "without_new": SOUND,
        "with_new": replace(SOUND, new=0.1, invented=0.5),
    }
    return Knowledge(**made | changes)


def reliability(accuracy: float) -> Reliability:
    return Reliability(np.full(5, 0.8), np.full(5, accuracy), np.full(5, 40), accuracy, 0.05)


def result(
    metrics: Mapping[str, float] | None = None,
    stages: Mapping[str, Mapping[str, Any]] | None = None,
    sabotage: str = "none",
    **changes: Any,
) -> TrainingResult:
    """A sound run; `stages` are fields of stages that differ, `metrics` other numbers."""
    runs = {stage: stage_run(stage, **(stages or {}).get(stage, {})) for stage in STAGES}
    numbers = METRICS | dict(metrics or {})
    made: dict[str, Any] = {
        "params": TrainingParams.parse({"sabotage": sabotage}),
        "metrics": {name: Metric(value, "", Provenance.MEASURED_CPU) for name, value in numbers.items()},
        "runs": (SeedRun(0, runs),),
        "abilities": {SFT: SOUND, PPO: SOUND},
        "reliability": reliability(0.85),
        "knowledge": knowledge(),
        "epochs": epochs_of(stairs(1.0, 2.5), 128, 8),
    }
    return TrainingResult(**made | changes)


HACKED = {PPO: {"curves": evaluated([0.0, 1.0, 3.0], [1.0, 2.0, 0.5])}}


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_a_sound_result_gives_a_verdict_that_is_no_surprise(claim: Claim) -> None:
    finding = claim.test(result(stages=HACKED, sabotage="no_kl"))
    assert finding.verdict is not Verdict.NOT_TESTED
    assert not claim.is_surprised_by(finding)
    assert str(finding.evidence).endswith(".")


CONTRARY = [
    ("sft-gives-form", result(knowledge=knowledge(without_new=replace(SOUND, form=0.5)))),
    ("sft-gives-form", result(knowledge=knowledge(before=replace(SOUND, form=0.9)))),
    ("sft-gives-form", result(knowledge=knowledge(with_new=replace(SOUND, new=0.8)))),
    ("new-facts-invent", result(knowledge=knowledge(with_new=SOUND))),
    ("rlhf-teaches-facts", result(abilities={SFT: SOUND, PPO: replace(SOUND, unstated=0.6)})),
    ("rlhf-teaches-facts", result(abilities={SFT: SOUND, PPO: replace(SOUND, known=0.99)})),
    ("epochs-are-steps", result(epochs=epochs_of(stairs(0.0, 3.5), 128, 8))),
    ("epochs-are-steps", result(epochs=epochs_of(stairs(1.0, 1.0), 128, 8))),
    ("reward-model-ranks", result(reliability=reliability(0.52))),
    ("rl-raises-reward", result({"ppo.true_reward": 1.1, "grpo.true_reward": 0.9})),
    ("rl-raises-reward", result({"ppo.kl": 0.0, "grpo.kl": 0.0})),
    ("no-kl-is-hacked", result(sabotage="no_kl")),
    ("dpo-no-reward-model", result({"dpo.first_loss": 0.7})),
    ("dpo-no-reward-model", result(stages={DPO: {"models": held_models(GRPO)}})),
    ("ppo-four-models", result(stages={PPO: {"models": held_models(GRPO)}})),
    ("ppo-four-models", result(stages={DPO: {"models": held_models(PPO)}})),
]


@pytest.mark.parametrize(("claim_id", "run"), CONTRARY)
def test_that_a_contrary_result_is_a_surprise(claim_id: str, run: TrainingResult) -> None:
    claim = CLAIMS[claim_id]
    assert claim.is_surprised_by(claim.test(run))


LIMITED = [
    ("sft-gives-form", result(knowledge=knowledge(with_new=replace(SOUND, new=0.4)))),
    ("rl-raises-reward", result({"grpo.true_reward": 1.1})),
    ("no-kl-is-hacked", result(stages=HACKED, sabotage="no_kl")),
]


@pytest.mark.parametrize(("claim_id", "run"), LIMITED)
def test_that_a_limit_is_said(claim_id: str, run: TrainingResult) -> None:
    assert CLAIMS[claim_id].test(run).verdict is Verdict.HOLDS_WITH_LIMIT


EMPTY_RUN = TrainingResult(params=TrainingParams())


MEASURED = [claim for claim in TOPIC.claims if claim.id != "chatglm-stops-at-sft"]


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.id)
def test_that_what_a_run_did_not_measure_is_not_judged(claim: Claim) -> None:
    finding = claim.test(EMPTY_RUN)
    assert finding.verdict is Verdict.NOT_TESTED
    assert str(finding.evidence).endswith(".")


def test_that_a_stage_that_stopped_is_not_judged_and_says_why() -> None:
    stopped = {PPO: {"finished": False, "error": verbatim("The loss of step 7 is NaN.")}}
    finding = CLAIMS["rlhf-teaches-facts"].test(result(stages=stopped))
    assert finding.verdict is Verdict.NOT_TESTED
    assert "The loss of step 7 is NaN." in str(finding.evidence)


def test_that_the_claim_of_the_routes_follows_from_what_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = CLAIMS["chatglm-stops-at-sft"]
    assert claim.test(EMPTY_RUN).verdict is Verdict.DOES_NOT_HOLD
    as_told = tuple(replace(entry, rl=entry.family == "chatgpt") for entry in routes.RECORDED)
    monkeypatch.setattr(routes, "RECORDED", as_told)
    assert claim.is_surprised_by(claim.test(EMPTY_RUN))


def test_that_the_counts_of_models_are_those_of_the_run() -> None:
    finding = CLAIMS["ppo-four-models"].test(result())
    assert "PPO held 4 models (policy, reference, reward model, value model)" in str(finding.evidence)
