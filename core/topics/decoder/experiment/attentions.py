"""Attention for the block: the flash kernels, PyTorch's operations, and what is left of each call."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from kernels.attention import Impl, attention
from kernels.attention.mask import MaskDescription, TermKind, term
from kernels.attention.sparse import SparseImpl, sparse_attention


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
    """The project's Triton kernels: flash, and the block-sparse one where there are pads to hide.

    `calls` keeps what the pictures need, in order.
    """

    calls: list[Call] = field(default_factory=list)

    def __call__(
        self, name: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, visible_keys: int
    ) -> torch.Tensor:
        batch = q[None], k[None], v[None]
        if visible_keys < k.shape[1]:
            hidden_pads = _without_pads(visible_keys, causal=causal)
            given = sparse_attention(*batch, impl=SparseImpl.BLOCK_SPARSE, mask=hidden_pads)
        else:
            given = attention(*batch, impl=Impl.TRITON_FLASH, causal=causal, return_lse=True)
        assert given.lse is not None  # both write it in any case
        self.calls.append(Call(name, q, k[:, :visible_keys], given.lse[0], causal, k.shape[1]))
        return given.out[0]


def _without_pads(visible_keys: int, *, causal: bool) -> MaskDescription:
    real_keys = term(TermKind.KEYS_BEFORE, visible_keys)
    return real_keys & term(TermKind.CAUSAL) if causal else real_keys


def by_operations(
    name: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, visible_keys: int
) -> torch.Tensor:
    """matmul, softmax, matmul by PyTorch, in the dtype of q: differentiable, and an oracle in float64."""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    hidden = (torch.arange(k.shape[1], device=q.device) >= visible_keys).expand(q.shape[1], -1)
    if causal:
        hidden = hidden | torch.ones_like(hidden).triu(1)
    return torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1) @ v
