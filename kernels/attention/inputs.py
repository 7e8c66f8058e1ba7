"""Checks of the inputs and options of attention. Each failure is one sentence."""

from __future__ import annotations

import math

import torch

from kernels.attention.impl import Impl
from kernels.attention.tiling import padded
from kernels.errors import InvalidInputs, Unavailable

HEAD_DIMS = (16, 32, 64, 80, 96, 128, 192, 256)
BLOCKS = (16, 32, 64, 128)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_HEAD_DIMS, _BLOCKS = (", ".join(map(str, allowed)) for allowed in (HEAD_DIMS, BLOCKS))


def check_inputs(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> None:
    """Raises InvalidInputs unless q, k and v agree with each other and with what the kernels support."""
    if not (q.dim() == k.dim() == v.dim() == 4):
        raise InvalidInputs("Q, K and V must have four dimensions each: [batch, heads, length, head_dim].")
    if k.shape != v.shape or q.shape[0] != k.shape[0] or q.shape[3] != k.shape[3]:
        raise InvalidInputs(
            "Q {q}, K {k} and V {v} do not match: batch and head_dim must be equal, and K and V must have the same "
            "shape.",
            q=_shape(q),
            k=_shape(k),
            v=_shape(v),
        )
    if 0 in q.shape or 0 in k.shape:
        raise InvalidInputs("Q {q} and K {k} must have no empty dimension.", q=_shape(q), k=_shape(k))
    if q.shape[1] % k.shape[1]:
        raise InvalidInputs(
            "{heads} query heads cannot be divided among {kv_heads} KV heads: every KV head must serve the same number "
            "of query heads.",
            heads=q.shape[1],
            kv_heads=k.shape[1],
        )
    if q.shape[3] not in HEAD_DIMS:
        raise InvalidInputs(
            "head_dim must be one of {allowed}, not {head_dim}.", allowed=_HEAD_DIMS, head_dim=q.shape[3]
        )
    if q.dtype not in DTYPES or not (q.dtype == k.dtype == v.dtype):
        raise InvalidInputs(
            "Q, K and V must share float32, float16 or bfloat16, not {q}, {k}, {v}.",
            q=str(q.dtype),
            k=str(k.dtype),
            v=str(v.dtype),
        )
    if not (q.device == k.device == v.device):
        raise InvalidInputs(
            "Q, K and V must be on one device, not {q}, {k}, {v}.",
            q=str(q.device),
            k=str(k.device),
            v=str(v.device),
        )


def are_describable(*tensors: torch.Tensor) -> bool:
    """Whether the hardware can copy tiles of them by descriptor: their rows are contiguous, and rows, heads and
    sequences start at multiples of 16 bytes (CUDA driver API, cuTensorMapEncodeTiled). A head that tiles have to pad
    goes by pointers."""
    return all(
        tensor.stride(-1) == 1
        and padded(tensor.shape[-1]) == tensor.shape[-1]
        and all(stride > 0 and stride * tensor.element_size() % 16 == 0 for stride in tensor.stride()[:-1])
        and tensor.data_ptr() % 16 == 0
        for tensor in tensors
    )


def check_scale(softmax_scale: float) -> None:
    """Raises InvalidInputs unless the scale is positive: the kernels take the row maximum before they scale it."""
    if not (math.isfinite(softmax_scale) and softmax_scale > 0):
        raise InvalidInputs("softmax_scale must be positive and finite, not {value}.", value=softmax_scale)


def check_blocks(block_q: int | None, block_kv: int | None, names: tuple[str, str] = ("block_q", "block_kv")) -> None:
    """Raises InvalidInputs for a tile size that is not a power of two between 16 and 128."""
    for name, block in zip(names, (block_q, block_kv), strict=True):
        if block is not None and block not in BLOCKS:
            raise InvalidInputs(
                "{name} must be one of {allowed}, not {value}.", name=name, allowed=_BLOCKS, value=block
            )


def check_extras(impl: Impl, device: torch.device, *, return_lse: bool, timeline: bool) -> None:
    """Raises InvalidInputs for an extra that `impl` never returns, Unavailable for one that `device` cannot record."""
    if return_lse and not impl.gives_lse:
        reference, flash = (other.value for other in Impl if other.gives_lse)
        raise InvalidInputs(
            "{impl} returns no log-sum-exp: use {reference} or {flash} instead.",
            impl=impl.value,
            reference=reference,
            flash=flash,
        )
    if timeline and impl is not Impl.TRITON_FLASH:
        raise InvalidInputs("{impl} records no timeline: use {other} instead.", impl=impl.value, other="triton-flash")
    if timeline:
        check_timeline_device(device)


def check_timeline_device(device: torch.device) -> None:
    """Raises Unavailable unless `device` is an NVIDIA GPU."""
    if device.type != "cuda" or torch.version.hip is not None:
        raise Unavailable("A timeline needs an NVIDIA GPU, but the tensors are not on one: move them there.")


def _shape(tensor: torch.Tensor) -> str:
    return str(list(tensor.shape))
