"""How far a policy has moved from its reference: the exact KL divergence, and three estimates from samples.

With x drawn from the policy p and log r = log q(x) - log p(x), q being the reference, KL(p || q) = E[-log r].
Source: J. Schulman, Approximating KL Divergence, 2020, http://joschu.net/blog/kl-approx.html.
"""

from __future__ import annotations

import torch


def k1(logprobs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """-log r: unbiased, but negative for about every second token, so its variance is high. TRL's PPO reports this."""
    return logprobs - reference


def k2(logprobs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """(log r)² / 2: never negative, low variance, biased; the bias vanishes as the two distributions meet."""
    return 0.5 * (reference - logprobs).square()


def k3(logprobs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """(r - 1) - log r: unbiased and never negative. The variance is low unless r is large. GRPO's KL term."""
    log_ratio = reference - logprobs
    return log_ratio.exp() - 1 - log_ratio


ESTIMATORS = {"k1": k1, "k2": k2, "k3": k3}
"""Each takes the log-probabilities of the sampled tokens under policy and reference, of any one shape, in nats."""


def exact_kl(logits: torch.Tensor, reference_logits: torch.Tensor) -> torch.Tensor:
    """KL(policy || reference) over the whole vocabulary, in nats: [...] from logits [..., vocabulary]."""
    policy, reference = logits.log_softmax(dim=-1), reference_logits.log_softmax(dim=-1)
    return (policy.exp() * (policy - reference)).sum(dim=-1)
