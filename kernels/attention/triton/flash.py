"""Flash attention forward in Triton: scores and probabilities never leave the chip.

FlashAttention (Dao et al. 2022, Algorithm 1) in the loop order of FlashAttention-2 (Dao 2023): one program keeps a tile
of queries and loops over the tiles of keys and values, with the online softmax of Milakov and Gimelshein (2018).
Exponentials are base 2: log2(e) is folded into the softmax scale, so each element costs one multiply-add and one exp2.

Loop-carried state, by row of the query tile, all float32:
  m_i  running maximum of the scaled scores, in base 2 (multiply by ln 2 for the natural domain); -inf before any key
  l_i  running sum of exp2(score - m_i)
  acc  running, unnormalised output
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import math

import numpy as np
import torch
import triton
import triton.language as tl
from triton.language.extra import cuda as tl_cuda

from kernels.attention.output import Timeline
from kernels.attention.tiling import Tiling, padded


@triton.jit
def visible_keys(rows, query_len, key_len, CAUSAL: tl.constexpr):
    """How many leading keys each query row sees; causal is aligned bottom-right: j <= i + key_len - query_len."""
    if CAUSAL:
        return tl.minimum(rows + (key_len - query_len + 1), key_len)
    return rows * 0 + key_len


@triton.jit
def walked_keys(
    first_row, query_len, key_len, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr, CAUSAL: tl.constexpr
):  # fmt: skip
    """(whole_end, keys_end) of a tile of queries: all of its rows see the key tiles before whole_end in full, and none
    sees a key from keys_end on."""
    if CAUSAL:
        seen_by_first = tl.minimum(first_row + (key_len - query_len + 1), key_len)
        last_row = tl.minimum(first_row + BLOCK_Q, query_len) - 1
        keys_end = tl.minimum(last_row + (key_len - query_len + 1), key_len)
    else:
        seen_by_first = key_len
        keys_end = key_len
    return tl.maximum(seen_by_first, 0) // BLOCK_KV * BLOCK_KV, keys_end


@triton.jit
def online_softmax_update(m_i, l_i, acc, scores, scale_log2, MASKED: tl.constexpr):
    """Folds a tile of raw scores into the running state; returns it with this tile's unnormalised probabilities."""
    m_new = tl.maximum(m_i, tl.max(scores, 1) * scale_log2)
    if MASKED:
        # A row that has seen no key yet has m_new = -inf, and -inf - -inf is NaN: any finite base gives exp2(-inf) = 0.
        base = tl.where(m_new == float("-inf"), 0.0, m_new)
    else:
        base = m_new
    p = tl.exp2(scores * scale_log2 - base[:, None])
    alpha = tl.exp2(m_i - base)
    l_new = l_i * alpha + tl.sum(p, 1)
    return m_new, l_new, acc * alpha[:, None], p


@triton.jit
def within_head(in_bounds, DIMS: tl.constexpr, HEAD_DIM: tl.constexpr):
    """The cells of a tile [rows, DIMS] that exist: rows in bounds [rows, 1], and columns before HEAD_DIM."""
    if DIMS == HEAD_DIM:
        cells = in_bounds
    else:
        cells = in_bounds & (tl.arange(0, DIMS) < HEAD_DIM)[None, :]
    return cells


@triton.jit
def load_rows(tile_ptrs, in_bounds, DIMS: tl.constexpr, HEAD_DIM: tl.constexpr, MASKED: tl.constexpr):
    """A tile of K or V, its rows guarded where MASKED; padding columns are zeros, and nothing is read for them."""
    if MASKED:
        tile = tl.load(tile_ptrs, mask=within_head(in_bounds, DIMS, HEAD_DIM), other=0.0)
    elif DIMS == HEAD_DIM:
        tile = tl.load(tile_ptrs)
    else:
        tile = tl.load(tile_ptrs, mask=(tl.arange(0, DIMS) < HEAD_DIM)[None, :], other=0.0)
    return tile


@triton.jit
def score_tile(q, k_tile_ptrs, in_bounds, DIMS: tl.constexpr, HEAD_DIM: tl.constexpr, MASKED: tl.constexpr):
    """Loads a tile of K, guarded where MASKED, and returns its raw scores."""
    k = load_rows(k_tile_ptrs, in_bounds, DIMS, HEAD_DIM, MASKED)
    return tl.dot(q, tl.trans(k), input_precision="ieee")


