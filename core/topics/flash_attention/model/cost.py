"""What a run would take from this host, predicted before it starts. Rough: it decides, it is not shown as a result."""

from __future__ import annotations

from dataclasses import dataclass

from core.topics.flash_attention.model.sram import ELEMENT_BYTES
from core.topics.flash_attention.params import FlashAttentionParams

TRACE_BUDGET_BYTES = 1 << 30
"""What the tracer may hold of intermediate tiles at a time."""
_START_S = 3.0
_SECONDS_PER_SCORE = 6e-7
"""On two CPU cores: a tenth for tracing, the rest for the float64 reference and PyTorch's own attention."""
_FLOAT64, _FLOAT32 = 8, 4


@dataclass(frozen=True)
class RunCost:
    """Peak bytes of host memory, of which `score_bytes` are S and P of standard attention, and seconds on two cores."""

    score_bytes: int
    peak_bytes: int
    seconds: float


def run_cost(params: FlashAttentionParams) -> RunCost:
    """The largest phase: tracing with S and P, plain PyTorch with four score matrices, or the float64 reference."""
    element = ELEMENT_BYTES[params.dtype]
    heads = params.batch * params.heads
    rows = 2 * heads * params.seq_len + 2 * params.batch * params.kv_heads * params.key_len
    tensor_bytes = rows * params.head_dim * (element + _FLOAT32 + _FLOAT64)
    scores = heads * params.seq_len * params.key_len
    score_bytes = 2 * element * scores
    one_head = params.seq_len * params.key_len
    phases = (score_bytes + TRACE_BUDGET_BYTES, 2 * score_bytes, 4 * _FLOAT64 * one_head)
    return RunCost(score_bytes, tensor_bytes + max(phases), _START_S + scores * _SECONDS_PER_SCORE)
