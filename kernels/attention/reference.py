"""Attention in float64: the reference for every other implementation."""

from __future__ import annotations

import torch


def visible(query_len: int, key_len: int, *, causal: bool, device: torch.device | str = "cpu") -> torch.Tensor:
    """Bool [query_len, key_len]: query i sees key j. Causal is aligned bottom-right: j <= i + key_len - query_len."""
    everything = torch.ones(query_len, key_len, dtype=torch.bool, device=device)
    return everything.tril(key_len - query_len) if causal else everything


def reference_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, softmax_scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """`masked_reference_forward` under a causal mask or no mask."""
    mask = visible(q.shape[2], k.shape[2], causal=causal, device=q.device)
    return masked_reference_forward(q, k, v, mask=mask, softmax_scale=softmax_scale)


def masked_reference_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, mask: torch.Tensor, softmax_scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """softmax(softmax_scale Q K^T) V in float64 (Vaswani et al. 2017, equation 1), one head at a time to save memory.

    q [batch, heads, query_len, head_dim], k [batch, kv_heads, key_len, head_dim] and v [batch, kv_heads, key_len,
    value_dim]; mask bool, broadcast over [batch, query_len, key_len], True where a query sees a key. Returns out
    [batch, heads, query_len, value_dim] and the natural log-sum-exp of the scaled scores [batch, heads, query_len],
    float64. A fully masked row gives zeros and -inf.
    """
    batch, heads, query_len, _ = q.shape
    heads_per_kv_head = heads // k.shape[1]
    out = torch.empty((batch, heads, query_len, v.shape[3]), dtype=torch.float64, device=q.device)
    lse = torch.empty((batch, heads, query_len), dtype=torch.float64, device=q.device)
    for head in range(heads):
        keys, values = (t[:, head // heads_per_kv_head].double() for t in (k, v))
        scores = softmax_scale * (q[:, head].double() @ keys.mT)
        scores = scores.masked_fill(~mask, float("-inf"))
        lse[:, head] = torch.logsumexp(scores, dim=-1)
        base = lse[:, head].masked_fill(lse[:, head].isneginf(), 0.0)
        out[:, head] = torch.exp(scores - base[..., None]) @ values
    return out, lse


def reference_backward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dout: torch.Tensor, *, causal: bool, softmax_scale: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`masked_reference_backward` under a causal mask or no mask."""
    mask = visible(q.shape[2], k.shape[2], causal=causal, device=q.device)
    return masked_reference_backward(q, k, v, dout, mask=mask, softmax_scale=softmax_scale)


def masked_reference_backward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dout: torch.Tensor, *, mask: torch.Tensor, softmax_scale: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of `masked_reference_forward` for the gradient `dout` of its output: dq, dk, dv, float64.

    dV = P^T dO, dP = dO V^T, dS = P * (dP - rowsum(P * dP)), dQ = scale dS K, dK = scale dS^T Q (Dao et al. 2022,
    appendix B). Query heads that share a KV head add up in dk and dv. A fully masked row gives zeros everywhere.
    """
    heads_per_kv_head = q.shape[1] // k.shape[1]
    dq, dk, dv = (torch.zeros(t.shape, dtype=torch.float64, device=t.device) for t in (q, k, v))
    for head in range(q.shape[1]):
        kv_head = head // heads_per_kv_head
        queries, d_head = q[:, head].double(), dout[:, head].double()
        keys, values = (t[:, kv_head].double() for t in (k, v))
        scores = (softmax_scale * (queries @ keys.mT)).masked_fill(~mask, float("-inf"))
        p = torch.softmax(scores, dim=-1).masked_fill(~mask, 0.0)  # softmax gives NaN in a fully masked row
        dp = d_head @ values.mT
        ds = p * (dp - (p * dp).sum(-1, keepdim=True))
        dq[:, head] = softmax_scale * (ds @ keys)
        dk[:, kv_head] += softmax_scale * (ds.mT @ queries)
        dv[:, kv_head] += p.mT @ d_head
    return dq, dk, dv
