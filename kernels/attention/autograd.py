"""The Triton kernels with their backward passes: out is differentiable in q, k and v, and nothing else they return is.

Beside the inputs, the flash kernels save out and the log-sum-exp, the standard ones P.
"""

from __future__ import annotations

from typing import Any

import torch

from kernels.attention.blocks import BlockMask
from kernels.attention.tiling import BackwardTiling, Copies, Tiling, choose_backward_tiling
from kernels.attention.triton.block_sparse import block_sparse_forward
from kernels.attention.triton.block_sparse_backward import block_sparse_backward
from kernels.attention.triton.flash import flash_forward
from kernels.attention.triton.flash_backward import flash_backward
from kernels.attention.triton.flash_descriptors import flash_descriptor_forward
from kernels.attention.triton.standard import standard_forward
from kernels.attention.triton.standard_backward import standard_backward
from kernels.launching import device_target, launching

Blocks = tuple[int | None, int | None]
"""Tile sizes (block_q, block_kv) that a caller asks the backward pass to use; None chooses them for the GPU."""
Outputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]
"""out, the log-sum-exp, and the timeline if there is one."""


def flash(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    mask: BlockMask | bool,
    softmax_scale: float,
    tiling: Tiling,
    blocks: Blocks,
    timeline: bool,
) -> Outputs:
    """`block_sparse_forward` under a BlockMask, or `flash_forward`, for which `mask` says whether attention is causal.

    The tensors were checked by `sparse` or `api`.
    """
    if not _needs_gradients(q, k, v):
        return _flash_forward(q, k, v, mask, softmax_scale, tiling, timeline)
    outputs: Outputs = _Flash.apply(  # type: ignore[no-untyped-call]
        q, k, v, mask, softmax_scale, tiling, blocks, timeline
    )
    return outputs


def standard(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, softmax_scale: float, tiling: Tiling
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`standard_forward` on tensors that `api` has checked."""
    if not _needs_gradients(q, k, v):
        return standard_forward(q, k, v, causal=causal, softmax_scale=softmax_scale, tiling=tiling)
    outputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = _Standard.apply(  # type: ignore[no-untyped-call]
        q, k, v, causal, softmax_scale, tiling
    )
    return outputs


class _Standard(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        causal: bool,
        softmax_scale: float,
        tiling: Tiling,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        out, s, p = standard_forward(q, k, v, causal=causal, softmax_scale=softmax_scale, tiling=tiling)
        ctx.save_for_backward(q, k, v, p)
        ctx.mark_non_differentiable(s, p)
        ctx.softmax_scale, ctx.tiling = softmax_scale, tiling
        return out, s, p

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dout: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        q, k, v, p = ctx.saved_tensors
        with launching(q.device, tiles=ctx.tiling.described(head_dim=q.shape[3], dtype=q.dtype)):
            gradients = standard_backward(q, k, v, p, dout, softmax_scale=ctx.softmax_scale, tiling=ctx.tiling)
        return (*gradients, None, None, None)


class _Flash(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        mask: BlockMask | bool,
        softmax_scale: float,
        tiling: Tiling,
        blocks: Blocks,
        timeline: bool,
    ) -> Outputs:
        out, lse, times = _flash_forward(q, k, v, mask, softmax_scale, tiling, timeline)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.mark_non_differentiable(lse)
        ctx.mask, ctx.softmax_scale, ctx.blocks = mask, softmax_scale, blocks
        return out, lse, times

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dout: torch.Tensor, *_: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        needs_q, needs_k, needs_v = ctx.needs_input_grad[:3]
        tiling = _tiling(q, ctx.blocks)
        options: dict[str, Any] = {
            "softmax_scale": ctx.softmax_scale, "tiling": tiling, "only_dq": not (needs_k or needs_v)
        }  # fmt: skip
        with launching(q.device, tiles=tiling.described(head_dim=q.shape[3], dtype=q.dtype)):
            if isinstance(ctx.mask, BlockMask):
                gradients = block_sparse_backward(q, k, v, out, lse, dout.contiguous(), mask=ctx.mask, **options)
            else:
                gradients = flash_backward(q, k, v, out, lse, dout.contiguous(), causal=ctx.mask, **options)
        # The kernel of dQ also computes what that of dK and dV needs, so it always runs.
        requested = zip(gradients, (needs_q, needs_k, needs_v), strict=True)
        return (*(gradient if needed else None for gradient, needed in requested), *5 * (None,))


def _flash_forward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    mask: BlockMask | bool,
    softmax_scale: float,
    tiling: Tiling,
    timeline: bool,
) -> Outputs:
    options: dict[str, Any] = {"softmax_scale": softmax_scale, "tiling": tiling, "timeline": timeline}
    if isinstance(mask, BlockMask):
        return block_sparse_forward(q, k, v, mask=mask, **options)
    forward = flash_forward if tiling.copies is Copies.POINTERS else flash_descriptor_forward
    return forward(q, k, v, causal=mask, **options)


def _needs_gradients(*tensors: torch.Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _tiling(q: torch.Tensor, blocks: Blocks) -> BackwardTiling:
    block_q, block_kv = blocks
    return choose_backward_tiling(
        head_dim=q.shape[3],
        element_bytes=q.element_size(),
        target=device_target(q.device),
        block_q=block_q,
        block_kv=block_kv,
    )
