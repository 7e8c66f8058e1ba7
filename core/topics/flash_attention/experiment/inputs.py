"""The problem as tensors on the device that runs it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.topics.flash_attention.model.inputs import make_inputs
from core.topics.flash_attention.params import FlashAttentionParams

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Problem:
    """q [batch, heads, seq_len, head_dim], k and v [batch, kv_heads, key_len, head_dim] in the dtype of the params."""

    params: FlashAttentionParams
    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor

    @property
    def device(self) -> torch.device:
        return self.q.device


def make_problem(params: FlashAttentionParams, device: str) -> Problem:
    """The inputs of `params`, made by numpy as for the model, so that both see the same numbers."""
    inputs = make_inputs(params)
    q, k, v = (torch.from_numpy(inputs[name]).to(device=device, dtype=DTYPES[params.dtype]) for name in ("Q", "K", "V"))
    return Problem(params, q, k, v)
