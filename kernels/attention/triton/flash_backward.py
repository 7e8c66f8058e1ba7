"""Flash attention backward in Triton: P is recomputed tile by tile; dQ, dK and dV are written once, without atomics.

With D = rowsum(dO * O) and the log-sum-exp of the forward pass (FlashAttention, Dao et al. 2022, appendix B and
Algorithm 4; the log-sum-exp instead of two statistics as in FlashAttention-2, Dao 2023, section 3.1.2):

  P = exp(S - lse)    dV = P^T dO    dP = dO V^T    dS = P * (dP - D)    dQ = scale dS K    dK = scale dS^T Q

Two kernels. A program of the first keeps a tile of queries and walks the keys, like the forward kernel. It also
computes D, since it holds dO anyway, and stores it for the second. A program of the second keeps a tile of keys and
walks the queries of all heads that share them. So every sum stays in the registers of one program, and two runs give
the same bits.

The choice is the one that moves the fewest bytes. For N queries, N keys and tiles of B rows, the two kernels read K, V,
Q and dO N / B times: 4 N^2 d / B elements. A single kernel that keeps keys, as in both papers, reads Q and dO as often
and, in float32, adds to dQ in memory as often: in 16-bit precision that is worth 6 N^2 d / B, and needs either an order
among programs or atomics. It would save two of the seven products, S and dP, which are computed twice here.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl

from kernels.attention.tiling import BackwardTiling, padded
from kernels.attention.triton.flash import visible_keys, walked_keys, within_head

LOG2_E = tl.constexpr(math.log2(math.e))


@triton.jit
def probabilities(a, b, lse_log2, scale_log2):
    """P of a tile, from Q and K, or its transpose, from K and Q; the log-sum-exp broadcasts over the keys.

    Keys that are not visible are for the caller to set to zero, after this: in a fully masked row, whose log-sum-exp is
    -inf, no score gives a probability.
    """
    return tl.exp2(tl.dot(a, tl.trans(b), input_precision="ieee") * scale_log2 - lse_log2)


@triton.jit
def score_gradients(p, a, b, delta):
    """dS of a tile, from dO and V, or its transpose, from V and dO; D broadcasts over the keys."""
    return p * (tl.dot(a, tl.trans(b), input_precision="ieee") - delta)


@triton.jit
def output_dot_gradient(o_ptrs, do, delta_ptrs, row_in_bounds, in_bounds):
    """D = rowsum(dO * O) of a tile of queries, also stored; `in_bounds` are the cells of the tile that exist."""
    o = tl.load(o_ptrs, mask=in_bounds, other=0.0)
    delta = tl.sum(o.to(tl.float32) * do.to(tl.float32), 1)
    tl.store(delta_ptrs, delta, mask=row_in_bounds)
    return delta


@triton.jit
def fold_keys(dq, p, k, do, delta, v_tile_ptrs, in_bounds):
    """Adds what a tile of keys gives to dQ, before the scale; its values are loaded here."""
    v = tl.load(v_tile_ptrs, mask=in_bounds, other=0.0)
    ds = score_gradients(p, do, v, delta[:, None])
    return tl.dot(ds.to(k.dtype), k, dq, input_precision="ieee")


@triton.jit
def fold_queries(dk, p, q, do, v, delta_ptrs, in_bounds):
    """Adds what a tile of queries gives to dK, before the scale; D is loaded here, and P is [keys, queries]."""
    delta = tl.load(delta_ptrs, mask=in_bounds, other=0.0)
    ds = score_gradients(p, v, do, delta[None, :])
    return tl.dot(ds.to(q.dtype), q, dk, input_precision="ieee")


@triton.jit
def flash_bwd_dq_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, do_ptr, lse_ptr, delta_ptr, dq_ptr,
    stride_qb, stride_qh, stride_qn, stride_qd,
    stride_kb, stride_kh, stride_kn: tl.constexpr, stride_kd: tl.constexpr,
    stride_vb, stride_vh, stride_vn: tl.constexpr, stride_vd: tl.constexpr,
    heads_per_kv_head, query_len, key_len, softmax_scale,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """dQ and D of one tile of queries of one head. Grid (query tiles, heads, batch).

    Q, K and V as in flash_fwd_kernel. O, dO and dQ are contiguous [batch, heads, query_len, HEAD_DIM], the log-sum-exp
    and D (delta_ptr) contiguous float32 [batch, heads, query_len].
    """
    # Causal: the last query tile visits the most keys, so it starts first.
    q_block = tl.num_programs(0) - 1 - tl.program_id(0) if CAUSAL else tl.program_id(0)
    head = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    kv_head = (head // heads_per_kv_head).to(tl.int64)
    first_row = q_block * BLOCK_Q
    tile_rows = tl.arange(0, BLOCK_Q)
    tile_cols = tl.arange(0, BLOCK_KV)
    dims = tl.arange(0, DIMS)
    rows = first_row + tile_rows
    row_in_bounds = rows < query_len
    rows_within = within_head(row_in_bounds[:, None], DIMS, HEAD_DIM)

    # Bases and tile starts are 64-bit, offsets inside a tile 32-bit.
    q_tile = q_ptr + batch * stride_qb + head.to(tl.int64) * stride_qh + first_row.to(tl.int64) * stride_qn
    k_base = k_ptr + batch * stride_kb + kv_head * stride_kh
    v_base = v_ptr + batch * stride_vb + kv_head * stride_vh
    q_offsets = tile_rows[:, None] * stride_qn + dims[None, :] * stride_qd
    k_offsets = tile_cols[:, None] * stride_kn + dims[None, :] * stride_kd
    v_offsets = tile_cols[:, None] * stride_vn + dims[None, :] * stride_vd
    out_row = (batch * tl.num_programs(1) + head) * query_len + first_row
    out_offsets = out_row * HEAD_DIM + tile_rows[:, None] * HEAD_DIM + dims[None, :]

    q = tl.load(q_tile + q_offsets, mask=rows_within, other=0.0)
    do = tl.load(do_ptr + out_offsets, mask=rows_within, other=0.0)
    delta = output_dot_gradient(o_ptr + out_offsets, do, delta_ptr + out_row + tile_rows, row_in_bounds, rows_within)
    lse_log2 = tl.load(lse_ptr + out_row + tile_rows, mask=row_in_bounds, other=0.0) * LOG2_E
    scale_log2 = softmax_scale * LOG2_E
    dq = tl.zeros([BLOCK_Q, DIMS], tl.float32)

    # Every row sees the tiles before whole_end in full; those on the diagonal and a ragged last one follow.
    row_visible = visible_keys(rows, query_len, key_len, CAUSAL)
    whole_end, keys_end = walked_keys(first_row, query_len, key_len, BLOCK_Q, BLOCK_KV, CAUSAL)

    # One loop with a condition inside: two loops need more registers (ptxas, sm_80 and sm_90).
    for start in range(0, keys_end, BLOCK_KV):
        first_key = tl.cast(start, tl.int64)
        in_bounds = within_head((start + tile_cols < key_len)[:, None], DIMS, HEAD_DIM)
        k = tl.load(k_base + first_key * stride_kn + k_offsets, mask=in_bounds, other=0.0)
        p = probabilities(q, k, lse_log2[:, None], scale_log2)
        if start >= whole_end:
            p = tl.where(start + tile_cols[None, :] < row_visible[:, None], p, 0.0)
        dq = fold_keys(dq, p, k, do, delta, v_base + first_key * stride_vn + v_offsets, in_bounds)

    tl.store(dq_ptr + out_offsets, (dq * softmax_scale).to(dq_ptr.dtype.element_ty), mask=rows_within)


@triton.jit
def flash_bwd_dkdv_kernel(
    q_ptr, k_ptr, v_ptr, do_ptr, lse_ptr, delta_ptr, dk_ptr, dv_ptr,
    stride_qb, stride_qh, stride_qn: tl.constexpr, stride_qd: tl.constexpr,
    stride_kb, stride_kh, stride_kn, stride_kd,
    stride_vb, stride_vh, stride_vn, stride_vd,
    heads_per_kv_head, query_len, key_len, softmax_scale,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """dK and dV of one tile of keys of one KV head. Grid (key tiles, KV heads, batch).

    Tensors as in flash_bwd_dq_kernel; dK and dV are contiguous [batch, KV heads, key_len, HEAD_DIM]. Tiles of P and dS
    are [keys, queries]: transposed, they stay in registers between the products. Causal: the first key tile is seen by
    the most queries, and it starts first.
    """
    kv_head = tl.program_id(1).to(tl.int64)
    batch = tl.program_id(2).to(tl.int64)
    first_key = tl.program_id(0) * BLOCK_KV
    tile_rows = tl.arange(0, BLOCK_Q)
    tile_cols = tl.arange(0, BLOCK_KV)
    dims = tl.arange(0, DIMS)
    cols = first_key + tile_cols
    cols_within = within_head((cols < key_len)[:, None], DIMS, HEAD_DIM)

    k_tile = k_ptr + batch * stride_kb + kv_head * stride_kh + first_key.to(tl.int64) * stride_kn
    v_tile = v_ptr + batch * stride_vb + kv_head * stride_vh + first_key.to(tl.int64) * stride_vn
    k = tl.load(k_tile + tile_cols[:, None] * stride_kn + dims[None, :] * stride_kd, mask=cols_within, other=0.0)
    v = tl.load(v_tile + tile_cols[:, None] * stride_vn + dims[None, :] * stride_vd, mask=cols_within, other=0.0)
    dk = tl.zeros([BLOCK_KV, DIMS], tl.float32)
    dv = tl.zeros([BLOCK_KV, DIMS], tl.float32)

    # Query tiles from first_tile on see keys of this tile, those from whole_first on all of them.
    if CAUSAL:
        last_key = tl.minimum(first_key + BLOCK_KV, key_len) - 1
        first_tile = tl.maximum(first_key - (key_len - query_len), 0) // BLOCK_Q
        whole_first = tl.cdiv(tl.maximum(last_key - (key_len - query_len), 0), BLOCK_Q)
    else:
        first_tile = 0
    tiles = tl.cdiv(query_len, BLOCK_Q) - first_tile
    group_row = (batch * tl.num_programs(1) + kv_head) * heads_per_kv_head * query_len
    q_base = q_ptr + batch * stride_qb + kv_head * heads_per_kv_head * stride_qh
    q_offsets = tile_rows[:, None] * stride_qn + dims[None, :] * stride_qd
    do_offsets = tile_rows[:, None] * HEAD_DIM + dims[None, :]
    do_base = do_ptr + group_row * HEAD_DIM
    scale_log2 = softmax_scale * LOG2_E

    # The heads of the group one after another, in one loop: a loop of loops needs more registers.
    for index in range(tiles * heads_per_kv_head):
        member = index // tiles
        tile = first_tile + index % tiles
        first_row = tl.cast(tile * BLOCK_Q, tl.int64)
        row = tl.cast(member, tl.int64) * query_len + first_row
        in_bounds = tile * BLOCK_Q + tile_rows < query_len
        # Queries past the end: with zeros for Q, dO and both statistics, P is 1, and P^T dO and dS are 0.
        q_tile = q_base + (tl.cast(member, tl.int64) * stride_qh + first_row * stride_qn)
        q = tl.load(q_tile + q_offsets, mask=within_head(in_bounds[:, None], DIMS, HEAD_DIM), other=0.0)
        lse_log2 = tl.load(lse_ptr + group_row + row + tile_rows, mask=in_bounds, other=0.0) * LOG2_E
        p = probabilities(k, q, lse_log2[None, :], scale_log2)
        if CAUSAL:  # noqa: SIM102, known at compile time, the other when it runs
            if tile < whole_first:
                # Positions in the tile and one number: positions as such would be kept for each pipeline stage.
                p = tl.where(cols[:, None] <= tile_rows[None, :] + (tile * BLOCK_Q + key_len - query_len), p, 0.0)
        do_in_bounds = within_head(in_bounds[:, None], DIMS, HEAD_DIM)
        do = tl.load(do_base + row * HEAD_DIM + do_offsets, mask=do_in_bounds, other=0.0)
        dv = tl.dot(p.to(do.dtype), do, dv, input_precision="ieee")
        dk = fold_queries(dk, p, q, do, v, delta_ptr + group_row + row + tile_rows, in_bounds)

    out_row = (batch * tl.num_programs(1) + kv_head) * key_len + first_key
    out_offsets = out_row * HEAD_DIM + tile_cols[:, None] * HEAD_DIM + dims[None, :]
    tl.store(dk_ptr + out_offsets, (dk * softmax_scale).to(dk_ptr.dtype.element_ty), mask=cols_within)
    tl.store(dv_ptr + out_offsets, dv.to(dv_ptr.dtype.element_ty), mask=cols_within)


def flash_backward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
    dout: torch.Tensor,
    *,
    causal: bool,
    softmax_scale: float,
    tiling: BackwardTiling,
    only_dq: bool = False,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """Launches both kernels, or the first alone if `only_dq`: contiguous dq, dk and dv in the shapes of q, k and v.

    `out` and `lse` are those of `flash_forward`, `dout` is the gradient of `out`, contiguous.
    """
    batch, heads, query_len, head_dim = q.shape
    kv_heads, key_len = k.shape[1], k.shape[2]
    dq = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    delta = torch.empty_like(lse)
    strides = (*q.stride(), *k.stride(), *v.stride())
    sizes = (heads // kv_heads, query_len, key_len, softmax_scale)
    first, second = tiling.dq, tiling.dkdv
    flash_bwd_dq_kernel[(triton.cdiv(query_len, first.block_q), heads, batch)](
        q, k, v, out, dout, lse, delta, dq, *strides, *sizes,
        HEAD_DIM=head_dim, DIMS=padded(head_dim), BLOCK_Q=first.block_q, BLOCK_KV=first.block_kv, CAUSAL=causal,
        num_warps=first.num_warps, num_stages=first.num_stages,
    )  # fmt: skip
    if only_dq:
        return dq, None, None
    dk, dv = (torch.empty(k.shape, dtype=k.dtype, device=k.device) for _ in range(2))
    flash_bwd_dkdv_kernel[(triton.cdiv(key_len, second.block_kv), kv_heads, batch)](
        q, k, v, dout, lse, delta, dk, dv, *strides, *sizes,
        HEAD_DIM=head_dim, DIMS=padded(head_dim), BLOCK_Q=second.block_q, BLOCK_KV=second.block_kv, CAUSAL=causal,
        num_warps=second.num_warps, num_stages=second.num_stages,
    )  # fmt: skip
    return dq, dk, dv
