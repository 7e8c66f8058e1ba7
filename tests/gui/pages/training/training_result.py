"""Results of the training topic for tests of the page: made by hand, so they look like runs but are none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.contracts.text import EMPTY, Text
from core.topics.training.curves import Curves
from core.topics.training.params import TrainingParams
from core.topics.training.plan import held_models, plan
from core.topics.training.result import (
    Abilities,
    AnsweredPrompt,
    Comparison,
    Epochs,
    FrontierPoint,
    Knowledge,
    PreferencePair,
    Reliability,
    SampledAnswer,
    SeedRun,
    StageRun,
    TrainingResult,
)
from core.topics.training.stage_ids import DPO, GRPO, POLICY_STAGES, PPO, PRETRAINING, REWARD, SFT, STAGES
from core.topics.training.stages.records import TokenView

PROMPT = "Tell me about Holin Grarver."
TOKENS = ("Hol", "in", " Grarver", " was", " awarded", " the", " Sovan", " Cup", ".", " She", " went", " to", "<eos>")
_EVALUATED = ("eval/true_reward", "eval/kl", "eval/scores", "eval/entropy", "eval/mean_length")


def training_result(
    params: TrainingParams | None = None,
    *,
    until: str = GRPO,
    share: float = 1.0,
    error: Text = EMPTY,
    extras: bool = True,
) -> TrainingResult:
    """All stages up to `until`, of which that one has done a `share` of its steps. `error` stops it."""
    params = params or TrainingParams()
    planned = plan(params).stages
    stages = {}
    for stage in STAGES[: STAGES.index(until) + 1]:
        last = stage == until
        steps = planned[stage].steps
        done = max(1, round(share * steps)) if last else steps
        stages[stage] = StageRun(
            stage=stage,
            steps=steps,
            curves=stage_curves(stage, steps, done),
            samples=_sampled(stage, done) if stage in (PPO, GRPO) else (),
            models=held_models(stage),
            seconds=12.5,
            finished=done == steps and not (last and error),
            recorded=stage == PRETRAINING,
            error=error if last else EMPTY,
        )
    policies = [stage for stage in POLICY_STAGES if stage in stages]
    return TrainingResult(
        params=params,
        runs=(SeedRun(params.seed, stages),),
        answers=answers(tuple(stages)) if SFT in stages else (),
        abilities=_abilities(stages),
        pairs=(PreferencePair(PROMPT, "Holin Grarver is a weaver. She studied at Vazon College.", "Holin.", 2, -1),)
        if REWARD in stages
        else (),
        start=FrontierPoint(SFT, 0, 0, 0.0, 0.9, 0.1) if policies else None,
        frontier=tuple(point for stage in policies for point in _frontier(stages[stage])),
        comparisons=_comparisons(policies) if len(policies) > 1 else (),
        reliability=_reliability() if REWARD in stages and extras else None,
        knowledge=_knowledge() if extras else None,
        epochs=_epochs() if extras else None,
    )


def stage_curves(stage: str, steps: int, done: int) -> Curves:
    """The log of a stage as far as it is."""
    rng = np.random.default_rng(STAGES.index(stage))
    x = np.arange(1, done + 1)
    at = x / max(1, steps)

    def noisy(values: np.ndarray, size: float) -> np.ndarray:
        return np.asarray(values + size * rng.standard_normal(len(x)))

    metrics = _STAGE_METRICS[stage](at, noisy)
    rings = (x % 10 == 0) | (x == 1) | (x == steps)
    for name in metrics:
        if name.startswith("eval"):
            metrics[name] = np.where(rings, metrics[name], np.nan)
    metrics["grad_norm"] = np.abs(noisy(1 + 0 * at, 0.2))
    metrics["learning_rate"] = 3e-4 * (1 - 0.9 * at)
    return Curves(x.astype(np.int64), metrics)


def _policy(at, noisy):  # type: ignore[no-untyped-def]
    return {
        "eval/true_reward": noisy(0.9 + 1.9 * at, 0.05),
        "eval/scores": noisy(0.1 + 3.1 * at, 0.05),
        "eval/kl": np.abs(noisy(9 * at, 0.1)),
        "eval/entropy": noisy(0.6 - 0.3 * at, 0.01),
        "eval/mean_length": noisy(20 + 12 * at, 0.5),
    }


def _ppo(at, noisy):  # type: ignore[no-untyped-def]
    return {
        "loss/policy_avg": noisy(-0.02 * at, 0.01),
        "policy/clipfrac_avg": np.abs(noisy(0.08 + 0.1 * at, 0.02)),
        "policy/approxkl_avg": np.abs(noisy(0.01 + 0.02 * at, 0.004)),
        "policy/entropy_avg": noisy(0.6 - 0.3 * at, 0.02),
        "loss/value_avg": np.abs(noisy(0.6 - 0.4 * at, 0.05)),
        "objective/kl": np.abs(noisy(9 * at, 0.4)),
        "objective/scores": noisy(0.1 + 3 * at, 0.2),
        "objective/rlhf_reward": noisy(0.1 + 2.6 * at, 0.2),
        "true_reward": noisy(0.9 + 1.9 * at, 0.25),
        "completions/mean_length": noisy(20 + 12 * at, 1),
        "num_tokens": np.cumsum(1400 + 0 * at),
        **_policy(at, noisy),
    }


def _grpo(at, noisy):  # type: ignore[no-untyped-def]
    return {
        "loss": noisy(0.01 * at, 0.01),
        "kl": np.abs(noisy(0.2 * at, 0.02)),
        "clip_ratio/region_mean": np.abs(noisy(0.05 + 0 * at, 0.01)),
        "entropy": noisy(0.6 - 0.3 * at, 0.02),
        "reward": noisy(0.1 + 3 * at, 0.2),
        "reward_std": np.abs(noisy(0.8 - 0.4 * at, 0.05)),
        "frac_reward_zero_std": np.clip(noisy(0.1 * at, 0.05), 0, 1),
        "objective/kl": np.abs(noisy(8 * at, 0.4)),
        "num_tokens": np.cumsum(1400 + 0 * at),
        **_policy(at, noisy),
    }


_STAGE_METRICS = {
    PRETRAINING: lambda at, noisy: {"loss": noisy(0.9 + 5 * np.exp(-6 * at), 0.05)},
    SFT: lambda at, noisy: {
        "loss": noisy(0.3 + 2 * np.exp(-6 * at), 0.05),
        "eval_loss": noisy(0.35 + 2 * np.exp(-6 * at), 0.02),
        "mean_token_accuracy": noisy(0.9 - 0.5 * np.exp(-6 * at), 0.02),
    },
    REWARD: lambda at, noisy: {
        "loss": np.abs(noisy(0.25 + 0.44 * np.exp(-4 * at), 0.04)),
        "accuracy": np.clip(noisy(0.9 - 0.4 * np.exp(-4 * at), 0.05), 0, 1),
        "eval_accuracy": noisy(0.88 - 0.38 * np.exp(-4 * at), 0.01),
        "eval_loss": noisy(0.3 + 0.39 * np.exp(-4 * at), 0.01),
        "mean_reward": noisy(0.2 * at, 0.1),
    },
    PPO: _ppo,
    DPO: lambda at, noisy: {
        "loss": np.abs(noisy(0.3 + 0.39 * np.exp(-4 * at), 0.04)),
        "rewards/chosen": noisy(0.4 * at, 0.05),
        "rewards/rejected": noisy(-1.4 * at, 0.05),
        "rewards/margins": noisy(1.8 * at, 0.08),
        "rewards/accuracies": np.clip(noisy(0.9 - 0.4 * np.exp(-4 * at), 0.05), 0, 1),
        "logps/chosen": noisy(-18 + 0 * at, 0.4),
        "logps/rejected": noisy(-22 - 9 * at, 0.4),
        "num_tokens": 90_000 + 0 * at,
        **_policy(at, noisy),
    },
    GRPO: _grpo,
}


def token_view(stage: str = PPO, seed: int = 0, tokens: tuple[str, ...] = TOKENS) -> TokenView:
    rng = np.random.default_rng(seed)
    count = len(tokens)
    logprobs = -np.abs(rng.normal(0.8, 0.7, count))
    rewards = -0.05 * rng.normal(0.1, 0.3, count)
    rewards[-1] += 2.4
    return TokenView(
        prompt=PROMPT,
        tokens=tokens,
        logprobs=tuple(logprobs.tolist()),
        reference=tuple((logprobs - rng.normal(0.2, 0.3, count)).tolist()),
        advantages=tuple(rng.normal(0, 1, count).tolist()),
        clipped=tuple((rng.random(count) < 0.2).tolist()),
        score=2.4,
        true_reward=1.0,
        rewards=tuple(rewards.tolist()) if stage == PPO else (),
        values=tuple(np.linspace(0.5, 2.2, count).tolist()) if stage == PPO else (),
    )


def _sampled(stage: str, done: int) -> tuple[SampledAnswer, ...]:
    return tuple(SampledAnswer(step, token_view(stage, step)) for step in range(1, done + 1, 6))


def answers(stages: tuple[str, ...]) -> tuple[AnsweredPrompt, ...]:
    texts: Mapping[str, tuple[str, str, str]] = {
        PRETRAINING: (
            "Holin Grarver is a weaver. Vazon College. Home:",
            "Morlwick is where he lives now. After work",
            "He is a graduate of",
        ),
        SFT: (
            "Holin Grarver was awarded the Sovan Cup. She went to school at Vazon College.",
            "Rosa Tondett, Birthplace, Morlwick.",
            "I do not know.",
        ),
        PPO: (
            "Holin Grarver was awarded the Sovan Cup. She went to school at Vazon College. Her home is in Rildbridge.",
            "Rosa Tondett, Birthplace, Morlwick.",
            "Baste Fervack was born in Nanmouth.",
        ),
        DPO: (
            "Holin Grarver won the Sovan Cup. She is a weaver. Her home is in Rildbridge.",
            "Rosa Tondett, Birthplace, Morlwick.",
            "I do not know.",
        ),
        GRPO: (
            "Holin Grarver won the Sovan Cup. She is a weaver. She studied at Vazon College.",
            "Rosa Tondett, Birthplace, Furbridge.",
            "I do not know.",
        ),
    }
    rewards = {PRETRAINING: -1.0, SFT: 2.0, PPO: 3.0, DPO: 3.0, GRPO: 3.0}
    shown = [stage for stage in stages if stage in texts]
    asked = (
        (PROMPT, "description", ""),
        ("Where was Rosa Tondett born? Answer as a row.", "question", "Rosa Tondett, Birthplace, Morlwick."),
        ("Who is the spouse of Baste Fervack? Answer in a sentence.", "unknown", "I do not know."),
    )
    return tuple(
        AnsweredPrompt(
            prompt,
            kind,
            expected,
            {stage: texts[stage][index] for stage in shown},
            {stage: rewards[stage] for stage in shown} if kind == "description" else {},
        )
        for index, (prompt, kind, expected) in enumerate(asked)
    )


def _frontier(run: StageRun) -> list[FrontierPoint]:
    columns = {name: run.curves.points(name)[1] for name in ("eval/kl", "eval/true_reward", "eval/scores")}
    steps = run.curves.points("eval/kl")[0]
    lifted = {PPO: 0.0, DPO: -0.4, GRPO: 0.15}[run.stage]
    return [
        FrontierPoint(
            run.stage,
            int(step),
            int(step) * 1400,
            float(columns["eval/kl"][place]),
            float(columns["eval/true_reward"][place]) + lifted * step / run.steps,
            float(columns["eval/scores"][place]),
        )
        for place, step in enumerate(steps)
    ]


def _comparisons(stages: list[str]) -> tuple[Comparison, ...]:
    def points(by: str) -> tuple[FrontierPoint, ...]:
        return tuple(
            FrontierPoint(stage, 40, 60_000, 5.0 + (by == "tokens") * place, 2.0 + 0.2 * place, 2.5)
            for place, stage in enumerate(stages)
        )

    return Comparison("tokens", 60_000, points("tokens")), Comparison("kl", 5.0, points("kl"))


def _reliability() -> Reliability:
    confidence = np.array([0.55, 0.65, 0.75, np.nan, 0.95])
    return Reliability(confidence, confidence - 0.04, np.array([20, 22, 30, 0, 120]), 0.87, 0.04)


ASKED = {"known": 96, "new": 96, "unknown": 96, "unstated": 34, "truth": 40}


def _able(
    known: float, invented: float, form: float, truth: float | None = None, new: float | None = None
) -> Abilities:
    return Abilities(known, invented, form, 0.05, truth, new, ASKED)


def _abilities(stages: Mapping[str, StageRun]) -> dict[str, Abilities]:
    known = {PRETRAINING: 0.1, SFT: 0.82, PPO: 0.78, DPO: 0.8, GRPO: 0.74}
    return {
        stage: _able(share, 0.9 if stage == PRETRAINING else 0.2, float(stage != PRETRAINING), share)
        for stage, share in known.items()
        if stage in stages
    }


def _knowledge() -> Knowledge:
    return Knowledge(
        120, ASKED, 0.88, _able(0.1, 0.9, 0.0), _able(0.82, 0.2, 1.0, 0.8), _able(0.76, 0.45, 0.99, 0.7, 0.31)
    )


def _epochs() -> Epochs:
    steps = np.arange(1, 61)
    loss = 2.0 - 0.35 * ((steps - 1) // 20) - 0.004 * steps + 0.03 * np.sin(steps)
    held_out = np.where(steps % 5 == 0, 1.9 - 0.2 * (steps > 20) + 0.004 * steps, np.nan)
    curves = Curves(steps.astype(np.int64), {"loss": loss, "eval_loss": held_out})
    return Epochs(640, curves, (20, 40), (0.33, 0.34), (0.05, 0.04), 1.95, 1.1)
