"""Mistakes to make on purpose: which settings each one overrides, and what to look for in the curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.contracts.text import EMPTY, Text, tr
from core.topics.training.stage_ids import DPO, GRPO, PPO, REWARD

NONE, NO_KL, NO_NORMALIZATION, FEW_PAIRS, HIGH_RATE = ("none", "no_kl", "no_normalization", "few_pairs", "high_rate")


@dataclass(frozen=True)
class Sabotage:
    """`settings` override the parameters of these names. `metrics` are the curves that show it, by stage."""

    id: str
    label: Text
    look_for: Text = EMPTY
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_KINDS = (
    Sabotage(NONE, tr("none")),
    Sabotage(
        NO_KL,
        tr("KL weight 0"),
        tr(
            "Nothing holds PPO and GRPO near the SFT model. Look at objective/kl, which keeps rising, and compare "
            "eval/scores, which the reward model gives, with eval/true_reward, which the rule gives: where the first "
            "rises and the second does not, the reward is hacked."
        ),
        {"kl_coef": 0.0, "grpo_beta": 0.0, "target_kl": 0.0},
        {
            PPO: ("objective/kl", "eval/scores", "eval/true_reward"),
            GRPO: ("objective/kl", "eval/scores", "eval/true_reward"),
        },
    ),
    Sabotage(
        NO_NORMALIZATION,
        tr("no advantage normalization"),
        tr(
            "The size of the advantages is now that of the scores, so the step size depends on the reward model. Look "
            "at grad_norm, policy/approxkl_avg and policy/clipfrac_avg of PPO, and at grad_norm of GRPO."
        ),
        {"normalize_advantages": False, "grpo_scale": False},
        {PPO: ("grad_norm", "policy/approxkl_avg", "policy/clipfrac_avg"), GRPO: ("grad_norm",)},
    ),
    Sabotage(
        FEW_PAIRS,
        tr("too few pairs"),
        tr(
            "The reward model knows its few pairs by heart and little else. Look at its loss, which falls to almost 0, "
            "and at eval_accuracy, which does not rise with it. PPO and GRPO then raise eval/scores more than "
            "eval/true_reward."
        ),
        {"pairs": 16},
        {
            REWARD: ("loss", "eval_loss", "eval_accuracy"),
            PPO: ("eval/scores", "eval/true_reward"),
            GRPO: ("eval/scores", "eval/true_reward"),
        },
    ),
    Sabotage(
        HIGH_RATE,
        tr("learning rate too high"),
        tr(
            "Each step goes so far that the next answers come from another model. Look at policy/clipfrac_avg and "
            "policy/approxkl_avg, which jump, at policy/entropy_avg, which collapses, and at eval/true_reward, which "
            "falls. A loss that becomes NaN stops the stage."
        ),
        {"ppo_rate": 1e-2, "dpo_rate": 1e-2, "grpo_rate": 1e-2},
        {
            PPO: ("policy/clipfrac_avg", "policy/approxkl_avg", "policy/entropy_avg", "eval/true_reward"),
            DPO: ("loss", "eval/true_reward", "eval/kl"),
            GRPO: ("kl", "entropy", "eval/true_reward"),
        },
    ),
)
SABOTAGES: Mapping[str, Sabotage] = {kind.id: kind for kind in _KINDS}
