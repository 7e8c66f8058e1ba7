"""From the parameters of the page to the settings of every stage. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.language_model.model_config import STANDARD, ModelConfig
from core.topics.training.params import SCRATCH, TrainingParams
from core.topics.training.stages.configs import (
    DpoConfig,
    GrpoConfig,
    PairsConfig,
    PpoConfig,
    RewardConfig,
    SftConfig,
)

LEAST_HELD_OUT_PAIRS = 32


@dataclass(frozen=True)
class Settings:
    """The settings of every stage for one seed."""

    sft: SftConfig
    pairs: PairsConfig
    reward: RewardConfig
    ppo: PpoConfig
    dpo: DpoConfig
    grpo: GrpoConfig


def settings_of(params: TrainingParams, seed: int) -> Settings:
    """What a run of `params` uses, with what `sabotage` overrides.

    There are eight held-out pairs per training pair, at least 32 and at most as many as by default.
    """
    used = params.effective
    return Settings(
        sft=SftConfig(steps=used.sft_steps, batch=used.sft_batch, learning_rate=used.sft_rate, seed=seed),
        pairs=PairsConfig(
            train=used.pairs,
            held_out=min(PairsConfig.held_out, max(LEAST_HELD_OUT_PAIRS, 8 * used.pairs)),
            label_noise=used.label_noise,
            max_tokens=used.max_tokens,
            seed=seed,
        ),
        reward=RewardConfig(steps=used.reward_steps, learning_rate=used.reward_rate, seed=seed),
        ppo=PpoConfig(
            steps=used.ppo_steps,
            batch=used.rollouts,
            learning_rate=used.ppo_rate,
            epochs=used.ppo_epochs,
            kl_coef=used.kl_coef,
            clip=used.clip,
            trace_decay=used.trace_decay,
            target_kl=used.target_kl or None,
            normalize_advantages=used.normalize_advantages,
            missing_eos_penalty=used.missing_eos_penalty,
            max_tokens=used.max_tokens,
            seed=seed,
        ),
        dpo=DpoConfig(
            steps=used.dpo_steps,
            learning_rate=used.dpo_rate,
            beta=used.dpo_beta,
            max_tokens=used.max_tokens,
            seed=seed,
        ),
        grpo=GrpoConfig(
            steps=used.grpo_steps,
            batch=used.rollouts,
            learning_rate=used.grpo_rate,
            group=used.grpo_group,
            beta=used.grpo_beta,
            clip=used.clip,
            scale_advantages=used.grpo_scale,
            max_tokens=used.max_tokens,
            seed=seed,
        ),
    )


def model_config(params: TrainingParams) -> ModelConfig:
    """The pretrained model: the one that comes with the program, or one of its size from scratch."""
    if params.pretraining != SCRATCH:
        return STANDARD
    return ModelConfig(seed=params.seed, steps=params.pretraining_steps)
