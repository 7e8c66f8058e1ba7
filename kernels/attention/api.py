"""The single entry point to all implementations of attention. `impl` runs or raises: there is no silent fallback."""

from __future__ import annotations

import math

import torch
from torch.nn.attention import SDPBackend

from kernels.attention.impl import Impl, available
from kernels.attention.inputs import are_describable, check_blocks, check_extras, check_inputs, check_scale
from kernels.attention.output import AttentionOutput, Timeline
from kernels.attention.reference import reference_forward
from kernels.attention.tiling import choose_tiling
from kernels.attention.torch_impl import naive_forward, sdpa_forward
from kernels.launching import device_target, launching

__all__ = ["AttentionOutput", "Impl", "Timeline", "attention", "available"]

_SDPA_BACKENDS = {
    Impl.SDPA_MATH: SDPBackend.MATH,
    Impl.SDPA_FLASH: SDPBackend.FLASH_ATTENTION,
    Impl.SDPA_EFFICIENT: SDPBackend.EFFICIENT_ATTENTION,
    Impl.SDPA_CUDNN: SDPBackend.CUDNN_ATTENTION,
}


def attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    impl: Impl,
    causal: bool,
    softmax_scale: float | None = None,
    block_q: int | None = None,
    block_kv: int | None = None,
    return_lse: bool = False,
    timeline: bool = False,
) -> AttentionOutput:
    """softmax(softmax_scale Q K^T) V, computed by `impl` alone.

    q [batch, heads, query_len, head_dim]; k and v [batch, kv_heads, key_len, head_dim], where kv_heads divides heads
    (query head h reads KV head h // (heads // kv_heads)). Any strides are accepted: transposed views are read in place.
    The causal mask is aligned bottom-right: query i sees the keys j <= i + key_len - query_len. A fully masked row
    outputs zeros and a log-sum-exp of -inf. `softmax_scale` defaults to 1 / sqrt(head_dim). `block_q` and `block_kv`
    are the tile sizes of the Triton kernels; None chooses them for the GPU (64 x 64 on CPU tensors).

    The output is differentiable in q, k and v; the other tensors that Triton kernels return carry no gradient.

    Raises InvalidInputs for unsupported shapes, dtypes and options, Unavailable when `impl` cannot run here. Triton
    kernels need a GPU, unless the launches are intercepted and executed on CPU tensors.
    """
    impl = Impl(impl)
    check_inputs(q, k, v)
    scale = 1.0 / math.sqrt(q.shape[3]) if softmax_scale is None else float(softmax_scale)
    check_scale(scale)
    check_blocks(block_q, block_kv)
    check_extras(impl, q.device, return_lse=return_lse, timeline=timeline)
    if impl.is_triton:
        return _triton_attention(q, k, v, impl, causal, scale, (block_q, block_kv), timeline)
    if unavailable := available(impl, q.device):
        raise unavailable
    if impl is Impl.REFERENCE:
        out, lse = reference_forward(q, k, v, causal=causal, softmax_scale=scale)
        return AttentionOutput(out, lse=lse)
    if impl is Impl.TORCH_NAIVE:
        out, p = naive_forward(q, k, v, causal=causal, softmax_scale=scale)
        return AttentionOutput(out, p=p)
    return AttentionOutput(sdpa_forward(q, k, v, backend=_SDPA_BACKENDS[impl], causal=causal, softmax_scale=scale))


def _triton_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    impl: Impl,
    causal: bool,
    scale: float,
    blocks: tuple[int | None, int | None],
    timeline: bool,
) -> AttentionOutput:
    target = device_target(q.device)
    block_q, block_kv = blocks
    tiling = choose_tiling(
        head_dim=q.shape[3],
        element_bytes=q.element_size(),
        target=target,
        block_q=block_q,
        block_kv=block_kv,
        describable=impl is Impl.TRITON_FLASH and are_describable(q, k, v),
    )
    with launching(q.device, tiles=tiling.described(head_dim=q.shape[3], dtype=q.dtype)):
        # Imported late: Triton does not exist on every platform, and the other implementations do not need it.
        from kernels.attention.autograd import flash, standard
        from kernels.attention.triton.flash import read_timeline

        if impl is Impl.TRITON_STANDARD:
            out, s, p = standard(q, k, v, causal=causal, softmax_scale=scale, tiling=tiling)
            return AttentionOutput(out, s=s, p=p, tiling=tiling)
        out, lse, times = flash(
            q, k, v, mask=causal, softmax_scale=scale, tiling=tiling, blocks=blocks, timeline=timeline
        )
        recorded = None if times is None else read_timeline(times, q, tiling, causal=causal)
        return AttentionOutput(out, lse=lse, tiling=tiling, timeline=recorded)
