"""Standard attention's backward pass as five Triton kernels: P is read back, and dP and dS go to memory and come back.

This is Algorithm 3 of FlashAttention (Dao et al. 2022, appendix B): dV = P^T dO; dP = dO V^T is written; P and dP are
read and dS = P * (dP - rowsum(P * dP)) written; dS is read for dQ = dS K and once more for dK = dS^T Q. As in the
forward pass, dP and dS have the dtype of the inputs, every product accumulates in float32, and nothing is skipped under
a causal mask. The softmax scale is part of dS.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.attention.tiling import Tiling
from kernels.attention.triton.flash import within_head
from kernels.attention.triton.standard import output_fwd_kernel, rows_on_chip, scores_fwd_kernel, tiles_of


@triton.jit
def softmax_bwd_kernel(
    p_ptr, dp_ptr, ds_ptr, rows_total, key_len, softmax_scale, BLOCK_ROWS: tl.constexpr, BLOCK_KEYS: tl.constexpr
):  # fmt: skip
    """dS = scale P * (dP - rowsum(P * dP)), the whole row held on chip: both are read once. Grid (row tiles,)."""
    rows = tl.program_id(0).to(tl.int64) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    cols = tl.arange(0, BLOCK_KEYS)
    in_bounds = (rows < rows_total)[:, None] & (cols < key_len)[None, :]
    offsets = rows[:, None] * key_len + cols[None, :]
    p = tl.load(p_ptr + offsets, mask=in_bounds, other=0.0).to(tl.float32)
    dp = tl.load(dp_ptr + offsets, mask=in_bounds, other=0.0).to(tl.float32)
    ds = softmax_scale * p * (dp - tl.sum(p * dp, 1)[:, None])
    tl.store(ds_ptr + offsets, ds.to(ds_ptr.dtype.element_ty), mask=in_bounds)


@triton.jit
def column_sums_kernel(
    p_ptr, x_ptr, out_ptr,
    stride_xb, stride_xh, stride_xn, stride_xd,
    heads_per_kv_head, query_len, key_len,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr,
):  # fmt: skip
    """The sum of P^T X over the heads of a KV group, one program per tile of keys. Grid (key tiles, KV heads, batch).

    P is a contiguous [batch, heads, query_len, key_len], X [batch, heads, query_len, HEAD_DIM], and the output a
    contiguous [batch, KV heads, key_len, HEAD_DIM]: dV from P and dO, dK from dS and Q.
    """
    kv_head = tl.program_id(1).to(tl.int64)
    batch = tl.program_id(2).to(tl.int64)
    cols = tl.program_id(0) * BLOCK_KV + tl.arange(0, BLOCK_KV)
    col_in_bounds = cols < key_len
    tile_rows = tl.arange(0, BLOCK_Q)
    dims = tl.arange(0, DIMS)

    acc = tl.zeros([BLOCK_KV, DIMS], tl.float32)
    for member in range(0, heads_per_kv_head):  # noqa: PIE808
        head = kv_head * heads_per_kv_head + member
        p_base = p_ptr + (batch * tl.num_programs(1) * heads_per_kv_head + head) * query_len * key_len
        x_base = x_ptr + batch * stride_xb + head * stride_xh
        for start in range(0, query_len, BLOCK_Q):
            rows = tl.cast(start, tl.int64) + tile_rows
            in_bounds = rows < query_len
            p_ptrs = p_base + rows[:, None] * key_len + cols[None, :]
            p = tl.load(p_ptrs, mask=in_bounds[:, None] & col_in_bounds[None, :], other=0.0)
            x_in_bounds = within_head(in_bounds[:, None], DIMS, HEAD_DIM)
            x = tl.load(x_base + rows[:, None] * stride_xn + dims[None, :] * stride_xd, mask=x_in_bounds, other=0.0)
            acc = tl.dot(tl.trans(p), x, acc, input_precision="ieee")
    out_row = (batch * tl.num_programs(1) + kv_head) * key_len + cols
    out_ptrs = out_ptr + out_row[:, None] * HEAD_DIM + dims[None, :]
    out_in_bounds = within_head(col_in_bounds[:, None], DIMS, HEAD_DIM)
    tl.store(out_ptrs, acc.to(out_ptr.dtype.element_ty), mask=out_in_bounds)


def standard_backward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    p: torch.Tensor,
    dout: torch.Tensor,
    *,
    softmax_scale: float,
    tiling: Tiling,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Launches the five kernels: contiguous dq, dk and dv in the shapes of q, k and v.

    `p` is that of `standard_forward`, `dout` [batch, heads, query_len, head_dim] the gradient of its output.
    """
    batch, heads, query_len, head_dim = q.shape
    kv_heads, key_len = k.shape[1], k.shape[2]
    group = heads // kv_heads
    dp, ds = torch.empty_like(p), torch.empty_like(p)
    dq, dk, dv = (torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in (q, k, v))
    query_blocks, key_blocks = triton.cdiv(query_len, tiling.block_q), triton.cdiv(key_len, tiling.block_kv)
    tiles = tiles_of(head_dim, tiling)
    launch = {"num_warps": tiling.num_warps, "num_stages": tiling.num_stages}

    def summed_over_queries(weights: torch.Tensor, x: torch.Tensor, out: torch.Tensor) -> None:
        column_sums_kernel[(key_blocks, kv_heads, batch)](
            weights, x, out, *x.stride(), group, query_len, key_len, **tiles, **launch
        )

    summed_over_queries(p, dout, dv)
    scores_fwd_kernel[(key_blocks, query_blocks, batch * heads)](
        dout, v, dp, *dout.stride(), *v.stride(), heads, group, query_len, key_len, 1.0, CAUSAL=False, **tiles, **launch
    )
    rows_total = batch * heads * query_len
    on_chip = rows_on_chip(key_len)
    softmax_bwd_kernel[(triton.cdiv(rows_total, on_chip["BLOCK_ROWS"]),)](
        p, dp, ds, rows_total, key_len, softmax_scale, **on_chip
    )
    output_fwd_kernel[(query_blocks, heads, batch)](
        ds, k, dq, *k.stride(), *dq.stride(), group, query_len, key_len, **tiles, **launch
    )
    summed_over_queries(ds, q, dk)
    return dq, dk, dv
