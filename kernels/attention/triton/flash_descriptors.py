"""Flash attention forward with tensor descriptors: the same steps as `flash`, with tiles that the hardware copies.

On Hopper and later GPUs a descriptor names a whole tensor, and one instruction of one thread copies a tile of it into
shared memory (TMA, cp.async.bulk.tensor): no thread computes addresses, and rows past the end of a sequence arrive as
zeros. On Blackwell, WARP_SPECIALIZED lets the compiler give copies, products and softmax to warps of their own.

The bytes are those of `flash`: rows that do not exist are neither read nor written. `tiling.Copies` says which GPU gets
which variant. No GPU has run them yet: what is known is what the compiler makes of them.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are descriptors, tiles and compile-time constants.

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from triton.language.extra import cuda as tl_cuda
from triton.tools.tensor_descriptor import TensorDescriptor

from kernels.attention.tiling import Copies, Tiling
from kernels.attention.triton.flash import (
    empty_outputs,
    normalised_rows,
    online_softmax_update,
    record_program,
    store_lse,
    visible_keys,
    walked_keys,
)


@triton.jit
def attend_described_tile(
    m_i, l_i, acc, q, k_ptr, v_ptr, batch, kv_head, start, row_visible, scale_log2,
    HEAD_DIM: tl.constexpr, BLOCK_KV: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """One step: copies a tile of K and V, scores it against the queries, folds it into the state."""
    k = k_ptr.load([batch, kv_head, start, 0]).reshape(BLOCK_KV, HEAD_DIM)
    scores = tl.dot(q, tl.trans(k), input_precision="ieee")
    if MASKED:
        cols = start + tl.arange(0, BLOCK_KV)
        scores = tl.where(cols[None, :] < row_visible[:, None], scores, float("-inf"))
    m_i, l_i, acc, p = online_softmax_update(m_i, l_i, acc, scores, scale_log2, MASKED)
    v = v_ptr.load([batch, kv_head, start, 0]).reshape(BLOCK_KV, HEAD_DIM)
    acc = tl.dot(p.to(v.dtype), v, acc, input_precision="ieee")
    return m_i, l_i, acc


@triton.jit
def flash_fwd_descriptor_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, lse_ptr, timeline_ptr,
    heads_per_kv_head, query_len, key_len, scale_log2,
    HEAD_DIM: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_KV: tl.constexpr, CAUSAL: tl.constexpr,
    WARP_SPECIALIZED: tl.constexpr,
):  # fmt: skip
    """One program: one tile of queries of one head. Grid (query tiles, heads, batch).

    q_ptr to o_ptr are descriptors of [batch, heads, length, HEAD_DIM] with blocks of one tile; the log-sum-exp and the
    timeline are pointers, as in flash_fwd_kernel.
    """
    if timeline_ptr is not None:
        start_ns = tl_cuda.globaltimer()

    # Causal: the last query tile visits the most keys, so it starts first and short ones fill the tail of the grid.
    q_block = tl.num_programs(0) - 1 - tl.program_id(0) if CAUSAL else tl.program_id(0)
    head = tl.program_id(1)
    batch = tl.program_id(2)
    kv_head = head // heads_per_kv_head
    first_row = q_block * BLOCK_Q
    rows = first_row + tl.arange(0, BLOCK_Q)

    q = q_ptr.load([batch, head, first_row, 0]).reshape(BLOCK_Q, HEAD_DIM)
    m_i = tl.full([BLOCK_Q], float("-inf"), tl.float32)
    l_i = tl.zeros([BLOCK_Q], tl.float32)
    acc = tl.zeros([BLOCK_Q, HEAD_DIM], tl.float32)

    row_visible = visible_keys(rows, query_len, key_len, CAUSAL)
    whole_end, keys_end = walked_keys(first_row, query_len, key_len, BLOCK_Q, BLOCK_KV, CAUSAL)
    if WARP_SPECIALIZED:
        # One loop, all of it under the mask: with two, the scalars that the groups of warps share are spilled (ptxas).
        for start in tl.range(0, keys_end, BLOCK_KV, warp_specialize=True):
            m_i, l_i, acc = attend_described_tile(
                m_i, l_i, acc, q, k_ptr, v_ptr, batch, kv_head, start, row_visible, scale_log2,
                HEAD_DIM, BLOCK_KV, True,
            )  # fmt: skip
    else:
        # Tiles that every row sees in full need no mask and come first; the diagonal and the ragged end follow.
        for start in range(0, whole_end, BLOCK_KV):
            m_i, l_i, acc = attend_described_tile(
                m_i, l_i, acc, q, k_ptr, v_ptr, batch, kv_head, start, row_visible, scale_log2,
                HEAD_DIM, BLOCK_KV, False,
            )  # fmt: skip
        for start in range(whole_end, keys_end, BLOCK_KV):
            m_i, l_i, acc = attend_described_tile(
                m_i, l_i, acc, q, k_ptr, v_ptr, batch, kv_head, start, row_visible, scale_log2,
                HEAD_DIM, BLOCK_KV, True,
            )  # fmt: skip

    out = normalised_rows(l_i, acc).to(q.dtype)
    o_ptr.store([batch, head, first_row, 0], out.reshape(1, 1, BLOCK_Q, HEAD_DIM))
    lse_row = (batch.to(tl.int64) * tl.num_programs(1) + head) * query_len
    store_lse(m_i, l_i, lse_ptr + lse_row + rows, rows < query_len)

    if timeline_ptr is not None:
        record_program(timeline_ptr, head, start_ns)


def flash_descriptor_forward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool,
    softmax_scale: float,
    tiling: Tiling,
    timeline: bool = False,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Launches the kernel on tensors that `inputs.are_describable`. Shapes and results are those of `flash_forward`."""
    heads, query_len, head_dim = q.shape[1:]
    out, lse, times, grid = empty_outputs(q, tiling.block_q, timeline=timeline)
    q_block, kv_block = ([1, 1, rows, head_dim] for rows in (tiling.block_q, tiling.block_kv))
    described = (
        TensorDescriptor.from_tensor(tensor, block)
        for tensor, block in ((q, q_block), (k, kv_block), (v, kv_block), (out, q_block))
    )
    flash_fwd_descriptor_kernel[grid](
        *described, lse, times,
        heads // k.shape[1], query_len, k.shape[2], softmax_scale * math.log2(math.e),
        HEAD_DIM=head_dim, BLOCK_Q=tiling.block_q, BLOCK_KV=tiling.block_kv, CAUSAL=causal,
        WARP_SPECIALIZED=tiling.copies is Copies.WARP_SPECIALIZED,
        num_warps=tiling.num_warps, num_stages=tiling.num_stages,
    )  # fmt: skip
    return out, lse, times
