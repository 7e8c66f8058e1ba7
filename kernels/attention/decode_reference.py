"""Decode in float64: the reference for every other implementation, and the cache as plain dense tensors."""

from __future__ import annotations

import torch

from kernels.attention.decode_inputs import DecodeInputs
from kernels.attention.reference import masked_reference_forward


def dense_cache(inputs: DecodeInputs, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """K and V as [batch, kv_heads, capacity, dim] in `dtype`: pages gathered, scales applied in float32 at least, and
    zeros beyond each length, where a cache holds anything, NaN included."""
    unused = ~_in_use(inputs)[:, None, :, None]
    dense = []
    for cache, scale in ((inputs.k, inputs.k_scale), (inputs.v, inputs.v_scale)):
        if inputs.block_table is not None:
            pages = cache[inputs.block_table.long().clamp(0, cache.shape[0] - 1)]
            cache = pages.flatten(1, 2).transpose(1, 2)
        if scale is not None:
            cache = cache.to(torch.float64 if dtype is torch.float64 else torch.float32) * scale.reshape(-1, 1, 1)
        dense.append(cache.to(dtype).masked_fill(unused, 0.0))
    return dense[0], dense[1]


def visible_keys(inputs: DecodeInputs) -> torch.Tensor:
    """Bool [batch, query_len, capacity]: what `decode_attention` says that each query token sees."""
    query_len, device = inputs.q.shape[2], inputs.q.device
    keys = torch.arange(inputs.capacity, device=device)
    positions = _lengths(inputs)[:, None] - query_len + torch.arange(query_len, device=device)
    positions = positions[..., None]
    visible = keys <= positions
    if inputs.window is not None:
        visible &= (keys > positions - inputs.window) | (keys < inputs.sink_tokens)
    return visible


def decode_reference(inputs: DecodeInputs) -> tuple[torch.Tensor, torch.Tensor]:
    """Out [batch, heads, query_len, value_dim] and log-sum-exp [batch, heads, query_len], both float64."""
    k, v = dense_cache(inputs, torch.float64)
    out, lse = masked_reference_forward(inputs.q, k, v, mask=visible_keys(inputs), softmax_scale=inputs.softmax_scale)
    if inputs.sink_logits is not None:
        with_sink = torch.logaddexp(lse, inputs.sink_logits.double()[:, None])
        out, lse = out * torch.exp(lse - with_sink)[..., None], with_sink
    return out, lse


def _lengths(inputs: DecodeInputs) -> torch.Tensor:
    if inputs.lengths is None:
        return torch.full((inputs.q.shape[0],), inputs.capacity, device=inputs.q.device)
    return inputs.lengths.long()


def _in_use(inputs: DecodeInputs) -> torch.Tensor:
    """Bool [batch, capacity]: keys before each length."""
    return torch.arange(inputs.capacity, device=inputs.q.device) < _lengths(inputs)[:, None]
