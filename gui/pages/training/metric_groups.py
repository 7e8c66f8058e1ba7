"""Which metrics of a log belong in one chart. Names are TRL's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.contracts.text import Text, tr, tr_in, verbatim
from core.topics.training.curves import Curves
from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, SFT
from gui.charts.series import Style


@dataclass(frozen=True)
class MetricGroup:
    """Metrics of one scale, in the order of their colours. `axis` names them."""

    axis: Text
    metrics: tuple[str, ...]

    def present(self, curves: Curves) -> tuple[str, ...]:
        """The metrics of the group that a log has, at most as many as there are colours."""
        return tuple(name for name in self.metrics if len(curves.points(name)[0]))[:_COLOURS]


@dataclass(frozen=True)
class MetricView:
    """One or two groups that are looked at together."""

    title: Text
    groups: tuple[MetricGroup, ...]

    def present(self, curves: Curves) -> tuple[MetricGroup, ...]:
        """The groups with a metric in the log, at most two."""
        return tuple(group for group in self.groups if group.present(curves))[:2]


_COLOURS = 8
_LOSSES = MetricGroup(tr("loss"), ("loss", "loss/policy_avg", "eval_loss", "train_loss", "policy_loss"))
_VALUE_LOSSES = MetricGroup(tr("value loss"), ("loss/value_avg", "value_loss"))
_SHARES = MetricGroup(
    tr("share"),
    ("eval_accuracy", "accuracy", "rewards/accuracies", "eval_rewards/accuracies", "mean_token_accuracy",
     "eval_mean_token_accuracy"),
)  # fmt: skip
_REWARDS = MetricGroup(
    tr("reward"),
    ("eval/scores", "eval/true_reward", "objective/scores", "objective/rlhf_reward", "reward", "true_reward"),
)  # fmt: skip
_IMPLICIT = MetricGroup(
    tr("implicit reward"),
    ("rewards/chosen", "rewards/rejected", "rewards/margins", "eval_rewards/chosen", "eval_rewards/rejected",
     "eval_rewards/margins"),
)  # fmt: skip
_SCORES = MetricGroup(tr("score"), ("margin", "mean_reward", "min_reward", "max_reward", "eval_margin"))
_KL = MetricGroup(verbatim("KL"), ("objective/kl", "eval/kl"))
_TOKEN_KL = MetricGroup(verbatim("KL"), ("kl",))
_SPREAD = MetricGroup(tr("reward in a group"), ("reward_std", "frac_reward_zero_std"))
_CLIPPED = MetricGroup(
    tr("clipped share"),
    ("policy/clipfrac_avg", "clip_ratio/region_mean", "val/clipfrac_avg", "clip_ratio/low_mean",
     "clip_ratio/high_mean", "clip_ratio", "policy/stopped_early"),
)  # fmt: skip
_MOVED = MetricGroup(tr("approximate KL"), ("policy/approxkl_avg", "approx_kl", "kl"))
_NORMS = MetricGroup(tr("gradient norm"), ("grad_norm",))
_RATES = MetricGroup(tr("learning rate"), ("learning_rate", "lr"))
_ENTROPIES = MetricGroup(tr("entropy"), ("policy/entropy_avg", "entropy", "eval/entropy"))
_LENGTHS = MetricGroup(
    tr("tokens per answer"), ("completions/mean_length", "eval/mean_length", "completions/max_length")
)
_LOGPROBS = MetricGroup(tr("log-probability"), ("logps/chosen", "logps/rejected", "objective/entropy"))

LOSS, REWARDS, UPDATES, ANSWERS = range(4)
VIEWS = (
    MetricView(tr("Loss"), (_LOSSES, _VALUE_LOSSES, _SHARES)),
    MetricView(tr("Reward, KL"), (_REWARDS, _KL, _TOKEN_KL, _SCORES, _SPREAD)),
    MetricView(tr("Updates"), (_CLIPPED, _MOVED, _IMPLICIT, _LOGPROBS, _NORMS, _RATES)),
    MetricView(tr_in("training", "Answers"), (_ENTROPIES, _LENGTHS)),
)
FIRST_VIEW: Mapping[str, int] = {
    PRETRAINING: LOSS,
    SFT: LOSS,
    REWARD: LOSS,
    PPO: REWARDS,
    DPO: LOSS,
    GRPO: REWARDS,
}
"""What says most about a stage."""

_BEHIND = frozenset(
    ("true_reward", "objective/scores", "objective/rlhf_reward", "objective/kl", "mean_token_accuracy", "accuracy",
     "reward")
)  # fmt: skip
"""Noisy values of one batch each, drawn behind the evaluations of the same."""


def style_of(metric: str) -> Style:
    """Evaluations are single observations; values of each step are lines."""
    if metric.startswith(("eval/", "eval_")):
        return "rings"
    return "faint" if metric in _BEHIND else "line"


def first_view(stage: str, curves: Curves | None = None) -> int:
    """The view to begin with: that of the stage, or for an unknown log the first one that has something."""
    if stage in FIRST_VIEW:
        return FIRST_VIEW[stage]
    if curves is None:
        return LOSS
    rewards = any(len(curves.points(name)[0]) for name in ("objective/kl", "reward", "objective/scores"))
    return REWARDS if rewards else next((i for i, view in enumerate(VIEWS) if view.present(curves)), LOSS)


def view_of(metric: str) -> int | None:
    """The view that shows a metric."""
    return next((i for i, view in enumerate(VIEWS) for group in view.groups if metric in group.metrics), None)
