"""The single entry point to attention under any mask. `impl` runs or raises: there is no silent fallback."""

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
from kernels.launching import device_target, has_triton, launching, triton_unavailable


class SparseImpl(StrEnum):
    """From the reference to the fastest alternative."""

    REFERENCE = "reference"
    TORCH_NAIVE = "torch-naive"
    SDPA_BOOL_MASK = "sdpa-bool-mask"
    FLEX = "flex"
    BLOCK_SPARSE = "block-sparse"


def sparse_available(impl: SparseImpl, device: torch.device | str) -> Unavailable | None:
    """None if `impl` can run on `device` without interception, otherwise the error that says why not."""
    impl, device = SparseImpl(impl), torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return Unavailable("PyTorch sees no GPU on this machine.")
    if impl is SparseImpl.BLOCK_SPARSE:
        return triton_unavailable(device)
    if impl is SparseImpl.FLEX and device.type == "cuda" and not has_triton():
        return Unavailable("FlexAttention on a GPU needs Triton as its compiler, and Triton is not installed.")
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
    """softmax(softmax_scale Q K^T) V over the keys that the mask shows to each query, computed by `impl` alone.

    q [batch, heads, query_len, head_dim]; k and v [batch, kv_heads, key_len, head_dim], where kv_heads divides heads.
    Without a mask every query sees every key. A description is converted to the form that `impl` takes on each call:
    for many calls build a BlockMask once. It also caches the forms of the other implementations (`dense` and `flex`).
    `block_q` and `block_kv` are the tile sizes; None takes those of a BlockMask, or else chooses them for the GPU.

    For a fully masked row the reference and the block-sparse kernel return zeros and a log-sum-exp of -inf. The others
    return what PyTorch computes, NaN included: nothing is repaired here, because the experiment shows the difference.

    Differentiable in q, k and v. For a fully masked row the block-sparse kernels give zero gradients. They cut the mask
    into tiles for the backward pass at its first use and keep that in the BlockMask; the log-sum-exp has no gradient.

    Raises InvalidInputs for shapes, dtypes, masks and options that do not fit, Unavailable when `impl` cannot run here.
    """
    impl = SparseImpl(impl)
    check_inputs(q, k, v)
    scale = 1.0 / math.sqrt(q.shape[3]) if softmax_scale is None else float(softmax_scale)
    check_scale(scale)
    check_blocks(block_q, block_kv)
    if timeline and impl is not SparseImpl.BLOCK_SPARSE:
        raise InvalidInputs("{impl} records no timeline: use {other} instead.", impl=impl.value, other="block-sparse")
    if timeline:
        check_timeline_device(q.device)
    tiling = _tiling(q, mask, block_q, block_kv)
    if impl is SparseImpl.BLOCK_SPARSE:
        fitting = _fitting(mask, q, k, tiling)
        return _block_sparse(q, k, v, fitting, scale, tiling, (block_q, block_kv), timeline)
    if unavailable := sparse_available(impl, q.device):
        raise unavailable
    if impl is SparseImpl.FLEX:
        # Imported late: it loads PyTorch's compiler.
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
    blocks: tuple[int | None, int | None],
    timeline: bool,
) -> AttentionOutput:
    with launching(q.device, tiles=tiling.described(head_dim=q.shape[3], dtype=q.dtype)):
        # Imported late: Triton does not exist on every platform, and the other implementations do not need it.
        from kernels.attention.autograd import flash
        from kernels.attention.triton.block_sparse import read_timeline

        out, lse, times = flash(
            q, k, v, mask=mask, softmax_scale=scale, tiling=tiling, blocks=blocks, timeline=timeline
        )
        recorded = None if times is None else read_timeline(times, mask)
    return AttentionOutput(out, lse=lse, tiling=tiling, timeline=recorded)


def _tiling(
    q: torch.Tensor, mask: MaskDescription | BlockMask | None, block_q: int | None, block_kv: int | None
) -> Tiling:
    if isinstance(mask, BlockMask):
        if (block_q or mask.block_q, block_kv or mask.block_kv) != (mask.block_q, mask.block_kv):
            raise InvalidInputs(
                "The block mask has tiles of {block_q} x {block_kv}: pass these tile sizes, or none.",
                block_q=mask.block_q,
                block_kv=mask.block_kv,
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
    """The mask as tiles of the requested size, on the device of q."""
    if isinstance(mask, BlockMask):
        mask_shape, input_shape = (mask.batch, mask.query_len, mask.key_len), (q.shape[0], q.shape[2], k.shape[2])
        if mask_shape != input_shape:
            raise InvalidInputs(
                "The block mask was built for [batch, query_len, key_len] {expected}, not {actual}.",
                expected=str(list(mask_shape)),
                actual=str(list(input_shape)),
            )
        if mask.device != q.device:
            raise InvalidInputs(
                "The block mask is on {mask_device}, but Q is on {q_device}: build it there.",
                mask_device=str(mask.device),
                q_device=str(q.device),
            )
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
