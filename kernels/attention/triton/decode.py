"""Attention of a few query tokens over a long KV cache in Triton, with the keys split among programs.

Flash-Decoding (Dao, Haziza, Massa and Sizov 2023): one sequence has too few heads to fill a GPU, so each program takes
a part of its keys, and a second kernel merges the parts by their log-sum-exp. All query heads of a KV group, times the
query tokens, are the rows of one tile: each byte of K and V is loaded once per group, not once per head. The rows are
padded to a power of two of at least 16, so any group size works.

Row r of a group is query head r // query_len of the group at query token r % query_len. The online softmax is that of
`flash`. Where V is the first columns of K (the latent of absorbed MLA, DeepSeek-V2 2024, section 2.1), the tile of K is
used twice.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl

from kernels.attention.decode_inputs import DecodeInputs
from kernels.attention.decode_tiling import DecodeTiling
from kernels.attention.triton.flash import online_softmax_update

MERGED_TOGETHER = 16
"""Parts that the second kernel holds on chip at once."""


@triton.jit
def tile_pages(table_row, first_key, cols, used, PAGE_SIZE: tl.constexpr, BLOCK_KV: tl.constexpr, MASKED: tl.constexpr):
    """Which page holds the tile, or where pages are smaller than a tile, each of its keys; int64."""
    if PAGE_SIZE >= BLOCK_KV:
        pages = tl.load(table_row + first_key // PAGE_SIZE)
    elif MASKED:
        pages = tl.load(table_row + (first_key + cols) // PAGE_SIZE, mask=used, other=0)
    else:
        pages = tl.load(table_row + (first_key + cols) // PAGE_SIZE)
    return pages.to(tl.int64)


@triton.jit
def tile_ptrs(
    base, pages, first_key, cols, dims, stride_page, stride_row: tl.constexpr, stride_dim: tl.constexpr,
    PAGE_SIZE: tl.constexpr, BLOCK_KV: tl.constexpr,
):  # fmt: skip
    """Addresses of a tile of K or V. Bases are 64-bit, offsets inside a tile or page 32-bit."""
    if PAGE_SIZE == 0:
        rows = base + tl.cast(first_key, tl.int64) * stride_row + cols * stride_row
    elif PAGE_SIZE >= BLOCK_KV:
        rows = base + pages * stride_page + (first_key % PAGE_SIZE) * stride_row + cols * stride_row
    else:
        rows = base + pages * stride_page + (cols % PAGE_SIZE) * stride_row
    return rows[:, None] + dims[None, :] * stride_dim


@triton.jit
def load_tile(ptrs, used, dims, WIDTH: tl.constexpr, BLOCK_WIDTH: tl.constexpr, MASKED: tl.constexpr):
    """A tile of rows of WIDTH columns, zeros where a row is not used and in the columns up to BLOCK_WIDTH."""
    if MASKED:
        if WIDTH < BLOCK_WIDTH:
            tile = tl.load(ptrs, mask=used[:, None] & (dims < WIDTH)[None, :], other=0.0)
        else:
            tile = tl.load(ptrs, mask=used[:, None], other=0.0)
    elif WIDTH < BLOCK_WIDTH:
        tile = tl.load(ptrs, mask=(dims < WIDTH)[None, :], other=0.0)
    else:
        tile = tl.load(ptrs)
    return tile


@triton.jit
def attend_tile(
    m_i, l_i, acc, q, q_rest, k_base, v_base, table_row, first_key, positions, length, first_in_window,
    window, sink_tokens, scale_log2, stride_kp, stride_vp,
    stride_kn: tl.constexpr, stride_kd: tl.constexpr, stride_vn: tl.constexpr, stride_vd: tl.constexpr,
    KEY_DIM: tl.constexpr, REST_DIM: tl.constexpr, VALUE_DIM: tl.constexpr,
    BLOCK_KEY: tl.constexpr, BLOCK_REST: tl.constexpr, BLOCK_VALUE: tl.constexpr, BLOCK_KV: tl.constexpr,
    PAGE_SIZE: tl.constexpr, WINDOWED: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Folds the BLOCK_KV keys from `first_key` into the state. Keys that no row sees are not loaded."""
    cols = tl.arange(0, BLOCK_KV)
    keys = first_key + cols
    used = keys < length
    if WINDOWED:
        used = used & ((keys >= first_in_window) | (keys < sink_tokens))
    if PAGE_SIZE > 0:
        pages = tile_pages(table_row, first_key, cols, used, PAGE_SIZE, BLOCK_KV, MASKED)
    else:
        pages = 0

    dims = tl.arange(0, BLOCK_KEY)
    ptrs = tile_ptrs(k_base, pages, first_key, cols, dims, stride_kp, stride_kn, stride_kd, PAGE_SIZE, BLOCK_KV)
    k = load_tile(ptrs, used, dims, KEY_DIM, BLOCK_KEY, MASKED).to(q.dtype)
    scores = tl.dot(q, tl.trans(k), input_precision="ieee")
    if REST_DIM > 0:
        rest_dims = tl.arange(0, BLOCK_REST)
        rest_base = k_base + KEY_DIM * stride_kd
        ptrs = tile_ptrs(
            rest_base, pages, first_key, cols, rest_dims, stride_kp, stride_kn, stride_kd, PAGE_SIZE, BLOCK_KV
        )
        k_rest = load_tile(ptrs, used, rest_dims, REST_DIM, BLOCK_REST, MASKED).to(q.dtype)
        scores = tl.dot(q_rest, tl.trans(k_rest), scores, input_precision="ieee")
    if MASKED:
        visible = keys[None, :] <= positions[:, None]
        if WINDOWED:
            visible = visible & ((keys[None, :] > positions[:, None] - window) | (keys < sink_tokens)[None, :])
        scores = tl.where(visible, scores, float("-inf"))
    m_i, l_i, acc, p = online_softmax_update(m_i, l_i, acc, scores, scale_log2, MASKED)

    if VALUE_DIM > 0:
        value_dims = tl.arange(0, BLOCK_VALUE)
        ptrs = tile_ptrs(
            v_base, pages, first_key, cols, value_dims, stride_vp, stride_vn, stride_vd, PAGE_SIZE, BLOCK_KV
        )
        v = load_tile(ptrs, used, value_dims, VALUE_DIM, BLOCK_VALUE, MASKED).to(q.dtype)
    else:
        v = k
    acc = tl.dot(p.to(q.dtype), v, acc, input_precision="ieee")
    return m_i, l_i, acc


