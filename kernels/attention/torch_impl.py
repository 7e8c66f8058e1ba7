"""Attention in PyTorch: three plain operations, and SDPA with a fixed backend."""

from __future__ import annotations

import warnings

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from kernels.attention.reference import visible
from kernels.errors import Unavailable


def naive_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, softmax_scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """matmul, softmax, matmul in the input dtype, as one would write it. Returns out and P [.., query_len, key_len].

    Query heads that share a KV head are broadcast against it.
    """
    query_len, key_len = q.shape[2], k.shape[2]
    mask = visible(query_len, key_len, causal=True, device=q.device) if causal else None
    p = _probabilities(q, k, mask, softmax_scale)
    if mask is not None and query_len > key_len:
        p = p.masked_fill(~mask.any(-1, keepdim=True), 0.0)  # fully masked rows, where softmax gives NaN
    return _weighted(p, v), p


def naive_masked_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, mask: torch.Tensor, softmax_scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same under a mask, bool, broadcast over [batch, heads, query_len, key_len]: dense scores, hidden by -inf.

    A fully masked row stays NaN, the softmax of nothing but -inf.
    """
    p = _probabilities(q, k, mask, softmax_scale)
    return _weighted(p, v), p


def _probabilities(q: torch.Tensor, k: torch.Tensor, mask: torch.Tensor | None, scale: float) -> torch.Tensor:
    batch, heads, query_len, head_dim = q.shape
    kv_heads, key_len = k.shape[1], k.shape[2]
    grouped = q.reshape(batch, kv_heads, heads // kv_heads, query_len, head_dim)
    scores = ((grouped @ k.unsqueeze(2).mT) * scale).reshape(batch, heads, query_len, key_len)
    return torch.softmax(scores if mask is None else scores.masked_fill(~mask, float("-inf")), dim=-1)


def _weighted(p: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    batch, heads, query_len, key_len = p.shape
    kv_heads, head_dim = v.shape[1], v.shape[3]
    grouped = p.reshape(batch, kv_heads, heads // kv_heads, query_len, key_len)
    return (grouped @ v.unsqueeze(2)).reshape(batch, heads, query_len, head_dim)


def sdpa_masked_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, mask: torch.Tensor, softmax_scale: float
) -> torch.Tensor:
    """scaled_dot_product_attention with a bool mask, broadcast over [batch, heads, query_len, key_len].

    PyTorch chooses the backend, which also decides what a fully masked row gives: nothing is repaired here.
    """
    gqa = q.shape[1] != k.shape[1]
    return scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=softmax_scale, enable_gqa=gqa)


def sdpa_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, backend: SDPBackend, causal: bool, softmax_scale: float
) -> torch.Tensor:
    """scaled_dot_product_attention with one backend. Raises Unavailable with PyTorch's reason if it cannot run.

    PyTorch's `is_causal` is aligned top-left, so lengths that differ pass a bottom-right mask instead: a bias object
    for the flash backend, which takes no mask, a bool mask for the others.
    """
    mask: torch.Tensor | None = None
    is_causal = causal
    if causal and q.shape[2] != k.shape[2]:
        is_causal = False
        if backend is SDPBackend.FLASH_ATTENTION:
            if q.device.type == "cpu":
                raise Unavailable(
                    "SDPA's flash backend on CPU aligns its causal mask top-left only: use equal query and key lengths."
                )
            # Not above: it imports TorchDynamo, which takes longer than the rest of a page's first run.
            from torch.nn.attention.bias import causal_lower_right

            mask = causal_lower_right(q.shape[2], k.shape[2])
        else:
            mask = visible(q.shape[2], k.shape[2], causal=True, device=q.device)
    with warnings.catch_warnings(record=True) as reasons, sdpa_kernel(backend):
        warnings.simplefilter("always")
        try:
            return scaled_dot_product_attention(
                q, k, v, attn_mask=mask, is_causal=is_causal, scale=softmax_scale, enable_gqa=q.shape[1] != k.shape[1]
            )
        except RuntimeError as error:
            if "No available kernel" not in str(error) and "No viable backend" not in str(error):
                raise
            raise _unavailable(backend, [str(reason.message) for reason in reasons]) from error


def _unavailable(backend: SDPBackend, reasons: list[str]) -> Unavailable:
    """PyTorch warns once per backend, requested or not; the reasons follow the line 'X kernel not used because:'."""
    lines = [line.split(" (Triggered")[0].strip().rstrip(".") for line in reasons]
    lines = [line for line in lines if not line.endswith("because:") and "runtime disabled" not in line]
    if not lines:
        return Unavailable(
            "SDPA's {backend} backend does not support these inputs on this device: choose another implementation.",
            backend=backend.name,
        )
    return Unavailable(
        "SDPA's {backend} backend cannot run here: {reason}.",
        backend=backend.name,
        reason="; ".join(dict.fromkeys(lines)),
    )
