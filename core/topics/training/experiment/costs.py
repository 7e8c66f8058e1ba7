"""About how long each part of a run takes, so that its progress moves evenly. No figure of a result depends on it."""

from __future__ import annotations

from core.topics.training.experiment.knowledge import EPOCH_BATCH, EPOCH_EXAMPLES, EPOCHS
from core.topics.training.params import SCRATCH, TrainingParams
from core.topics.training.settings import settings_of
from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, SFT

STEP_S = {PRETRAINING: 0.15, SFT: 0.2, REWARD: 0.35, PPO: 1.6, DPO: 0.5, GRPO: 1.4, "pairs": 0.02, "epochs": 0.08}
"""Seconds per step at the default settings; per pair for the pairs."""


def estimated_s(params: TrainingParams) -> float:
    """Seconds that the parts of a run take together."""
    settings = settings_of(params, params.seed)
    steps = {
        SFT: settings.sft.steps,
        REWARD: settings.reward.steps,
        PPO: settings.ppo.steps,
        DPO: settings.dpo.steps,
        GRPO: settings.grpo.steps,
    }
    stages = set(params.stages)
    per_seed = sum(count * STEP_S[stage] for stage, count in steps.items() if stage in stages)
    if stages & {REWARD, DPO}:
        per_seed += (settings.pairs.train + settings.pairs.held_out) * STEP_S["pairs"]
    total = params.seeds * per_seed
    if params.pretraining == SCRATCH:
        total += params.pretraining_steps * STEP_S[PRETRAINING]
    if SFT in stages:
        total += params.knowledge * settings.sft.steps * STEP_S[SFT]
        total += params.epochs * EPOCHS * EPOCH_EXAMPLES // EPOCH_BATCH * STEP_S["epochs"]
    return max(total, 1e-3)
