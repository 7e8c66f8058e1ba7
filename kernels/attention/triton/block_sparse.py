"""Block-sparse flash attention forward in Triton: a mask's full tiles unmasked, its partial tiles masked, no others.

The steps and the state are those of `flash`; only the visited key tiles differ. Full tiles come in runs of adjacent
tiles: inside a run the kernel reads no list, just as in flash. Partial tiles, which lie along the edges of a mask, are
listed one by one. Only there is the mask evaluated, from a description known at compile time (see `mask`), and only
there are its lengths and ids loaded.
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

from kernels.attention.blocks import BlockMask
from kernels.attention.mask import MaskDescription, TermKind
from kernels.attention.output import Timeline
from kernels.attention.tiling import Tiling, padded
from kernels.attention.triton.flash import (
    attend_tile,
    empty_outputs,
    fold_tile,
    record_program,
    score_tile,
    store_rows,
    within_head,
)

_KINDS = tuple(TermKind)
_BITS_PER_TERM = 6
"""Three for the kind, by its place in TermKind, and three for the slot of its ids."""

CAUSAL = tl.constexpr(_KINDS.index(TermKind.CAUSAL))
WINDOW = tl.constexpr(_KINDS.index(TermKind.WINDOW))
KEYS_BEFORE = tl.constexpr(_KINDS.index(TermKind.KEYS_BEFORE))
QUERIES_BEFORE = tl.constexpr(_KINDS.index(TermKind.QUERIES_BEFORE))
SAME_IDS = tl.constexpr(_KINDS.index(TermKind.SAME_IDS))


@triton.jit
def across_tile(rows, cols, KEYS_FIRST: tl.constexpr):
    """Values of rows and columns, shaped to broadcast over a tile [rows, cols], or [cols, rows] with KEYS_FIRST."""
    if KEYS_FIRST:
        i, j = rows[None, :], cols[:, None]
    else:
        i, j = rows[:, None], cols[None, :]
    return i, j


@triton.jit
def term_holds(
    rows, cols, query_len, key_len, limit_ptr, q_ids_ptr, kv_ids_ptr,
    KIND: tl.constexpr, SLOT: tl.constexpr, KEYS_FIRST: tl.constexpr,
):  # fmt: skip
    """One predicate on a tile: bool, broadcast over it. The pointers point at the sequence of the tile."""
    row, j = across_tile(rows, cols, KEYS_FIRST)
    i = row + (key_len - query_len)
    if KIND == CAUSAL:
        holds = j <= i
    elif KIND == WINDOW:
        holds = j > i - tl.load(limit_ptr)
    elif KIND == KEYS_BEFORE:
        holds = j < tl.load(limit_ptr)
    elif KIND == QUERIES_BEFORE:
        holds = row < tl.load(limit_ptr)
    else:
        q_ids = tl.load(q_ids_ptr + SLOT * query_len + rows, mask=rows < query_len, other=0)
        kv_ids = tl.load(kv_ids_ptr + SLOT * key_len + cols, mask=cols < key_len, other=0)
        q_ids, kv_ids = across_tile(q_ids, kv_ids, KEYS_FIRST)
        holds = q_ids == kv_ids if KIND == SAME_IDS else kv_ids <= q_ids
    return holds


@triton.jit
def visible_cells(
    rows, cols, query_len, key_len, limits_ptr, q_ids_ptr, kv_ids_ptr,
    NUM_TERMS: tl.constexpr, TERMS: tl.constexpr, TABLE: tl.constexpr,
    ODD_ROW: tl.constexpr, ODD_SEES: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr,
    KEYS_FIRST: tl.constexpr = False,
):  # fmt: skip
    """The mask on one tile, bool [BLOCK_Q, BLOCK_KV], or its transpose with KEYS_FIRST; false where there is no key.

    A table with a single 1, or a single 0, is one conjunction, which is cheaper than a look-up. ODD_ROW is that row, or
    None if there is no such row, and ODD_SEES is its value. Most masks are of that kind.
    """
    FIRST: tl.constexpr = BLOCK_KV if KEYS_FIRST else BLOCK_Q
    SECOND: tl.constexpr = BLOCK_Q if KEYS_FIRST else BLOCK_KV
    if ODD_ROW is None:
        answers = tl.zeros([FIRST, SECOND], tl.int32)
    else:
        as_odd = tl.full([FIRST, SECOND], True, tl.int1)
    for k in tl.static_range(NUM_TERMS):
        holds = term_holds(
            rows, cols, query_len, key_len, limits_ptr + k, q_ids_ptr, kv_ids_ptr,
            (TERMS >> (6 * k)) & 7, (TERMS >> (6 * k + 3)) & 7, KEYS_FIRST,
        )  # fmt: skip
        if ODD_ROW is None:
            answers = answers | (holds.to(tl.int32) << k)
        elif (ODD_ROW >> k) & 1:
            as_odd = as_odd & holds
        else:
            as_odd = as_odd & (holds == 0)
    if ODD_ROW is None:
        if NUM_TERMS < 6:
            word = tl.full([1, 1], TABLE, tl.uint32)
        else:
            # Two words of 32 bits: a tile of 64-bit words would take twice the registers.
            word = tl.where(
                answers < 32, tl.full([1, 1], TABLE & 0xFFFFFFFF, tl.uint32), tl.full([1, 1], TABLE >> 32, tl.uint32)
            )
            answers = answers & 31
        visible = ((word >> answers.to(tl.uint32)) & 1) != 0
    elif ODD_SEES:
        visible = as_odd
    else:
        visible = as_odd == 0
    _, j = across_tile(rows, cols, KEYS_FIRST)
    return visible & (j < key_len)


@triton.jit
def block_sparse_fwd_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, lse_ptr, timeline_ptr,
    order_ptr, bounds_ptr, full_runs_ptr, partial_ptr, limits_ptr, q_ids_ptr, kv_ids_ptr,
    stride_qb, stride_qh, stride_qn, stride_qd,
    stride_kb, stride_kh, stride_kn: tl.constexpr, stride_kd: tl.constexpr,
    stride_vb, stride_vh, stride_vn: tl.constexpr, stride_vd: tl.constexpr,
    stride_ob, stride_oh, stride_on, stride_od,
    heads_per_kv_head, query_len, key_len, scale_log2,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr,
    MASK_PER_SEQUENCE: tl.constexpr, RAGGED: tl.constexpr,
    NUM_TERMS: tl.constexpr, ID_TERMS: tl.constexpr, TERMS: tl.constexpr, TABLE: tl.constexpr,
    ODD_ROW: tl.constexpr, ODD_SEES: tl.constexpr,
):  # fmt: skip
    """One program: one tile of queries of one head. Grid (query tiles, heads, batch).

    Tensors, strides and timeline as in flash_fwd_kernel. The lists are those of a BlockMask, from order_ptr to
    kv_ids_ptr. RAGGED: the last key tile extends past key_len.
    """
    if timeline_ptr is not None:
        start_ns = tl_cuda.globaltimer()

    # Within a head the query tile that visits the most keys starts first, so that short ones fill the tail of the grid.
    # Heads still run in turn: programs that run at the same time then share one head's keys and values in L2.
    mask = tl.program_id(2).to(tl.int64) if MASK_PER_SEQUENCE else tl.cast(0, tl.int64)
    mask_row = mask * tl.num_programs(0)
    q_block = tl.load(order_ptr + mask_row + tl.program_id(0))
    bounds = bounds_ptr + (mask_row + q_block) * 4
    limits_ptr += mask * NUM_TERMS
    q_ids_ptr += mask * ID_TERMS * query_len
    kv_ids_ptr += mask * ID_TERMS * key_len

    head = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    kv_head = (head // heads_per_kv_head).to(tl.int64)
    first_row = q_block * BLOCK_Q
    tile_rows = tl.arange(0, BLOCK_Q)
    tile_cols = tl.arange(0, BLOCK_KV)
    dims = tl.arange(0, DIMS)
    rows = first_row + tile_rows

    # Bases and tile starts are 64-bit, offsets inside a tile 32-bit.
    k_base = k_ptr + batch * stride_kb + kv_head * stride_kh
    v_base = v_ptr + batch * stride_vb + kv_head * stride_vh
    k_offsets = tile_cols[:, None] * stride_kn + dims[None, :] * stride_kd
    v_offsets = tile_cols[:, None] * stride_vn + dims[None, :] * stride_vd
    q_tile = q_ptr + batch * stride_qb + head.to(tl.int64) * stride_qh + first_row.to(tl.int64) * stride_qn
    q_ptrs = q_tile + tile_rows[:, None] * stride_qn + dims[None, :] * stride_qd
    q = tl.load(q_ptrs, mask=within_head((rows < query_len)[:, None], DIMS, HEAD_DIM), other=0.0)
    m_i = tl.full([BLOCK_Q], float("-inf"), tl.float32)
    l_i = tl.zeros([BLOCK_Q], tl.float32)
    acc = tl.zeros([BLOCK_Q, DIMS], tl.float32)

    first_run, end_run = tl.load(bounds), tl.load(bounds + 1)
    whole_end = key_len // BLOCK_KV * BLOCK_KV
    for run in range(first_run, end_run):
        run_start = tl.load(full_runs_ptr + run * 2) * BLOCK_KV
        run_end = tl.minimum(tl.load(full_runs_ptr + run * 2 + 1) * BLOCK_KV, whole_end)
        for start in range(run_start, run_end, BLOCK_KV):
            first_key = tl.cast(start, tl.int64)
            m_i, l_i, acc = attend_tile(
                m_i, l_i, acc, q,
                k_base + first_key * stride_kn + k_offsets, v_base + first_key * stride_vn + v_offsets,
                start + tile_cols, rows, key_len, scale_log2, DIMS, HEAD_DIM, False,
            )  # fmt: skip
    if RAGGED:
        # The last tile extends past the end but is full up to key_len: guarded, but the mask is not evaluated.
        last_end = tl.load(full_runs_ptr + end_run * 2 - 1, mask=end_run > first_run, other=0) * BLOCK_KV
        for start in range(whole_end, tl.minimum(last_end, key_len), BLOCK_KV):
            first_key = tl.cast(start, tl.int64)
            m_i, l_i, acc = attend_tile(
                m_i, l_i, acc, q,
                k_base + first_key * stride_kn + k_offsets, v_base + first_key * stride_vn + v_offsets,
                start + tile_cols, rows * 0 + key_len, key_len, scale_log2, DIMS, HEAD_DIM, True,
            )  # fmt: skip
    for listed in range(tl.load(bounds + 2), tl.load(bounds + 3)):
        start = tl.load(partial_ptr + listed) * BLOCK_KV
        first_key = tl.cast(start, tl.int64)
        cols = start + tile_cols
        in_bounds = (cols < key_len)[:, None]
        scores = score_tile(q, k_base + first_key * stride_kn + k_offsets, in_bounds, DIMS, HEAD_DIM, True)
        visible = visible_cells(
            rows, cols, query_len, key_len, limits_ptr, q_ids_ptr, kv_ids_ptr,
            NUM_TERMS, TERMS, TABLE, ODD_ROW, ODD_SEES, BLOCK_Q, BLOCK_KV,
        )  # fmt: skip
        scores = tl.where(visible, scores, float("-inf"))
        m_i, l_i, acc = fold_tile(
            m_i, l_i, acc, scores, v_base + first_key * stride_vn + v_offsets, in_bounds, scale_log2,
            DIMS, HEAD_DIM, True,
        )  # fmt: skip

    o_tile = o_ptr + batch * stride_ob + head.to(tl.int64) * stride_oh + first_row.to(tl.int64) * stride_on
    o_ptrs = o_tile + tile_rows[:, None] * stride_on + dims[None, :] * stride_od
    lse_row = (batch * tl.num_programs(1) + head) * query_len + first_row
    store_rows(m_i, l_i, acc, o_ptrs, lse_ptr + lse_row + tile_rows, rows < query_len, DIMS, HEAD_DIM)
    if timeline_ptr is not None:
        record_program(timeline_ptr, head, start_ns)


def block_sparse_forward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    mask: BlockMask,
    softmax_scale: float,
    tiling: Tiling,
    timeline: bool = False,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Launches the kernel on tensors already checked by `sparse_attention`, with the tiles of `mask`.

    Shapes and results are those of `flash_forward`.
    """
    heads, query_len, head_dim = q.shape[1:]
    out, lse, times, grid = empty_outputs(q, mask.block_q, timeline=timeline)
    block_sparse_fwd_kernel[grid](
        q, k, v, out, lse, times,
        mask.order, mask.bounds, mask.full_runs, mask.partial,
        mask.packed.limits, mask.packed.q_ids, mask.packed.kv_ids,
        *q.stride(), *k.stride(), *v.stride(), *out.stride(),
        heads // k.shape[1], query_len, k.shape[2], softmax_scale * math.log2(math.e),
        HEAD_DIM=head_dim, DIMS=padded(head_dim), BLOCK_Q=mask.block_q, BLOCK_KV=mask.block_kv,
        MASK_PER_SEQUENCE=mask.sequences > 1, RAGGED=k.shape[2] % mask.block_kv != 0,
        **constexpr_arguments(mask.description),
        num_warps=tiling.num_warps, num_stages=tiling.num_stages,
    )  # fmt: skip
    return out, lse, times


