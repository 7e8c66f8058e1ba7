"""How much better an action was than expected: GAE from a value model (PPO), or a group's mean (GRPO)."""

from __future__ import annotations

import torch


def gae(
    rewards: torch.Tensor, values: torch.Tensor, discount: float, trace_decay: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantages and returns [batch, length], from rewards and values [batch, length] that are 0 after the last token.

    delta_t = r_t + discount · V_{t+1} - V_t, and A_t = delta_t + discount · trace_decay · A_{t+1}. The value after the
    last token is 0. The return is A_t + V_t. Source: Schulman et al. 2016, arXiv 1506.02438, equations 11 to 16.
    """
    length = rewards.shape[1]
    advantages = torch.zeros_like(rewards)
    following_value = following_advantage = torch.zeros_like(rewards[:, 0])
    for step in reversed(range(length)):
        delta = rewards[:, step] + discount * following_value - values[:, step]
        following_advantage = delta + discount * trace_decay * following_advantage
        following_value = values[:, step]
        advantages[:, step] = following_advantage
    return advantages, advantages + values


def normalized(advantages: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Advantages with mean 0 and standard deviation 1 over the tokens that count; 0 elsewhere.

    The variance has Bessel's correction, as in TRL's `masked_whiten`. One token alone cannot be scaled: it becomes 0.
    """
    count = mask.sum()
    mean = (advantages * mask).sum() / count
    centred = (advantages - mean) * mask
    variance = centred.square().sum() / (count - 1).clamp(min=1)
    return centred * torch.rsqrt(variance + 1e-8)


def group_advantages(rewards: torch.Tensor, scale: bool = True) -> tuple[torch.Tensor, float]:
    """GRPO's advantages [prompts, samples], and the share of prompts whose samples all have one reward: they teach
    nothing (TRL: `frac_reward_zero_std`).

    A = (r - mean of the group) / (standard deviation of the group + 1e-4); without `scale` it is not divided (Dr. GRPO,
    arXiv 2503.20783). Source: Shao et al. 2024 (DeepSeekMath), arXiv 2402.03300, section 4.1.2; 1e-4 is TRL's.
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    deviation = rewards.std(dim=1, keepdim=True)
    zero = torch.isclose(deviation, torch.zeros_like(deviation))
    return centred / (deviation + 1e-4) if scale else centred, float(zero.float().mean())
