"""The problem as tensors on the device that runs it, one forward pass of it, and its float64 reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.engine.steps import ProgressCallback
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.softmax import make_inputs
from kernels.attention import AttentionOutput, Impl, attention

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


def launch(problem: Problem, impl: Impl, timeline: bool = False) -> AttentionOutput:
    """One forward pass with the tiles that the page asks for."""
    params = problem.params
    return attention(
        problem.q,
        problem.k,
        problem.v,
        impl=impl,
        causal=params.causal,
        block_q=params.block_q,
        block_kv=params.block_kv,
        timeline=timeline,
    )


def float64_reference(problem: Problem, progress: ProgressCallback) -> torch.Tensor:
    """Attention in float64, one head at a time: [batch, heads, seq_len, head_dim]."""
    params = problem.params
    queries_per_kv_head = params.heads // params.kv_heads
    out = torch.empty(problem.q.shape, dtype=torch.float64, device=problem.device)
    for done, (batch, head) in enumerate(np.ndindex(params.batch, params.heads)):
        progress(done, params.batch * params.heads, "float64 reference")
        q = problem.q[batch : batch + 1, head : head + 1]
        kv_head = head // queries_per_kv_head
        k, v = (t[batch : batch + 1, kv_head : kv_head + 1] for t in (problem.k, problem.v))
        out[batch, head] = attention(q, k, v, impl=Impl.REFERENCE, causal=params.causal).out[0, 0]
    return out
