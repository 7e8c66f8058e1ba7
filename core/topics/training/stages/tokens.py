"""From logits to what the losses need: log-probabilities, entropies, and means over the tokens that count."""

from __future__ import annotations

import torch


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of the values where mask is 1. Both have the same shape. NaN if the mask is empty."""
    return (values * mask).sum() / mask.sum()


def token_logprobs(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """log p of each token, in nats: [...] from logits [..., vocabulary] and token ids [...]."""
    return logits.log_softmax(dim=-1).gather(-1, tokens[..., None]).squeeze(-1)


def entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy of the next token, in nats: [...] from logits [..., vocabulary]."""
    logprobs = logits.log_softmax(dim=-1)
    return -(logprobs.exp() * logprobs).sum(dim=-1)
