"""The losses that learn from the policy's own samples: PPO's policy and value loss, and GRPO's loss.

All tensors are [batch, length] over the tokens of the answers; `mask` is 1 for a token and 0 for padding. `logprobs`
are those of the policy in training, `old_logprobs` those of the policy that sampled. Statistics carry TRL's names.
"""

from __future__ import annotations

import torch

from core.topics.training.stages.kl import k3
from core.topics.training.stages.losses import Statistics
from core.topics.training.stages.tokens import masked_mean


def ppo_policy_loss(
    logprobs: torch.Tensor, old_logprobs: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor, clip: float
) -> tuple[torch.Tensor, Statistics]:
    """Mean of max(-A · ratio, -A · clamp(ratio, 1 - clip, 1 + clip)), with ratio = p / p_old.

    A token whose ratio has left the range in the direction that its advantage asks for has no gradient any more.
    `policy/approxkl_avg` is half the mean square of log ratio. Source: Schulman et al. 2017, arXiv 1707.06347,
    equation 7.
    """
    log_ratio = logprobs - old_logprobs
    ratio = log_ratio.exp()
    unclipped = -advantages * ratio
    clipped = -advantages * ratio.clamp(1 - clip, 1 + clip)
    loss = masked_mean(torch.maximum(unclipped, clipped), mask)
    return loss, {
        "loss/policy_avg": loss.item(),
        "policy/clipfrac_avg": masked_mean((clipped > unclipped).float(), mask).item(),
        "policy/approxkl_avg": masked_mean(0.5 * log_ratio.square(), mask).item(),
        "val/ratio": masked_mean(ratio, mask).item(),
    }


def is_clipped(
    logprobs: torch.Tensor, old_logprobs: torch.Tensor, advantages: torch.Tensor, clip: float
) -> torch.Tensor:
    """True for a token that PPO's clipping has left without gradient."""
    ratio = (logprobs - old_logprobs).exp()
    return (-advantages * ratio.clamp(1 - clip, 1 + clip)) > (-advantages * ratio)


def ppo_value_loss(
    values: torch.Tensor, old_values: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor, clip: float
) -> tuple[torch.Tensor, Statistics]:
    """Half the mean of the larger of (V - R)² and (V clipped to V_old ± clip - R)².

    Source: the code of Schulman et al. 2017, described by Huang et al. 2022, The 37 Implementation Details of PPO,
    detail 9, https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/.
    """
    within = torch.clamp(values, old_values - clip, old_values + clip)
    unclipped, clipped = (values - returns).square(), (within - returns).square()
    loss = 0.5 * masked_mean(torch.maximum(unclipped, clipped), mask)
    return loss, {
        "loss/value_avg": loss.item(),
        "val/clipfrac_avg": masked_mean((clipped > unclipped).float(), mask).item(),
    }


def grpo_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    reference: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    clip: float,
    beta: float,
) -> tuple[torch.Tensor, Statistics]:
    """-min(ratio · A, clamp(ratio) · A) + beta · k3, a mean over the tokens of each answer, then over the answers.

    `advantages` [batch] are those of whole answers; `reference` are the log-probabilities under the reference, whose KL
    is part of the loss, not of the reward. Source: Shao et al. 2024 (DeepSeekMath), arXiv 2402.03300, equations 3
    and 4. It is TRL's `loss_type="grpo"`.
    """
    advantages = advantages[:, None]
    ratio = (logprobs - old_logprobs).exp()
    clipped_ratio = ratio.clamp(1 - clip, 1 + clip)
    per_token = -torch.minimum(ratio * advantages, clipped_ratio * advantages)
    kl = k3(logprobs, reference)
    per_answer = ((per_token + beta * kl) * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    loss = per_answer.mean()
    low, high = (ratio < 1 - clip) & (advantages < 0), (ratio > 1 + clip) & (advantages > 0)
    return loss, {
        "loss": loss.item(),
        "kl": masked_mean(kl, mask).item(),
        "clip_ratio/low_mean": masked_mean(low.float(), mask).item(),
        "clip_ratio/high_mean": masked_mean(high.float(), mask).item(),
        "clip_ratio/region_mean": masked_mean((low | high).float(), mask).item(),
    }
