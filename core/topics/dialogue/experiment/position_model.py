"""A small decoder whose position scheme can be chosen. Workers only."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.functional import gelu

from core.language_model.torch_state import seeded

ROPE, ALIBI, NONE, LEARNED, SINUSOIDAL = "rope", "alibi", "none", "learned", "sinusoidal"
RELATIVE = (ROPE, ALIBI, NONE)
SCHEMES = (ROPE, ALIBI, NONE, LEARNED, SINUSOIDAL)
WIDTH, LAYERS, HEADS, POSITIONS = 64, 2, 2, 512


class PositionModel(nn.Module):
    """A pre-norm decoder of `LAYERS` layers of width `WIDTH`. `forward` takes what `Rows.inputs` gives."""

    def __init__(self, scheme: str, vocabulary: int) -> None:
        super().__init__()
        self.scheme = scheme
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        self.learned = nn.Embedding(POSITIONS, WIDTH) if scheme == LEARNED else None
        self.layers = nn.ModuleList(_Layer(scheme) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        for module in (self.embedding, self.learned):
            if module is not None:
                nn.init.normal_(module.weight, std=0.1)

    def forward(
        self, input_ids: torch.Tensor, position_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> torch.Tensor:
        """Logits [batch, length, vocabulary]."""
        hidden = self.embedding(input_ids)
        if self.learned is not None:
            hidden = hidden + self.learned(position_ids)
        if self.scheme == SINUSOIDAL:
            hidden = hidden + 0.1 * _waves(position_ids, hidden.dtype)
        for layer in self.layers:
            hidden = layer(hidden, position_ids, attention_mask)
        logits: torch.Tensor = self.norm(hidden) @ self.embedding.weight.T
        return logits


class _Layer(nn.Module):
    def __init__(self, scheme: str) -> None:
        super().__init__()
        self.scheme = scheme
        self.attention_norm, self.mlp_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, hidden: torch.Tensor, positions: torch.Tensor, sees: torch.Tensor) -> torch.Tensor:
        batch, length, _ = hidden.shape
        parts = self.qkv(self.attention_norm(hidden)).view(batch, length, 3, HEADS, WIDTH // HEADS)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        if self.scheme == ROPE:
            q, k = _rotated(q, positions), _rotated(k, positions)
        scores = q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
        if self.scheme == ALIBI:
            slopes = 2.0 ** -torch.arange(1, HEADS + 1, dtype=scores.dtype) * 0.5
            distance = (positions[:, None, :] - positions[:, :, None]).to(scores.dtype)
            scores = scores + slopes[:, None, None] * distance[:, None]
        weights = scores.masked_fill(~sees, -math.inf).softmax(dim=-1)
        hidden = hidden + self.out((weights @ v).transpose(1, 2).reshape(batch, length, WIDTH))
        mlp: torch.Tensor = self.down(gelu(self.up(self.mlp_norm(hidden))))
        return hidden + mlp


def position_model(scheme: str, vocabulary: int, seed: int) -> PositionModel:
    """An untrained model, whose weights the seed determines."""
    with seeded(seed):
        return PositionModel(scheme, vocabulary)


def _frequencies(width: int, dtype: torch.dtype) -> torch.Tensor:
    return 10_000.0 ** (-torch.arange(0, width, 2, dtype=dtype) / width)


def _waves(positions: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Vaswani et al. 2017, section 3.5, with the sines before the cosines."""
    angles = positions[..., None].to(dtype) * _frequencies(WIDTH, dtype)
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


def _rotated(x: Any, positions: torch.Tensor) -> torch.Tensor:
    """Su et al. 2021, RoFormer: q and k [batch, heads, length, width] rotated by their positions."""
    angles = positions[:, None, :, None].to(x.dtype) * _frequencies(x.shape[-1], x.dtype)
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)
