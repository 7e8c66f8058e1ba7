"""FlashAttention's forward pass, causal: each program keeps one Q tile and loops over K and V.

Source: Dao, "FlashAttention-2" (arXiv 2307.08691), Algorithm 1.
"""

import torch
import triton
import triton.language as tl

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@triton.jit
def flash_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, length, scale, D: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr
):
    head = tl.program_id(1).to(tl.int64) * length * D
    query = tl.program_id(0) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    key, d = tl.arange(0, BLOCK_KV), tl.arange(0, D)
    q_tile = head + query[:, None] * D + d[None, :]
    q = tl.load(q_ptr + q_tile, mask=query[:, None] < length, other=0.0)
    m_i = tl.full((BLOCK_Q,), -float("inf"), dtype=tl.float32)
    l_i = tl.zeros((BLOCK_Q,), dtype=tl.float32)
    acc = tl.zeros((BLOCK_Q, D), dtype=tl.float32)
    # No key after the last query of this tile is visible.
    last = tl.minimum((tl.program_id(0) + 1) * BLOCK_Q, length)
    for start in range(0, last, BLOCK_KV):
        at = start + key
        kv_tile = head + at[:, None] * D + d[None, :]
        k = tl.load(k_ptr + kv_tile, mask=at[:, None] < length, other=0.0)
        scores = tl.dot(q, tl.trans(k)) * scale
        scores = tl.where((at[None, :] <= query[:, None]) & (at[None, :] < length), scores, -float("inf"))
        m_new = tl.maximum(m_i, tl.max(scores, axis=1))
        p = tl.exp(scores - m_new[:, None])
        shrink = tl.exp(m_i - m_new)
        v = tl.load(v_ptr + kv_tile, mask=at[:, None] < length, other=0.0)
        acc = tl.dot(p.to(v.dtype), v, acc * shrink[:, None])
        l_i = l_i * shrink + tl.sum(p, axis=1)
        m_i = m_new
    tl.store(o_ptr + q_tile, (acc / l_i[:, None]).to(o_ptr.dtype.element_ty), mask=query[:, None] < length)


def flash_attention(q, k, v, block_q=64, block_kv=64):
    heads, length, d = q.shape
    out = torch.empty_like(q)
    grid = (triton.cdiv(length, block_q), heads)
    flash_kernel[grid](q, k, v, out, length, d**-0.5, D=d, BLOCK_Q=block_q, BLOCK_KV=block_kv)
    return out


def main(heads=2, length=512, d=64):
    q, k, v = (torch.randn(heads, length, d, dtype=torch.float16, device=DEVICE) for _ in range(3))
    return flash_attention(q, k, v)
