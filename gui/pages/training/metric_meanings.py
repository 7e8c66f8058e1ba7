"""What the metrics of a stage mean: shown before there are curves."""

from __future__ import annotations

from collections.abc import Mapping

from core.contracts.text import Text, tr
from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, SFT
from gui.theme import Theme
from gui.widgets.html_view import coloured, safe

_TRUE_REWARD = tr("what the rule gives to answers to held-out prompts; no training sees it")
_SCORES = tr("what the reward model gives to the same answers: if it rises alone, the reward is hacked")
_POLICY_KL = tr("how far the policy has moved from the SFT model, in nats per answer")
_ENTROPY = tr("how many ways to go on the policy still considers: near 0 it always answers the same")

MEANINGS: Mapping[str, Mapping[str, Text]] = {
    PRETRAINING: {
        "loss": tr("how surprised the model is by the next token, in nats: it falls as facts and grammar are learned"),
        "grad_norm": tr("the size of the gradient: a jump is a batch unlike the others"),
    },
    SFT: {
        "loss": tr("over the tokens of the answers only, in nats"),
        "eval_loss": tr("the same on questions about facts that no example states"),
        "mean_token_accuracy": tr("the share of tokens that the model itself would have chosen"),
    },
    REWARD: {
        "loss": tr("ln 2 = 0.693 is a coin: the reward model cannot tell the answers apart yet"),
        "accuracy": tr("the share of pairs whose chosen answer has the higher score"),
        "eval_accuracy": tr("the same on held-out pairs: if only accuracy rises, the pairs are known by heart"),
        "margin": tr("score of the chosen answer minus that of the rejected one"),
    },
    PPO: {
        "eval/scores": _SCORES,
        "eval/true_reward": _TRUE_REWARD,
        "objective/kl": _POLICY_KL,
        "policy/clipfrac_avg": tr("the share of tokens that changed so much that clipping took their gradient"),
        "policy/approxkl_avg": tr("how far a step moves the policy from the one that answered"),
        "policy/entropy_avg": _ENTROPY,
        "loss/value_avg": tr("how wrong the value model is about the reward to come"),
    },
    DPO: {
        "loss": tr("begins at ln 2 = 0.693: policy and SFT model are still equal"),
        "rewards/margins": tr("how much likelier the chosen answer has become, compared with the rejected one"),
        "rewards/accuracies": tr("the share of pairs where the margin is positive"),
        "logps/chosen": tr("often falls too: the rejected answers only fall faster"),
        "eval/true_reward": _TRUE_REWARD,
        "eval/kl": _POLICY_KL,
    },
    GRPO: {
        "reward": tr("the mean score that the reward model gives to the sampled answers"),
        "eval/true_reward": _TRUE_REWARD,
        "frac_reward_zero_std": tr("the share of groups whose answers all have the same reward: they teach nothing"),
        "objective/kl": _POLICY_KL,
        "kl": tr("the KL in the loss, per token, by the k3 estimate"),
        "entropy": _ENTROPY,
    },
}


def meanings_html(stage: str, sentence: Text, theme: Theme) -> str:
    """What to do to get curves, and what they will say."""
    rows = "".join(
        f"<tr><td>{coloured(safe(name), theme.accent)}</td><td>{coloured(safe(text), theme.muted)}</td></tr>"
        for name, text in MEANINGS.get(stage, {}).items()
    )
    return f'<p>{coloured(safe(sentence), theme.text)}</p><table cellpadding="3">{rows}</table>'
