"""Tiny random models whose heads are converted, for the tests of the conversion."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from core.language_model.libraries import silent_transformers

SMALL = {
    "vocab_size": 60,
    "hidden_size": 24,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
}


def no_progress(done: float, total: float, phase: object) -> None:
    """For work whose progress a test does not look at."""


@cache
def _built(kind: str, heads: int, kv_heads: int, changes: tuple[tuple[str, object], ...]) -> Any:
    with silent_transformers():
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.for_model(
            kind, **{**SMALL, **dict(changes)}, num_attention_heads=heads, num_key_value_heads=kv_heads
        )
        torch.manual_seed(3)
        model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:  # norms and biases start as ones and zeros, which would hide mistakes
                weight.normal_(1.0 if "norm" in name else 0.0, 0.3)
            elif "proj" in name:
                weight.normal_(0.0, weight.shape[1] ** -0.5)
    return model


def built(kind: str = "llama", heads: int = 4, kv_heads: int = 4, **changes: object) -> Any:
    """A tiny random model that a test may change."""
    return copy.deepcopy(_built(kind, heads, kv_heads, tuple(sorted(changes.items()))))


def tokens(batch: int = 2, length: int = 11) -> torch.Tensor:
    return torch.randint(60, (batch, length), generator=torch.Generator().manual_seed(5))


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = model.eval()(input_ids=ids, use_cache=False).logits
    return result


def groups_of(*layers: Sequence[int]) -> np.ndarray:
    return np.array(layers, dtype=np.int32)
