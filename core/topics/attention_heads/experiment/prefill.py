"""Causal attention of a short prompt through the flash kernel: what it asks of memory, and what it computes."""

from __future__ import annotations

import torch

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.interpreter import intercept
from core.model_configs import AttentionFacts
from core.topics.attention_heads.experiment.inputs import MhaInputs
from core.topics.attention_heads.result import TracedPrefill
from core.trace.kernel_traffic import KernelTraffic, kernel_traffic, moved_bytes
from core.trace.tile_loads import tiles_visited
from kernels.attention import TENSOR_OF_ARGUMENT, Impl, attention

LONGEST = 1024
"""Tokens of the prompt: the work is quadratic in them."""


def trace_prefill(
    key: str, facts: AttentionFacts, mha: MhaInputs, kernel: str, progress: ProgressCallback
) -> tuple[TracedPrefill, KernelTraffic]:
    """The first tokens of `mha`, with one of its heads per KV head. Only addresses are traced, whatever the values.

    Raises KernelError for head dimensions that the flash kernel does not support, and for MLA, whose keys and values
    have different widths.
    """
    progress(0, 1, tr("tracing a prompt"))
    tokens = min(LONGEST, mha.k.shape[2])
    group = facts.heads // facts.kv_heads
    q = torch.randn(
        (1, facts.heads, tokens, facts.head_dim), generator=torch.Generator().manual_seed(0), dtype=torch.float32
    ).to(mha.q)
    k, v = (heads[:, ::group, :tokens].contiguous() for heads in (mha.k, mha.v))
    with intercept(progress=progress, addresses_only=True) as tracer:
        tiling = attention(q, k, v, impl=Impl.TRITON_FLASH, causal=True).tiling
    assert tiling is not None
    (launch,) = tracer.launches
    traffic = kernel_traffic(kernel, tracer.launches, TENSOR_OF_ARGUMENT)
    product = 2 * tiling.block_q * tiling.block_kv * facts.head_dim
    once = sum(tensor.numel() * tensor.element_size() for tensor in (q, k, v, q))
    prefill = TracedPrefill(
        key=key,
        tokens=tokens,
        requested_bytes=moved_bytes(traffic.traffic),
        once_bytes=once,
        flops=product * (tiles_visited(launch, "k_ptr") + tiles_visited(launch, "v_ptr")),
    )
    return prefill, traffic
