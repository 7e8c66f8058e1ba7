"""Attention for the block: the flash kernel, PyTorch's operations, and what is left of each call."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from kernels.attention import Impl, attention


@dataclass(frozen=True)
class Call:
    """One attention of a pass: q [heads, query_len, head_dim], k of the visible keys, and the kernel's log-sum-exp."""

    name: str
    q: torch.Tensor
    k: torch.Tensor
    lse: torch.Tensor
    causal: bool
    key_len: int

    def probabilities(self) -> torch.Tensor:
        """exp(score - LSE), float32 [heads, query_len, key_len]: the weights of V. Masked cells are 0."""
        scores = self.q @ self.k.mT / math.sqrt(self.q.shape[-1])
        if self.causal:
            query_len, visible = scores.shape[-2:]
            hidden = torch.ones(query_len, visible, dtype=torch.bool, device=scores.device).triu(
                visible - query_len + 1
            )
            scores = scores.masked_fill(hidden, -math.inf)
        seen = torch.exp(scores - self.lse[..., None])
        return torch.nn.functional.pad(seen, (0, self.key_len - seen.shape[-1]))


@dataclass
class Flash:
    """The project's Triton kernel. `calls` keeps what the pictures need, in order."""

    calls: list[Call] = field(default_factory=list)

    def __call__(
        self, name: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, visible_keys: int
    ) -> torch.Tensor:
        # One sequence, its pads at the end: the kernel is given the keys that are not pads.
        seen_k, seen_v = k[:, :visible_keys], v[:, :visible_keys]
        given = attention(q[None], seen_k[None], seen_v[None], impl=Impl.TRITON_FLASH, causal=causal, return_lse=True)
        assert given.lse is not None  # this implementation writes it in any case
        self.calls.append(Call(name, q, seen_k, given.lse[0], causal, k.shape[1]))
        return given.out[0]


def by_operations(
    name: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, visible_keys: int
) -> torch.Tensor:
    """matmul, softmax, matmul by PyTorch, in the dtype of q: differentiable, and an oracle in float64."""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    hidden = (torch.arange(k.shape[1], device=q.device) >= visible_keys).expand(q.shape[1], -1)
    if causal:
        hidden = hidden | torch.ones_like(hidden).triu(1)
    return torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1) @ v
