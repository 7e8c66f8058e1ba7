"""Greedy generation that goes on past the end token, so that one sees what a model would say next. Workers only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from core.language_model.torch_state import evaluating


def continued(
    model: Any, prompts: Sequence[np.ndarray], new_tokens: int, segments: Sequence[np.ndarray] | None = None
) -> list[list[int]]:
    """`new_tokens` greedy tokens after each prompt of token ids, whatever they are.

    `segments` gives the document of each token of a prompt: with it, a token sees only its own document, and the new
    tokens belong to the last one. Positions are not reset.
    """
    length = max(len(prompt) for prompt in prompts)
    ids = np.zeros((len(prompts), length), dtype=np.int64)
    segment = np.full((len(prompts), length), -1, dtype=np.int64)
    positions = np.zeros((len(prompts), length), dtype=np.int64)
    for row, prompt in enumerate(prompts):
        # Padding goes on the left, so that every prompt ends where the new tokens begin.
        first = length - len(prompt)
        ids[row, first:] = prompt
        segment[row, first:] = 0 if segments is None else segments[row]
        positions[row, first:] = np.arange(len(prompt))
    sees = (segment[:, :, None] == segment[:, None, :]) & np.tril(np.ones((length, length), dtype=bool))
    sees &= (segment >= 0)[:, None, :]
    sees |= np.eye(length, dtype=bool)
    return _generated(model, torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(sees), new_tokens)


def _generated(
    model: Any, ids: torch.Tensor, positions: torch.Tensor, sees: torch.Tensor, new_tokens: int
) -> list[list[int]]:
    found = []
    visible = sees[:, -1:, :]
    cache = None
    with evaluating(model):
        for _ in range(new_tokens):
            output = model(
                input_ids=ids,
                position_ids=positions,
                attention_mask=sees[:, None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = output.past_key_values
            ids = output.logits[:, -1:].argmax(dim=-1)
            found.append(ids)
            positions = positions[:, -1:] + 1
            visible = torch.cat((visible, torch.ones_like(visible[:, :, :1])), dim=2)
            sees = visible
    return torch.cat(found, dim=1).tolist()
