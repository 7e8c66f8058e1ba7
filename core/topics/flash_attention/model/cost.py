"""What a run would take from this host, predicted before it starts. Rough: it decides, it is not shown as a result."""

from __future__ import annotations

from dataclasses import dataclass

from core.topics.flash_attention.model.flops import ForwardFlops
from core.topics.flash_attention.model.sram import ELEMENT_BYTES
from core.topics.flash_attention.params import FlashAttentionParams

_EMULATED_FLOPS_PER_S = 10e9
_SECONDS_PER_SCORE = 10e-9
_START_S = 2.0
_FLOAT64 = 8
_FLOAT32 = 4


@dataclass(frozen=True)
class RunCost:
    """Peak bytes of host memory and seconds of an emulated run on two CPU cores."""

    tensor_bytes: int
    score_bytes: int
    """S and P of standard attention, and the float64 scores of the reference."""
    peak_bytes: int
    seconds: float


def run_cost(params: FlashAttentionParams, flops: ForwardFlops) -> RunCost:
    """Memory: Q, K, V, O in the working types and float64; S and P of all heads, and their float64 reference."""
    element = ELEMENT_BYTES[params.dtype]
    heads = params.batch * params.heads
    kv_heads = params.batch * params.kv_heads
    rows = 2 * heads * params.seq_len + 2 * kv_heads * params.key_len
    tensors = rows * params.head_dim * (element + _FLOAT64 + _FLOAT32)
    scores = heads * params.seq_len * params.key_len
    score_bytes = scores * (2 * element + 2 * _FLOAT64)
    seconds = _START_S + (flops.flash_tiles + flops.standard_tiles) / _EMULATED_FLOPS_PER_S
    seconds += scores * _SECONDS_PER_SCORE
    return RunCost(tensors, score_bytes, tensors + score_bytes, seconds)
