"""One entry to attention under any mask. What ran is what was requested: there is no silent fallback."""

from __future__ import annotations

import math
from enum import StrEnum

import torch

from kernels.attention.blocks import BlockMask, block_mask
from kernels.attention.inputs import check_blocks, check_inputs, check_scale, check_timeline_device
from kernels.attention.mask import EVERYTHING, MaskDescription, visible
from kernels.attention.output import AttentionOutput
from kernels.attention.reference import masked_reference_forward
from kernels.attention.tiling import Tiling, choose_tiling
from kernels.attention.torch_impl import naive_masked_forward, sdpa_masked_forward
from kernels.errors import InvalidInputs, Unavailable
from kernels.launching import device_target, has_triton, launching, triton_reason


class SparseImpl(StrEnum):
    """From the oracle to the fastest rival."""

    REFERENCE = "reference"
    TORCH_NAIVE = "torch-naive"
    SDPA_BOOL_MASK = "sdpa-bool-mask"
    FLEX = "flex"
    BLOCK_SPARSE = "block-sparse"


def sparse_available(impl: SparseImpl, device: torch.device | str) -> str | None:
    """None if `impl` can run on `device` by itself, otherwise the reason, in one sentence."""
    impl, device = SparseImpl(impl), torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return "PyTorch sees no GPU on this machine."
    if impl is SparseImpl.BLOCK_SPARSE:
        return triton_reason(device)
    if impl is SparseImpl.FLEX and device.type == "cuda" and not has_triton():
        return "FlexAttention on a GPU is compiled by Triton, which is not installed here."
    return None


def sparse_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    impl: SparseImpl,
    mask: MaskDescription | BlockMask | None = None,
    softmax_scale: float | None = None,
    block_q: int | None = None,
    block_kv: int | None = None,
    timeline: bool = False,
) -> AttentionOutput:
    """softmax(softmax_scale Q K^T) V where the mask lets queries see keys, computed by `impl` and by nothing else.

    q [batch, heads, query_len, head_dim]; k and v [batch, kv_heads, key_len, head_dim], where kv_heads divides heads.
    Without a mask every query sees every key. A description is made into what `impl` takes at each call; for many calls
    make a BlockMask once, which also keeps what the others take (its `dense` and `flex`). `block_q` and `block_kv` size
    the tiles; None takes the mask's own, or else what suits the GPU.

    A row that sees nothing gives zeros, and -inf as its log-sum-exp, from the reference and the block-sparse kernel.
    The others give what PyTorch makes of it, NaN included: nothing is repaired here, so that it can be shown.

    Raises InvalidInputs for shapes, dtypes, masks and options that do not fit, Unavailable when `impl` cannot run here.
    """
    impl = SparseImpl(impl)
    check_inputs(q, k, v)
    scale = 1.0 / math.sqrt(q.shape[3]) if softmax_scale is None else float(softmax_scale)
    check_scale(scale)
    check_blocks(block_q, block_kv)
    if timeline and impl is not SparseImpl.BLOCK_SPARSE:
        raise InvalidInputs(f"{impl.value} records no timeline: ask block-sparse for it.")
    if timeline:
        check_timeline_device(q.device)
    tiling = _tiling(q, mask, block_q, block_kv)
    if impl is SparseImpl.BLOCK_SPARSE:
        return _block_sparse(q, k, v, _fitting(mask, q, k, tiling), scale, tiling, timeline)
    if reason := sparse_available(impl, q.device):
        raise Unavailable(reason)
    if impl is SparseImpl.FLEX:
        # Imported late: it brings PyTorch's compiler along.
        from kernels.attention.flex import flex_forward

        flex_mask = _fitting(mask, q, k, tiling).flex
        return AttentionOutput(flex_forward(q, k, v, mask=flex_mask, softmax_scale=scale))
    dense = _dense(mask, q, k)
    if impl is SparseImpl.REFERENCE:
        out, lse = masked_reference_forward(q, k, v, mask=dense, softmax_scale=scale)
        return AttentionOutput(out, lse=lse)
    if impl is SparseImpl.TORCH_NAIVE:
        out, p = naive_masked_forward(q, k, v, mask=dense[:, None], softmax_scale=scale)
        return AttentionOutput(out, p=p)
    return AttentionOutput(sdpa_masked_forward(q, k, v, mask=dense[:, None], softmax_scale=scale))


def _block_sparse(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    mask: BlockMask,
    scale: float,
    tiling: Tiling,
    timeline: bool,
) -> AttentionOutput:
    with launching(q.device, tiles=tiling.described(head_dim=q.shape[3], dtype=q.dtype)):
        # Imported late: Triton is not made for every platform, and the other implementations do without it.
        from kernels.attention.triton.block_sparse import block_sparse_forward, read_timeline

        out, lse, times = block_sparse_forward(
            q, k, v, mask=mask, softmax_scale=scale, tiling=tiling, timeline=timeline
        )
        taken = None if times is None else read_timeline(times, mask)
    return AttentionOutput(out, lse=lse, tiling=tiling, timeline=taken)


def _tiling(
    q: torch.Tensor, mask: MaskDescription | BlockMask | None, block_q: int | None, block_kv: int | None
) -> Tiling:
    if isinstance(mask, BlockMask):
        if (block_q or mask.block_q, block_kv or mask.block_kv) != (mask.block_q, mask.block_kv):
            raise InvalidInputs(
                f"The block mask is made of tiles of {mask.block_q} x {mask.block_kv}: give it no other tile size."
            )
        block_q, block_kv = mask.block_q, mask.block_kv
        check_blocks(block_q, block_kv)
    return choose_tiling(
        head_dim=q.shape[3],
        element_bytes=q.element_size(),
        target=device_target(q.device),
        block_q=block_q,
        block_kv=block_kv,
        sparse=True,
    )


def _fitting(mask: MaskDescription | BlockMask | None, q: torch.Tensor, k: torch.Tensor, tiling: Tiling) -> BlockMask:
    """The mask as tiles of the tiling, on the device of q."""
    if isinstance(mask, BlockMask):
        made_for, given = (mask.batch, mask.query_len, mask.key_len), (q.shape[0], q.shape[2], k.shape[2])
        if made_for != given:
            raise InvalidInputs(
                f"The block mask was made for [batch, query_len, key_len] {list(made_for)}, not {list(given)}."
            )
        if mask.device != q.device:
            raise InvalidInputs(f"The block mask is on {mask.device} and Q on {q.device}: make it on the same device.")
        return mask
    return block_mask(
        mask or EVERYTHING,
        batch=q.shape[0],
        query_len=q.shape[2],
        key_len=k.shape[2],
        block_q=tiling.block_q,
        block_kv=tiling.block_kv,
        device=q.device,
    )


def _dense(mask: MaskDescription | BlockMask | None, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """Bool [batch or 1, query_len, key_len]."""
    if isinstance(mask, BlockMask):
        return _fitting(mask, q, k, Tiling(mask.block_q, mask.block_kv, 1, 1)).dense
    mask = mask or EVERYTHING
    mask.check_fits(batch=q.shape[0], query_len=q.shape[2], key_len=k.shape[2])
    return visible(mask, query_len=q.shape[2], key_len=k.shape[2], device=q.device)
