"""Decode on a device: one new token per sequence, over a contiguous or paged KV cache."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from core.families.axes import Case
from core.families.running.problem import DTYPES, Outputs, Problem, generator, normal
from kernels.attention.decode import DecodeImpl, decode_attention

MOST_CHECKED_ELEMENTS = 1 << 25
"""Elements of K and V beyond which only the first sequence is checked."""


def problem(case: Case, seed: int, device: torch.device) -> Problem:
    """Every implementation of decode on the same cache; pages lie in random order."""
    numbers, dtype = generator(seed, device), DTYPES[str(case["dtype"])]
    batch, heads, kv_heads = int(case["batch"]), int(case["heads"]), int(case["kv_heads"])
    keys, width, page = int(case["keys"]), int(case["head_dim"]), int(case["page_size"])
    q = normal((batch, heads, 1, width), numbers, dtype)
    k, v = (normal((batch, kv_heads, keys, width), numbers, dtype) for _ in range(2))
    options: dict[str, Any] = {}
    if page:
        k, v = (cache.transpose(1, 2).reshape(-1, page, kv_heads, width) for cache in (k, v))
        order = torch.randperm(len(k), generator=numbers, device=device)
        options["block_table"] = order.reshape(batch, -1).to(torch.int32)
    few = batch if 2 * batch * kv_heads * keys * width <= MOST_CHECKED_ELEMENTS else 1
    few_options = {name: table[:few] for name, table in options.items()}
    few_k, few_v = (k, v) if page else (k[:few], v[:few])

    def by(impl: DecodeImpl) -> Outputs:
        return (decode_attention(q, k, v, impl=impl, **options).out,)

    def of_few(impl: DecodeImpl) -> Outputs:
        return (decode_attention(q[:few], few_k, few_v, impl=impl, **few_options).out,)

    return Problem(
        runs={impl.value: partial(by, impl) for impl in DecodeImpl if impl is not DecodeImpl.REFERENCE},
        exact=partial(of_few, DecodeImpl.REFERENCE),
        plain=partial(of_few, DecodeImpl.TORCH_NAIVE),
        part=lambda outputs: (outputs[0][:few],),
    )
