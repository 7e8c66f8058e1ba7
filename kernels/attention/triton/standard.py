"""Standard attention as three Triton kernels: the scores S and the probabilities P go to memory and come back.

This is Algorithm 0 of FlashAttention (Dao et al. 2022): S = Q K^T is written; S is read and P = softmax(S) written;
P is read and O = P V written. As in PyTorch, S and P have the dtype of the inputs, and every product accumulates in
float32; unlike in a chain of PyTorch operations, the scale and the mask are applied before S is rounded and written.
Nothing is skipped under a causal mask: masked scores are computed, written as -inf, read, and multiplied as zeros.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.attention.tiling import Tiling, padded
from kernels.attention.triton.flash import within_head
from kernels.errors import InvalidInputs

MAX_KEY_LEN = 131072
"""The longest row that the softmax kernel holds on chip."""
_SOFTMAX_TILE_ELEMENTS = 8192


@triton.jit
def scores_fwd_kernel(
    q_ptr, k_ptr, s_ptr,
    stride_qb, stride_qh, stride_qn, stride_qd,
    stride_kb, stride_kh, stride_kn, stride_kd,
    heads, heads_per_kv_head, query_len, key_len, softmax_scale,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """S = softmax_scale Q K^T, masked to -inf. One program per tile of S. Grid (key tiles, query tiles, batch * heads).

    S is a contiguous [batch, heads, query_len, key_len].
    """
    batch = (tl.program_id(2) // heads).to(tl.int64)
    head = tl.program_id(2) % heads
    kv_head = head // heads_per_kv_head
    rows = tl.program_id(1) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    cols = tl.program_id(0) * BLOCK_KV + tl.arange(0, BLOCK_KV)
    dims = tl.arange(0, DIMS)
    rows_64, cols_64 = rows.to(tl.int64), cols.to(tl.int64)

    q_ptrs = q_ptr + batch * stride_qb + head.to(tl.int64) * stride_qh
    q_in_bounds = within_head((rows < query_len)[:, None], DIMS, HEAD_DIM)
    q = tl.load(q_ptrs + rows_64[:, None] * stride_qn + dims[None, :] * stride_qd, mask=q_in_bounds, other=0.0)
    k_ptrs = k_ptr + batch * stride_kb + kv_head.to(tl.int64) * stride_kh
    k_in_bounds = within_head((cols < key_len)[:, None], DIMS, HEAD_DIM)
    k = tl.load(k_ptrs + cols_64[:, None] * stride_kn + dims[None, :] * stride_kd, mask=k_in_bounds, other=0.0)
    scores = tl.dot(q, tl.trans(k), input_precision="ieee") * softmax_scale
    if CAUSAL:
        scores = tl.where(cols[None, :] <= rows[:, None] + (key_len - query_len), scores, float("-inf"))
    s_ptrs = s_ptr + (tl.program_id(2).to(tl.int64) * query_len + rows_64[:, None]) * key_len + cols[None, :]
    tl.store(s_ptrs, scores.to(s_ptr.dtype.element_ty), mask=(rows < query_len)[:, None] & (cols < key_len)[None, :])


@triton.jit
def softmax_fwd_kernel(
    s_ptr, p_ptr, rows_total, key_len, BLOCK_ROWS: tl.constexpr, BLOCK_KEYS: tl.constexpr
):  # fmt: skip
    """P = softmax(S) by row, the whole row held on chip, so that S is read once. Grid (row tiles,)."""
    rows = tl.program_id(0).to(tl.int64) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    cols = tl.arange(0, BLOCK_KEYS)
    in_bounds = (rows < rows_total)[:, None] & (cols < key_len)[None, :]
    offsets = rows[:, None] * key_len + cols[None, :]
    scores = tl.load(s_ptr + offsets, mask=in_bounds, other=float("-inf")).to(tl.float32)
    row_max = tl.max(scores, 1)
    base = tl.where(row_max == float("-inf"), 0.0, row_max)  # fully masked row: -inf - -inf would be NaN
    weights = tl.exp2((scores - base[:, None]) * 1.4426950408889634)
    row_sum = tl.sum(weights, 1)
    p = weights / tl.where(row_sum == 0.0, 1.0, row_sum)[:, None]
    tl.store(p_ptr + offsets, p.to(p_ptr.dtype.element_ty), mask=in_bounds)


@triton.jit
def output_fwd_kernel(
    p_ptr, v_ptr, o_ptr,
    stride_vb, stride_vh, stride_vn, stride_vd,
    stride_ob, stride_oh, stride_on, stride_od,
    heads_per_kv_head, query_len, key_len,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr,
):  # fmt: skip
    """O = P V, one program per tile of rows of O. Grid (query tiles, heads, batch). P as S of `scores_fwd_kernel`."""
    head = tl.program_id(1).to(tl.int64)
    batch = tl.program_id(2).to(tl.int64)
    rows = tl.program_id(0) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    tile_cols = tl.arange(0, BLOCK_KV)
    dims = tl.arange(0, DIMS)
    row_in_bounds = (rows < query_len)[:, None]
    row_offsets = ((batch * tl.num_programs(1) + head) * query_len + rows.to(tl.int64)) * key_len
    v_base = v_ptr + batch * stride_vb + (head // heads_per_kv_head) * stride_vh

    acc = tl.zeros([BLOCK_Q, DIMS], tl.float32)
    for start in range(0, key_len, BLOCK_KV):
        cols = start + tile_cols
        in_bounds = cols < key_len
        p = tl.load(p_ptr + row_offsets[:, None] + cols[None, :], mask=row_in_bounds & in_bounds[None, :], other=0.0)
        v_ptrs = (
            v_base + tl.cast(start, tl.int64) * stride_vn + tile_cols[:, None] * stride_vn + dims[None, :] * stride_vd
        )
        v = tl.load(v_ptrs, mask=within_head(in_bounds[:, None], DIMS, HEAD_DIM), other=0.0)
        acc = tl.dot(p, v, acc, input_precision="ieee")
    o_rows = o_ptr + batch * stride_ob + head * stride_oh + rows.to(tl.int64)[:, None] * stride_on
    o_in_bounds = within_head(row_in_bounds, DIMS, HEAD_DIM)
    tl.store(o_rows + dims[None, :] * stride_od, acc.to(o_ptr.dtype.element_ty), mask=o_in_bounds)


def rows_on_chip(key_len: int) -> dict[str, int]:
    """How many whole rows of scores one program holds, as the arguments of a softmax kernel."""
    block_keys = triton.next_power_of_2(key_len)
    block_rows = max(1, min(16, _SOFTMAX_TILE_ELEMENTS // block_keys))
    num_warps = max(4, min(16, block_rows * block_keys // 2048))
    return {"BLOCK_ROWS": block_rows, "BLOCK_KEYS": block_keys, "num_warps": num_warps}


def tiles_of(head_dim: int, tiling: Tiling) -> dict[str, int]:
    """The sizes of tiles, as the arguments of a kernel: DIMS is HEAD_DIM padded to a power of two."""
    sizes = {"BLOCK_Q": tiling.block_q, "BLOCK_KV": tiling.block_kv}
    return {"HEAD_DIM": head_dim, "DIMS": padded(head_dim), **sizes}


def standard_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, softmax_scale: float, tiling: Tiling
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Launches the three kernels on tensors already checked by `attention`. Returns out and the workspace S and P.

    q [batch, heads, query_len, head_dim], k and v [batch, kv_heads, key_len, head_dim];
    S and P [batch, heads, query_len, key_len] in the dtype of q.
    """
    batch, heads, query_len, head_dim = q.shape
    kv_heads, key_len = k.shape[1], k.shape[2]
    if key_len > MAX_KEY_LEN:
        raise InvalidInputs(
            "Standard attention keeps a whole row of scores on chip, so it takes at most {limit} keys, not {keys}: use "
            "flash attention instead.",
            limit=MAX_KEY_LEN,
            keys=key_len,
        )
    s = torch.empty((batch, heads, query_len, key_len), dtype=q.dtype, device=q.device)
    p = torch.empty_like(s)
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    query_blocks = triton.cdiv(query_len, tiling.block_q)
    tiles = tiles_of(head_dim, tiling)
    launch = {"num_warps": tiling.num_warps, "num_stages": tiling.num_stages}

    scores_fwd_kernel[(triton.cdiv(key_len, tiling.block_kv), query_blocks, batch * heads)](
        q, k, s, *q.stride(), *k.stride(), heads, heads // kv_heads, query_len, key_len, softmax_scale,
        CAUSAL=causal, **tiles, **launch,
    )  # fmt: skip
    rows_total = batch * heads * query_len
    on_chip = rows_on_chip(key_len)
    softmax_fwd_kernel[(triton.cdiv(rows_total, on_chip["BLOCK_ROWS"]),)](s, p, rows_total, key_len, **on_chip)
    output_fwd_kernel[(query_blocks, heads, batch)](
        p, v, out, *v.stride(), *out.stride(), heads // kv_heads, query_len, key_len, **tiles, **launch
    )
    return out, s, p
