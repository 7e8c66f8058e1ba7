"""The losses that learn from examples: SFT from answers, the reward model and DPO from pairs of answers.

Each is the mean over its batch, a scalar with an autograd graph, in nats. Statistics carry TRL's names.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy, logsigmoid

from core.language_model.data import IGNORED_LABEL

Statistics = dict[str, float]


def sft_loss(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, Statistics]:
    """-log p(token) as a mean over the tokens that carry a label: the answers, not the instructions.

    `logits` [batch, length, vocabulary] and `labels` [batch, length], IGNORED_LABEL where a token carries no loss.
    The logits at a position predict the label of the next. Source: Ouyang et al. 2022, arXiv 2203.02155, section 3.5.
    """
    predictions, targets = logits[:, :-1], labels[:, 1:]
    loss = cross_entropy(predictions.transpose(1, 2), targets, ignore_index=IGNORED_LABEL)
    answers = targets != IGNORED_LABEL
    hits = (predictions.argmax(dim=-1) == targets)[answers]
    return loss, {"loss": loss.item(), "mean_token_accuracy": hits.float().mean().item()}


def reward_loss(chosen: torch.Tensor, rejected: torch.Tensor) -> tuple[torch.Tensor, Statistics]:
    """-log sigmoid(r(chosen) - r(rejected)), from the scores [pairs] of the better and the worse answers.

    The Bradley-Terry model says that p(chosen is preferred) = sigmoid of the margin. Source: Ouyang et al. 2022,
    arXiv 2203.02155, equation 1. Only differences count, so the scores have no zero point.
    """
    margins = chosen - rejected
    loss = -logsigmoid(margins).mean()
    scores = torch.cat((chosen, rejected)).detach()
    return loss, {
        "loss": loss.item(),
        "accuracy": (margins > 0).float().mean().item(),
        "margin": margins.mean().item(),
        "mean_reward": scores.mean().item(),
        "min_reward": scores.min().item(),
        "max_reward": scores.max().item(),
    }


@dataclass(frozen=True)
class PairLogprobs:
    """log p of whole answers, [pairs] each, in nats: sums over the tokens of the answer, given the prompt."""

    chosen: torch.Tensor
    rejected: torch.Tensor


def dpo_loss(policy: PairLogprobs, reference: PairLogprobs, beta: float) -> tuple[torch.Tensor, Statistics]:
    """-log sigmoid(implicit reward of the chosen answer - that of the rejected one).

    The implicit reward of an answer is beta · (log p under the policy - log p under the reference). Where policy and
    reference are the same, it is 0 and the loss is ln 2. Source: Rafailov et al. 2023, arXiv 2305.18290, equation 7.
    """
    chosen = beta * (policy.chosen - reference.chosen)
    rejected = beta * (policy.rejected - reference.rejected)
    margins = chosen - rejected
    loss = -logsigmoid(margins).mean()
    return loss, {
        "loss": loss.item(),
        "rewards/chosen": chosen.mean().item(),
        "rewards/rejected": rejected.mean().item(),
        "rewards/accuracies": (margins > 0).float().mean().item(),
        "rewards/margins": margins.mean().item(),
        "logps/chosen": policy.chosen.mean().item(),
        "logps/rejected": policy.rejected.mean().item(),
    }
