"""What rotary embeddings make of position ids: scores with them against scores with positions counted by place."""

from __future__ import annotations

import torch

from core.masks.position_ids import Counting
from core.topics.masks.experiment.problem import Problem
from core.topics.masks.plan import Plan

_BASE = 10000.0
_ROWS_AT_ONCE = 512


def rotary_changes(problem: Problem, planned: Plan) -> dict[Counting, float]:
    """The largest change of a visible score, by way of counting, in float32 with the batch's Q and K of head 0.

    Pads are left out on both sides. {} where nothing is counted differently.
    """
    ids = planned.position_ids
    layout, sequence = planned.layout, planned.sequence
    q, k = (tensor[sequence, 0].float() for tensor in (problem.q, problem.k))
    real_queries, real_keys = (torch.from_numpy(side.real).to(q.device) for side in (layout.queries, layout.keys))
    seen = problem.dense[sequence, 0] & real_queries[:, None] & real_keys
    scores = {}
    for way, row in ids.items():
        positions = torch.from_numpy(row).to(q.device)
        scores[way] = (rotated(q, positions[layout.offset :]), rotated(k, positions))
    return {way: _largest(scores[Counting.PLACE], scores[way], seen, problem.scale) for way in list(ids)[1:]}


def rotated(x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """x [length, head_dim] turned by its positions [length], the halves of a row as pairs, as in Llama (Su et al. 2021,
    arXiv 2104.09864, section 3.2.2)."""
    half = x.shape[1] // 2
    frequencies = _BASE ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angles = positions.float()[:, None] * frequencies
    first, second = x[:, :half], x[:, half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=1)


def _largest(
    before: tuple[torch.Tensor, torch.Tensor],
    after: tuple[torch.Tensor, torch.Tensor],
    seen: torch.Tensor,
    scale: float,
) -> float:
    largest = 0.0
    for start in range(0, seen.shape[0], _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        difference = (before[0][rows] @ before[1].mT - after[0][rows] @ after[1].mT).abs() * scale
        visible = difference[seen[rows]]
        largest = max(largest, float(visible.max())) if visible.numel() else largest
    return largest