def read_timeline(times: torch.Tensor, mask: BlockMask) -> Timeline:
    """The kernel's [programs, 3] as arrays on the host, with what each program computed. Waits for the GPU."""
    query_blocks = mask.order.shape[1]
    heads = times.shape[0] // (query_blocks * mask.batch)
    batch, head, x = (index.reshape(-1).astype(np.int32) for index in np.indices((mask.batch, heads, query_blocks)))
    order = mask.order.cpu().numpy()
    sm, start_ns, end_ns = times.cpu().numpy().T
    q_block = order[batch if mask.sequences > 1 else 0 * batch, x]
    return Timeline(sm.astype(np.int32), start_ns.copy(), end_ns.copy(), q_block, head, batch)


def constexpr_arguments(description: MaskDescription) -> dict[str, int | bool | None]:
    """The parts of a description known at compile time: kinds and composition, not lengths, windows or ids."""
    terms, slot = 0, 0
    for k, term in enumerate(description.terms):
        terms |= (_KINDS.index(term.kind) | slot << 3) << _BITS_PER_TERM * k
        slot += term.kind.compares_ids
    rows = 1 << len(description.terms)
    ones = [row for row in range(rows) if description.table >> row & 1]
    zeros = [row for row in range(rows) if not description.table >> row & 1]
    odd_row = ones[0] if len(ones) == 1 else zeros[0] if len(zeros) == 1 else None
    return {
        "NUM_TERMS": len(description.terms),
        "ID_TERMS": slot,
        "TERMS": terms,
        "TABLE": description.table,
        "ODD_ROW": odd_row,
        "ODD_SEES": len(ones) == 1,
    }
