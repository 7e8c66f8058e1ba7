"""Attention forward on a device."""

from __future__ import annotations

from functools import partial

import torch

from core.families.axes import Case
from core.families.running.problem import DTYPES, Outputs, Problem, generator, normal
from kernels.attention import Impl, attention

_IMPLS = tuple(impl for impl in Impl if impl is not Impl.REFERENCE)
MOST_CHECKED_CELLS = 1 << 25
"""Scores beyond which only some heads of the first sequence are checked: a float64 reference of all takes too long."""

Qkv = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def problem(case: Case, seed: int, device: torch.device) -> Problem:
    """Every implementation of attention on the same Q, K and V."""
    q, k, v = qkv = random_qkv(case, seed, device)
    causal = case["mask"] == "causal"
    few = few_heads(qkv)

    def by(impl: Impl) -> Outputs:
        return (attention(q, k, v, impl=impl, causal=causal).out,)

    def of_few(impl: Impl) -> Outputs:
        return (attention(*few, impl=impl, causal=causal).out,)

    batch, heads = few[0].shape[:2]
    return Problem(
        runs={impl.value: partial(by, impl) for impl in _IMPLS},
        exact=partial(of_few, Impl.REFERENCE),
        plain=partial(of_few, Impl.TORCH_NAIVE),
        part=lambda outputs: (outputs[0][:batch, :heads],),
    )


def random_qkv(case: Case, seed: int, device: torch.device) -> Qkv:
    """Q [batch, heads, seq_len, head_dim]; K and V [batch, kv_heads, seq_len, head_dim]."""
    numbers, dtype = generator(seed, device), DTYPES[str(case["dtype"])]
    batch, length, head_dim = int(case["batch"]), int(case["seq_len"]), int(case["head_dim"])
    heads = [int(case["heads"]), int(case["kv_heads"]), int(case["kv_heads"])]
    q, k, v = (normal((batch, count, length, head_dim), numbers, dtype) for count in heads)
    return q, k, v


def few_heads(qkv: Qkv) -> Qkv:
    """What is checked: everything, or the first heads of the first sequence where everything has too many scores."""
    q, k, v = qkv
    heads, length, kv_heads = q.shape[1], q.shape[2], k.shape[1]
    cells = q.shape[0] * heads * length * k.shape[2]
    if cells <= MOST_CHECKED_CELLS:
        return qkv
    group = heads // kv_heads
    few = max(1, min(kv_heads, 2 // group))
    return q[:1, : few * group], k[:1, :few], v[:1, :few]
