"""The batch as tensors: Q, K and V, the dense mask, and the float64 reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.masks import Layout, Mask, visible_matrix
from core.topics.masks.plan import Plan

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

_SCORES_AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False)
class Problem:
    """q [batch, heads, query_len, head_dim]; k and v [batch, heads, key_len, head_dim]; `layouts` one per sequence.

    `dense` bool [batch, 1, query_len, key_len]: True where a query sees a key.
    """

    mask: Mask
    layouts: tuple[Layout, ...]
    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    dense: torch.Tensor
    block_q: int
    block_kv: int

    @property
    def device(self) -> torch.device:
        return self.q.device

    @property
    def scale(self) -> float:
        return float(self.q.shape[3] ** -0.5)

    @property
    def sees(self) -> torch.Tensor:
        """bool [batch, 1, query_len]: the rows that see at least one key."""
        return self.dense.any(-1)


def make_problem(planned: Plan, device: str) -> Problem:
    """The problem of a plan, with standard normal tensors."""
    params = planned.params
    return problem_of(
        planned.mask,
        planned.positions.layouts,
        heads=params.heads,
        head_dim=params.head_dim,
        dtype=params.dtype,
        seed=params.seed,
        blocks=(params.block_q, params.block_kv),
        device=device,
    )


def problem_of(
    mask: Mask,
    layouts: tuple[Layout, ...],
    *,
    heads: int,
    head_dim: int,
    dtype: str,
    seed: int,
    blocks: tuple[int, int],
    device: str,
) -> Problem:
    """A problem with any mask; the same seed and shapes give the same tensors."""
    generator = np.random.default_rng(seed)
    query_len, key_len = layouts[0].query_len, layouts[0].key_len
    q, k, v = (
        torch.from_numpy(generator.standard_normal((len(layouts), heads, length, head_dim), dtype=np.float32)).to(
            device=device, dtype=DTYPES[dtype]
        )
        for length in (query_len, key_len, key_len)
    )
    dense = torch.from_numpy(np.stack([visible_matrix(mask, layout) for layout in layouts])[:, None]).to(device)
    return Problem(mask, layouts, q, k, v, dense, *blocks)


def float64_reference(problem: Problem, progress: ProgressCallback) -> torch.Tensor:
    """Attention in float64, a few rows at a time: [batch, heads, query_len, head_dim]; fully masked rows are 0."""
    batch, heads, query_len, _ = problem.q.shape
    out = torch.empty(problem.q.shape, dtype=torch.float64, device=problem.device)
    rows_at_once = max(1, _SCORES_AT_ONCE // max(1, problem.k.shape[2]))
    for done, (b, h) in enumerate(np.ndindex(batch, heads)):
        keys, values = problem.k[b, h].double(), problem.v[b, h].double()
        for first in range(0, query_len, rows_at_once):
            progress(done + first / query_len, batch * heads, tr("float64 reference"))
            rows = slice(first, first + rows_at_once)
            weights = weights_of(problem.q[b, h, rows].double() @ keys.mT * problem.scale, problem.dense[b, 0, rows])
            out[b, h, rows] = weights @ values
    return out


def weights_of(scores: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    """Softmax under a mask, with zeros in fully masked rows."""
    hidden = scores.masked_fill(~dense, float("-inf"))
    return torch.softmax(hidden, dim=-1).masked_fill(~dense.any(-1, keepdim=True), 0.0)
