"""Block-sparse flash attention backward in Triton: the steps of `flash_backward` on the tiles that a mask shows.

A program walks one list of tiles: the full ones, then the partial ones, where the mask is evaluated (see
`block_sparse`). The next entry of the list is loaded one step ahead, so that the tiles themselves can be as well.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.attention.blocks import BlockMask
from kernels.attention.tiling import BackwardTiling, padded
from kernels.attention.triton.block_sparse import constexpr_arguments, visible_cells
from kernels.attention.triton.flash import within_head
from kernels.attention.triton.flash_backward import LOG2_E, fold_keys, fold_queries, output_dot_gradient, probabilities


@triton.jit
def block_sparse_bwd_dq_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, do_ptr, lse_ptr, delta_ptr, dq_ptr,
    order_ptr, bounds_ptr, tiles_ptr, limits_ptr, q_ids_ptr, kv_ids_ptr,
    stride_qb, stride_qh, stride_qn, stride_qd,
    stride_kb, stride_kh, stride_kn: tl.constexpr, stride_kd: tl.constexpr,
    stride_vb, stride_vh, stride_vn: tl.constexpr, stride_vd: tl.constexpr,
    heads_per_kv_head, query_len, key_len, softmax_scale,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr,
    MASK_PER_SEQUENCE: tl.constexpr,
    NUM_TERMS: tl.constexpr, ID_TERMS: tl.constexpr, TERMS: tl.constexpr, TABLE: tl.constexpr,
    ODD_ROW: tl.constexpr, ODD_SEES: tl.constexpr,
):  # fmt: skip
    """dQ and D of one tile of queries of one head. Grid (query tiles, heads, batch). Tensors as in flash_bwd_dq_kernel.

    order, bounds and tiles are the lists BlockMask.by_query, the rest of the mask as in block_sparse_fwd_kernel.
    """
    mask = tl.program_id(2).to(tl.int64) if MASK_PER_SEQUENCE else tl.cast(0, tl.int64)
    mask_row = mask * tl.num_programs(0)
    q_block = tl.load(order_ptr + mask_row + tl.program_id(0))
    bounds = bounds_ptr + (mask_row + q_block) * 3
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

    first, first_partial, end = tl.load(bounds), tl.load(bounds + 1), tl.load(bounds + 2)
    tile = tl.load(tiles_ptr + first, mask=first < end, other=0)
    for listed in range(first, end):
        first_key = (tile * BLOCK_KV).to(tl.int64)
        start = tile * BLOCK_KV
        tile = tl.load(tiles_ptr + listed + 1, mask=listed + 1 < end, other=0)
        in_bounds = within_head((start + tile_cols < key_len)[:, None], DIMS, HEAD_DIM)
        k = tl.load(k_base + first_key * stride_kn + k_offsets, mask=in_bounds, other=0.0)
        p = probabilities(q, k, lse_log2[:, None], scale_log2)
        if listed >= first_partial:
            visible = visible_cells(
                rows, start + tile_cols, query_len, key_len, limits_ptr, q_ids_ptr, kv_ids_ptr,
                NUM_TERMS, TERMS, TABLE, ODD_ROW, ODD_SEES, BLOCK_Q, BLOCK_KV,
            )  # fmt: skip
            p = tl.where(visible, p, 0.0)
        dq = fold_keys(dq, p, k, do, delta, v_base + first_key * stride_vn + v_offsets, in_bounds)

    tl.store(dq_ptr + out_offsets, (dq * softmax_scale).to(dq_ptr.dtype.element_ty), mask=rows_within)


@triton.jit
def block_sparse_bwd_dkdv_kernel(
    q_ptr, k_ptr, v_ptr, do_ptr, lse_ptr, delta_ptr, dk_ptr, dv_ptr,
    order_ptr, bounds_ptr, tiles_ptr, limits_ptr, q_ids_ptr, kv_ids_ptr,
    stride_qb, stride_qh, stride_qn: tl.constexpr, stride_qd: tl.constexpr,
    stride_kb, stride_kh, stride_kn, stride_kd,
    stride_vb, stride_vh, stride_vn, stride_vd,
    heads_per_kv_head, query_len, key_len, softmax_scale,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr,
    MASK_PER_SEQUENCE: tl.constexpr,
    NUM_TERMS: tl.constexpr, ID_TERMS: tl.constexpr, TERMS: tl.constexpr, TABLE: tl.constexpr,
    ODD_ROW: tl.constexpr, ODD_SEES: tl.constexpr,
):  # fmt: skip
    """dK and dV of one tile of keys of one KV head. Grid (key tiles, KV heads, batch). Tensors as in
    flash_bwd_dkdv_kernel.

    order, bounds and tiles are the lists BlockMask.by_key, the rest of the mask as in block_sparse_fwd_kernel.
    """
    mask = tl.program_id(2).to(tl.int64) if MASK_PER_SEQUENCE else tl.cast(0, tl.int64)
    mask_row = mask * tl.num_programs(0)
    kv_block = tl.load(order_ptr + mask_row + tl.program_id(0))
    bounds = bounds_ptr + (mask_row + kv_block) * 3
    limits_ptr += mask * NUM_TERMS
    q_ids_ptr += mask * ID_TERMS * query_len
    kv_ids_ptr += mask * ID_TERMS * key_len

    kv_head = tl.program_id(1).to(tl.int64)
    batch = tl.program_id(2).to(tl.int64)
    first_key = kv_block * BLOCK_KV
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

    group_row = (batch * tl.num_programs(1) + kv_head) * heads_per_kv_head * query_len
    q_base = q_ptr + batch * stride_qb + kv_head * heads_per_kv_head * stride_qh
    do_base = do_ptr + group_row * HEAD_DIM
    q_offsets = tile_rows[:, None] * stride_qn + dims[None, :] * stride_qd
    do_offsets = tile_rows[:, None] * HEAD_DIM + dims[None, :]
    scale_log2 = softmax_scale * LOG2_E

    first, first_partial, end = tl.load(bounds), tl.load(bounds + 1), tl.load(bounds + 2)
    tiles = end - first
    tile = tl.load(tiles_ptr + first, mask=tiles > 0, other=0)
    # The heads of the group one after another, each with the whole list.
    for index in range(tiles * heads_per_kv_head):
        member = index // tiles
        start = tile * BLOCK_Q
        tile = tl.load(tiles_ptr + first + (index + 1) % tiles)
        first_row = start.to(tl.int64)
        row = tl.cast(member, tl.int64) * query_len + first_row
        in_bounds = start + tile_rows < query_len
        q_tile = q_base + (tl.cast(member, tl.int64) * stride_qh + first_row * stride_qn)
        q = tl.load(q_tile + q_offsets, mask=within_head(in_bounds[:, None], DIMS, HEAD_DIM), other=0.0)
        lse_log2 = tl.load(lse_ptr + group_row + row + tile_rows, mask=in_bounds, other=0.0) * LOG2_E
        p = probabilities(k, q, lse_log2[None, :], scale_log2)
        if first + index % tiles >= first_partial:
            visible = visible_cells(
                start + tile_rows, cols, query_len, key_len, limits_ptr, q_ids_ptr, kv_ids_ptr,
                NUM_TERMS, TERMS, TABLE, ODD_ROW, ODD_SEES, BLOCK_Q, BLOCK_KV, KEYS_FIRST=True,
            )  # fmt: skip
            p = tl.where(visible, p, 0.0)
        do_in_bounds = within_head(in_bounds[:, None], DIMS, HEAD_DIM)
        do = tl.load(do_base + row * HEAD_DIM + do_offsets, mask=do_in_bounds, other=0.0)
        dv = tl.dot(p.to(do.dtype), do, dv, input_precision="ieee")
        dk = fold_queries(dk, p, q, do, v, delta_ptr + group_row + row + tile_rows, in_bounds)

    out_row = (batch * tl.num_programs(1) + kv_head) * key_len + first_key
    out_offsets = out_row * HEAD_DIM + tile_cols[:, None] * HEAD_DIM + dims[None, :]
    tl.store(dk_ptr + out_offsets, (dk * softmax_scale).to(dk_ptr.dtype.element_ty), mask=cols_within)
    tl.store(dv_ptr + out_offsets, dv.to(dv_ptr.dtype.element_ty), mask=cols_within)


def block_sparse_backward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
    dout: torch.Tensor,
    *,
    mask: BlockMask,
    softmax_scale: float,
    tiling: BackwardTiling,
    only_dq: bool = False,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """`flash_backward` under `mask`, cut into the tiles of each kernel, whatever those of the forward pass were."""
    batch, heads, query_len, head_dim = q.shape
    kv_heads, key_len = k.shape[1], k.shape[2]
    dq = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    delta = torch.empty_like(lse)
    packed = (mask.packed.limits, mask.packed.q_ids, mask.packed.kv_ids)
    strides = (*q.stride(), *k.stride(), *v.stride())
    sizes = (heads // kv_heads, query_len, key_len, softmax_scale)
    constants = {
        "HEAD_DIM": head_dim,
        "DIMS": padded(head_dim),
        "MASK_PER_SEQUENCE": mask.sequences > 1,
        **constexpr_arguments(mask.description),
    }
    first, second = tiling.dq, tiling.dkdv
    lists = mask.with_tiles(first.block_q, first.block_kv).by_query
    block_sparse_bwd_dq_kernel[(triton.cdiv(query_len, first.block_q), heads, batch)](
        q, k, v, out, dout, lse, delta, dq, lists.order, lists.bounds, lists.tiles, *packed, *strides, *sizes,
        BLOCK_Q=first.block_q, BLOCK_KV=first.block_kv, **constants,
        num_warps=first.num_warps, num_stages=first.num_stages,
    )  # fmt: skip
    if only_dq:
        return dq, None, None
    dk, dv = (torch.empty(k.shape, dtype=k.dtype, device=k.device) for _ in range(2))
    lists = mask.with_tiles(second.block_q, second.block_kv).by_key
    block_sparse_bwd_dkdv_kernel[(triton.cdiv(key_len, second.block_kv), kv_heads, batch)](
        q, k, v, dout, lse, delta, dk, dv, lists.order, lists.bounds, lists.tiles, *packed, *strides, *sizes,
        BLOCK_Q=second.block_q, BLOCK_KV=second.block_kv, **constants,
        num_warps=second.num_warps, num_stages=second.num_stages,
    )  # fmt: skip
    return dq, dk, dv