@triton.jit
def fold_tile(
    m_i, l_i, acc, scores, v_tile_ptrs, in_bounds, scale_log2,
    DIMS: tl.constexpr, HEAD_DIM: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Folds a tile of scores and its values, loaded here, into the state."""
    m_i, l_i, acc, p = online_softmax_update(m_i, l_i, acc, scores, scale_log2, MASKED)
    v = load_rows(v_tile_ptrs, in_bounds, DIMS, HEAD_DIM, MASKED)
    acc = tl.dot(p.to(v.dtype), v, acc, input_precision="ieee")
    return m_i, l_i, acc


@triton.jit
def attend_tile(
    m_i, l_i, acc, q, k_tile_ptrs, v_tile_ptrs, cols, row_visible, key_len, scale_log2,
    DIMS: tl.constexpr, HEAD_DIM: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """One step: loads a tile of K and V, scores it against the queries, folds it into the state."""
    in_bounds = (cols < key_len)[:, None]
    scores = score_tile(q, k_tile_ptrs, in_bounds, DIMS, HEAD_DIM, MASKED)
    if MASKED:
        scores = tl.where(cols[None, :] < row_visible[:, None], scores, float("-inf"))
    return fold_tile(m_i, l_i, acc, scores, v_tile_ptrs, in_bounds, scale_log2, DIMS, HEAD_DIM, MASKED)


@triton.jit
def normalised_rows(l_i, acc):
    """A tile of O. Fully masked row: l_i = 0 and acc = 0, so the output is zeros, without 0 / 0."""
    return acc / tl.where(l_i == 0.0, 1.0, l_i)[:, None]


@triton.jit
def store_lse(m_i, l_i, lse_ptrs, row_in_bounds):
    """Writes the natural log-sum-exp of a tile, -inf where the row is fully masked."""
    tl.store(lse_ptrs, (m_i + tl.log2(l_i)) * 0.6931471805599453, mask=row_in_bounds)


@triton.jit
def store_rows(m_i, l_i, acc, o_ptrs, lse_ptrs, row_in_bounds, DIMS: tl.constexpr, HEAD_DIM: tl.constexpr):
    """Normalises the state and writes a tile of O and its natural log-sum-exp."""
    out = normalised_rows(l_i, acc)
    tl.store(o_ptrs, out.to(o_ptrs.dtype.element_ty), mask=within_head(row_in_bounds[:, None], DIMS, HEAD_DIM))
    store_lse(m_i, l_i, lse_ptrs, row_in_bounds)


@triton.jit
def record_program(timeline_ptr, head, start_ns):
    """Writes where and when this program ran. Grid (query tiles, heads, batch)."""
    tl.debug_barrier()  # every warp is done
    program = (tl.program_id(2) * tl.num_programs(1) + head) * tl.num_programs(0) + tl.program_id(0)
    tl.store(timeline_ptr + program * 3, tl_cuda.smid().to(tl.int64))
    tl.store(timeline_ptr + program * 3 + 1, start_ns)
    tl.store(timeline_ptr + program * 3 + 2, tl_cuda.globaltimer())


@triton.jit
def flash_fwd_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, lse_ptr, timeline_ptr,
    stride_qb, stride_qh, stride_qn, stride_qd,
    stride_kb, stride_kh, stride_kn: tl.constexpr, stride_kd: tl.constexpr,
    stride_vb, stride_vh, stride_vn: tl.constexpr, stride_vd: tl.constexpr,
    stride_ob, stride_oh, stride_on, stride_od,
    heads_per_kv_head, query_len, key_len, scale_log2,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """One program: one tile of queries of one head. Grid (query tiles, heads, batch).

    Tensors are [batch, heads, length, HEAD_DIM] with any strides, lse is a contiguous float32 [batch, heads, query_len]
    in the natural logarithm. DIMS is HEAD_DIM padded to a power of two, which tiles need. timeline_ptr is None, or
    int64 [programs, 3]: (SM, start, end), in ns. The strides inside a tile of K or V are compile-time constants: the
    addresses become immediates and the registers they took are free.
    """
    if timeline_ptr is not None:
        start_ns = tl_cuda.globaltimer()

    # Causal: the last query tile visits the most keys, so it starts first and short ones fill the tail of the grid.
    q_block = tl.num_programs(0) - 1 - tl.program_id(0) if CAUSAL else tl.program_id(0)
    head = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    first_row = q_block * BLOCK_Q
    kv_head = (head // heads_per_kv_head).to(tl.int64)

    # Bases and tile starts are 64-bit, offsets inside a tile 32-bit: long sequences overflow, tiles do not.
    q_tile = q_ptr + batch * stride_qb + head.to(tl.int64) * stride_qh + first_row.to(tl.int64) * stride_qn
    k_base = k_ptr + batch * stride_kb + kv_head * stride_kh
    v_base = v_ptr + batch * stride_vb + kv_head * stride_vh
    o_tile = o_ptr + batch * stride_ob + head.to(tl.int64) * stride_oh + first_row.to(tl.int64) * stride_on

    tile_rows = tl.arange(0, BLOCK_Q)
    tile_cols = tl.arange(0, BLOCK_KV)
    dims = tl.arange(0, DIMS)
    rows = first_row + tile_rows
    q_in_bounds = within_head((rows < query_len)[:, None], DIMS, HEAD_DIM)
    k_offsets = tile_cols[:, None] * stride_kn + dims[None, :] * stride_kd
    v_offsets = tile_cols[:, None] * stride_vn + dims[None, :] * stride_vd

    q = tl.load(q_tile + tile_rows[:, None] * stride_qn + dims[None, :] * stride_qd, mask=q_in_bounds, other=0.0)
    m_i = tl.full([BLOCK_Q], float("-inf"), tl.float32)
    l_i = tl.zeros([BLOCK_Q], tl.float32)
    acc = tl.zeros([BLOCK_Q, DIMS], tl.float32)

    # Tiles that every row sees in full need no mask and come first; the diagonal and the ragged end follow.
    row_visible = visible_keys(rows, query_len, key_len, CAUSAL)
    whole_end, keys_end = walked_keys(first_row, query_len, key_len, BLOCK_Q, BLOCK_KV, CAUSAL)

    for start in range(0, whole_end, BLOCK_KV):
        k_tile_ptrs = k_base + tl.cast(start, tl.int64) * stride_kn + k_offsets
        v_tile_ptrs = v_base + tl.cast(start, tl.int64) * stride_vn + v_offsets
        m_i, l_i, acc = attend_tile(
            m_i, l_i, acc, q, k_tile_ptrs, v_tile_ptrs, start + tile_cols, row_visible, key_len, scale_log2,
            DIMS, HEAD_DIM, False,
        )  # fmt: skip
    for start in range(whole_end, keys_end, BLOCK_KV):
        k_tile_ptrs = k_base + tl.cast(start, tl.int64) * stride_kn + k_offsets
        v_tile_ptrs = v_base + tl.cast(start, tl.int64) * stride_vn + v_offsets
        m_i, l_i, acc = attend_tile(
            m_i, l_i, acc, q, k_tile_ptrs, v_tile_ptrs, start + tile_cols, row_visible, key_len, scale_log2,
            DIMS, HEAD_DIM, True,
        )  # fmt: skip

    o_ptrs = o_tile + tile_rows[:, None] * stride_on + dims[None, :] * stride_od
    lse_row = (batch * tl.num_programs(1) + head) * query_len + first_row
    store_rows(m_i, l_i, acc, o_ptrs, lse_ptr + lse_row + tile_rows, rows < query_len, DIMS, HEAD_DIM)

    if timeline_ptr is not None:
        record_program(timeline_ptr, head, start_ns)


def empty_outputs(
    q: torch.Tensor, block_q: int, *, timeline: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, tuple[int, int, int]]:
    """The outputs of a kernel (out, log-sum-exp, timeline if requested) and its grid (query tiles, heads, batch)."""
    batch, heads, query_len, _ = q.shape
    grid = (triton.cdiv(query_len, block_q), heads, batch)
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    lse = torch.empty((batch, heads, query_len), dtype=torch.float32, device=q.device)
    times = torch.empty((math.prod(grid), 3), dtype=torch.int64, device=q.device) if timeline else None
    return out, lse, times, grid


def flash_forward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool,
    softmax_scale: float,
    tiling: Tiling,
    timeline: bool = False,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Launches the kernel on tensors already checked by `attention`.

    q [batch, heads, query_len, head_dim], k and v [batch, kv_heads, key_len, head_dim]. Returns a contiguous out,
    lse float32 [batch, heads, query_len], and int64 [programs, 3] of (SM, start_ns, end_ns) if `timeline`.
    """
    heads, query_len, head_dim = q.shape[1:]
    kv_heads, key_len = k.shape[1], k.shape[2]
    out, lse, times, grid = empty_outputs(q, tiling.block_q, timeline=timeline)
    flash_fwd_kernel[grid](
        q, k, v, out, lse, times,
        *q.stride(), *k.stride(), *v.stride(), *out.stride(),
        heads // kv_heads, query_len, key_len, softmax_scale * math.log2(math.e),
        HEAD_DIM=head_dim, DIMS=padded(head_dim), BLOCK_Q=tiling.block_q, BLOCK_KV=tiling.block_kv, CAUSAL=causal,
        num_warps=tiling.num_warps, num_stages=tiling.num_stages,
    )  # fmt: skip
    return out, lse, times


def read_timeline(times: torch.Tensor, q: torch.Tensor, tiling: Tiling, *, causal: bool) -> Timeline:
    """The kernel's [programs, 3] as arrays on the host, with what each program computed. Waits for the GPU."""
    batch, heads, query_len, _ = q.shape
    query_blocks = triton.cdiv(query_len, tiling.block_q)
    batch_index, head_index, x = (
        index.reshape(-1).astype(np.int32) for index in np.indices((batch, heads, query_blocks))
    )
    sm, start_ns, end_ns = times.cpu().numpy().T
    q_block = query_blocks - 1 - x if causal else x
    return Timeline(sm.astype(np.int32), start_ns.copy(), end_ns.copy(), q_block, head_index, batch_index)