@triton.jit
def decode_split_kernel(
    q_ptr, k_ptr, v_ptr, lengths_ptr, table_ptr, k_scale_ptr, v_scale_ptr, sink_ptr, o_ptr, lse_ptr,
    stride_qb, stride_qh, stride_qt, stride_qd,
    stride_kp, stride_kh, stride_kn: tl.constexpr, stride_kd: tl.constexpr,
    stride_vp, stride_vh, stride_vn: tl.constexpr, stride_vd: tl.constexpr, stride_tb,
    kv_heads, heads_per_kv_head, query_len, capacity, window, sink_tokens, scale_log2,
    KEY_DIM: tl.constexpr, REST_DIM: tl.constexpr, VALUE_DIM: tl.constexpr,
    BLOCK_KEY: tl.constexpr, BLOCK_REST: tl.constexpr, BLOCK_VALUE: tl.constexpr,
    BLOCK_ROWS: tl.constexpr, BLOCK_KV: tl.constexpr, PAGE_SIZE: tl.constexpr, WINDOWED: tl.constexpr,
    K_SCALE_PER_HEAD: tl.constexpr, V_SCALE_PER_HEAD: tl.constexpr,
):  # fmt: skip
    """One part of the keys of one KV head, for one tile of rows. Grid (row tiles, splits, batch * kv_heads).

    Writes out [splits, rows, value_dim] and its natural log-sum-exp [splits, rows], rows = [batch, heads, query_len];
    a part without keys writes zeros and -inf. VALUE_DIM 0: V is the first KEY_DIM columns of K. REST_DIM columns of K
    follow its first KEY_DIM. PAGE_SIZE 0: the cache is contiguous, and stride_kp is the stride of a sequence.
    Pointers that are None: lengths (every sequence has `capacity` keys), table, scales (1), sinks.
    """
    row_tile, split = tl.program_id(0), tl.program_id(1)
    kv_head = tl.program_id(2) % kv_heads
    batch = (tl.program_id(2) // kv_heads).to(tl.int64)
    rows_total = heads_per_kv_head * query_len

    rows = row_tile * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    row_in_bounds = rows < rows_total
    heads = kv_head * heads_per_kv_head + rows // query_len
    tokens = rows % query_len
    dims = tl.arange(0, BLOCK_KEY)
    q_rows = q_ptr + batch * stride_qb + heads.to(tl.int64) * stride_qh + tokens * stride_qt
    q = load_tile(q_rows[:, None] + dims[None, :] * stride_qd, row_in_bounds, dims, KEY_DIM, BLOCK_KEY, True)
    if REST_DIM > 0:
        rest_dims = tl.arange(0, BLOCK_REST)
        rest_ptrs = q_rows[:, None] + (KEY_DIM + rest_dims)[None, :] * stride_qd
        q_rest = load_tile(rest_ptrs, row_in_bounds, rest_dims, REST_DIM, BLOCK_REST, True)
    else:
        q_rest = q

    if lengths_ptr is not None:
        # A wrong length reads nothing outside the cache.
        length = tl.minimum(tl.maximum(tl.load(lengths_ptr + batch), 0), capacity)
    else:
        length = capacity
    positions = length - query_len + tokens

    # The tiles that some row sees: the sinks, then those of the window, or all. The splits share them evenly.
    tiles = tl.cdiv(length, BLOCK_KV)
    if WINDOWED:
        first_in_window = tl.maximum(length - query_len - window + 1, 0)
        sink_tiles = tl.minimum(tl.cdiv(sink_tokens, BLOCK_KV), tiles)
        skipped = tl.maximum(first_in_window // BLOCK_KV - sink_tiles, 0)
        whole_tiles = 0
    else:
        first_in_window, sink_tiles, skipped = 0, 0, 0
        whole_tiles = tl.maximum(length - query_len + 1, 0) // BLOCK_KV  # every row sees all their keys: no mask
    visited = tiles - skipped
    tiles_per_split = tl.cdiv(visited, tl.num_programs(1))
    begin = tl.minimum(split * tiles_per_split, visited)
    end = tl.minimum(begin + tiles_per_split, visited)

    # The sink logit is one more key with no value. The first part counts it.
    m_i = tl.full([BLOCK_ROWS], float("-inf"), tl.float32)
    l_i = tl.zeros([BLOCK_ROWS], tl.float32)
    if sink_ptr is not None:
        sinks = tl.load(sink_ptr + heads, mask=row_in_bounds & (split == 0), other=float("-inf")).to(tl.float32)
        m_i = sinks * 1.4426950408889634
        l_i = tl.where(m_i == float("-inf"), 0.0, 1.0)
    if k_scale_ptr is not None:
        scale_log2 = scale_log2 * tl.load(k_scale_ptr + (kv_head if K_SCALE_PER_HEAD else 0))
    acc = tl.zeros([BLOCK_ROWS, BLOCK_VALUE], tl.float32)

    k_base = k_ptr + kv_head.to(tl.int64) * stride_kh
    v_base = v_ptr + kv_head.to(tl.int64) * stride_vh if VALUE_DIM > 0 else k_base
    table_row = table_ptr + batch * stride_tb if PAGE_SIZE > 0 else k_base
    if PAGE_SIZE == 0:
        k_base += batch * stride_kp
        v_base += batch * stride_vp
    whole_end = tl.minimum(tl.maximum(whole_tiles, begin), end)
    if not WINDOWED:
        for tile in range(begin, whole_end):
            m_i, l_i, acc = attend_tile(
                m_i, l_i, acc, q, q_rest, k_base, v_base, table_row, tile * BLOCK_KV, positions, length,
                first_in_window, window, sink_tokens, scale_log2, stride_kp, stride_vp,
                stride_kn, stride_kd, stride_vn, stride_vd, KEY_DIM, REST_DIM, VALUE_DIM,
                BLOCK_KEY, BLOCK_REST, BLOCK_VALUE, BLOCK_KV, PAGE_SIZE, False, False,
            )  # fmt: skip
    for tile in range(whole_end, end):
        tile_index = tile + skipped * (tile >= sink_tiles).to(tl.int32) if WINDOWED else tile
        m_i, l_i, acc = attend_tile(
            m_i, l_i, acc, q, q_rest, k_base, v_base, table_row, tile_index * BLOCK_KV, positions, length,
            first_in_window, window, sink_tokens, scale_log2, stride_kp, stride_vp,
            stride_kn, stride_kd, stride_vn, stride_vd, KEY_DIM, REST_DIM, VALUE_DIM,
            BLOCK_KEY, BLOCK_REST, BLOCK_VALUE, BLOCK_KV, PAGE_SIZE, WINDOWED, True,
        )  # fmt: skip

    if v_scale_ptr is not None:
        acc = acc * tl.load(v_scale_ptr + (kv_head if V_SCALE_PER_HEAD else 0))
    out = acc / tl.where(l_i == 0.0, 1.0, l_i)[:, None]  # no key seen: zeros and -inf, without 0 / 0
    out_rows = (split.to(tl.int64) * tl.num_programs(2) + tl.program_id(2)) * rows_total + rows
    value_dims = tl.arange(0, BLOCK_VALUE)
    VALUE_WIDTH: tl.constexpr = VALUE_DIM if VALUE_DIM > 0 else KEY_DIM
    o_ptrs = o_ptr + out_rows[:, None] * VALUE_WIDTH + value_dims[None, :]
    o_mask = row_in_bounds[:, None] & (value_dims < VALUE_WIDTH)[None, :]
    tl.store(o_ptrs, out.to(o_ptr.dtype.element_ty), mask=o_mask)
    tl.store(lse_ptr + out_rows, (m_i + tl.log2(l_i)) * 0.6931471805599453, mask=row_in_bounds)


@triton.jit
def decode_merge_kernel(
    part_ptr, part_lse_ptr, o_ptr, lse_ptr, splits,
    VALUE_DIM: tl.constexpr, BLOCK_VALUE: tl.constexpr, BLOCK_SPLITS: tl.constexpr,
):  # fmt: skip
    """One row of the output from its parts, weighted by exp(part's log-sum-exp - log-sum-exp). Grid (rows,).

    Parts float32 [splits, rows, VALUE_DIM] and [splits, rows]. A row without keys gives zeros and -inf.
    """
    row = tl.program_id(0).to(tl.int64)
    rows_total = tl.num_programs(0)
    dims = tl.arange(0, BLOCK_VALUE)
    m = tl.full([1], float("-inf"), tl.float32)
    total = tl.zeros([1], tl.float32)
    acc = tl.zeros([BLOCK_VALUE], tl.float32)
    for start in range(0, splits, BLOCK_SPLITS):
        parts = start + tl.arange(0, BLOCK_SPLITS)
        present = parts < splits
        part_rows = parts.to(tl.int64) * rows_total + row
        lse = tl.load(part_lse_ptr + part_rows, mask=present, other=float("-inf")) * 1.4426950408889634
        part = load_tile(
            part_ptr + part_rows[:, None] * VALUE_DIM + dims[None, :], present, dims, VALUE_DIM, BLOCK_VALUE, True
        )
        m_new = tl.maximum(m, tl.max(lse, 0))
        base = tl.where(m_new == float("-inf"), 0.0, m_new)
        weights = tl.exp2(lse - base)
        alpha = tl.exp2(m - base)
        total = total * alpha + tl.sum(weights, 0)
        acc = acc * alpha + tl.sum(weights[:, None] * part, 0)
        m = m_new
    out = acc / tl.where(total == 0.0, 1.0, total)
    tl.store(o_ptr + row * VALUE_DIM + dims, out.to(o_ptr.dtype.element_ty), mask=dims < VALUE_DIM)
    tl.store(lse_ptr + row + tl.arange(0, 1), (m + tl.log2(total)) * 0.6931471805599453)


def decode_forward(inputs: DecodeInputs, *, tiling: DecodeTiling, splits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Launches the kernels on inputs already checked. Returns out [batch, heads, query_len, value_dim] in the dtype of
    q and lse float32 [batch, heads, query_len], contiguous. With one split the second kernel is not needed."""
    q, k, v, table = inputs.q, inputs.k, inputs.v, inputs.block_table
    batch, heads, query_len, _ = q.shape
    kv_heads, value_dim, rest_dim = inputs.kv_heads, inputs.value_dim, inputs.rest_dim
    out = torch.empty((batch, heads, query_len, value_dim), dtype=q.dtype, device=q.device)
    lse = torch.empty((batch, heads, query_len), dtype=torch.float32, device=q.device)
    parts, part_lse = out, lse
    if splits > 1:
        parts = torch.empty((splits, *out.shape), dtype=torch.float32, device=q.device)
        part_lse = torch.empty((splits, *lse.shape), dtype=torch.float32, device=q.device)
    # Page or sequence, head, row, column.
    order = (0, 1, 2, 3) if table is None else (0, 2, 1, 3)
    block_value = triton.next_power_of_2(value_dim)
    decode_split_kernel[(tiling.row_tiles(inputs.rows), splits, batch * kv_heads)](
        q, k, None if inputs.v_in_k else v, inputs.lengths, table, inputs.k_scale, inputs.v_scale, inputs.sink_logits,
        parts, part_lse,
        *q.stride(), *(k.stride(axis) for axis in order), *(v.stride(axis) for axis in order),
        0 if table is None else table.stride(0),
        kv_heads, heads // kv_heads, query_len, inputs.capacity, inputs.window or 0, inputs.sink_tokens,
        inputs.softmax_scale * math.log2(math.e),
        KEY_DIM=inputs.key_dim - rest_dim, REST_DIM=rest_dim, VALUE_DIM=0 if inputs.v_in_k else value_dim,
        BLOCK_KEY=triton.next_power_of_2(inputs.key_dim - rest_dim), BLOCK_REST=triton.next_power_of_2(rest_dim or 1),
        BLOCK_VALUE=block_value, BLOCK_ROWS=tiling.block_rows, BLOCK_KV=tiling.block_kv,
        PAGE_SIZE=inputs.page_size, WINDOWED=inputs.window is not None,
        K_SCALE_PER_HEAD=_per_head(inputs.k_scale), V_SCALE_PER_HEAD=_per_head(inputs.v_scale),
        num_warps=tiling.num_warps, num_stages=tiling.num_stages,
    )  # fmt: skip
    if splits > 1:
        decode_merge_kernel[(batch * heads * query_len,)](
            parts, part_lse, out, lse, splits,
            VALUE_DIM=value_dim, BLOCK_VALUE=block_value,
            BLOCK_SPLITS=min(MERGED_TOGETHER, triton.next_power_of_2(splits)),
        )  # fmt: skip
    return out, lse


def _per_head(scale: torch.Tensor | None) -> bool:
    return scale is not None and scale.numel() > 1
