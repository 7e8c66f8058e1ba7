"""A mask description in the form that FlexAttention takes: a mask_mod and the block mask built from it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask as FlexBlockMask
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from kernels.attention.mask import MaskDescription

MaskMod = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def mask_mod(description: MaskDescription, *, query_len: int, key_len: int) -> MaskMod:
    """(b, h, q_idx, kv_idx) -> bool. Predicates are joined by and, or, not, as one would write by hand."""
    offset = key_len - query_len

    def sees(b: torch.Tensor, h: torch.Tensor, q_idx: torch.Tensor, kv_idx: torch.Tensor) -> torch.Tensor:
        return description.sees(b, q_idx, kv_idx, offset)

    return sees


def flex_block_mask(
    description: MaskDescription,
    *,
    query_len: int,
    key_len: int,
    block_q: int = 128,
    block_kv: int = 128,
    device: torch.device | str = "cpu",
) -> FlexBlockMask:
    """FlexAttention's own block mask; a single one when the batch shares one mask. Builds the dense matrix."""
    on_device = description.map_tensors(lambda tensor: tensor.to(device))
    return create_block_mask(
        mask_mod(on_device, query_len=query_len, key_len=key_len),
        B=on_device.sequences if on_device.sequences > 1 else None,
        H=None,
        Q_LEN=query_len,
        KV_LEN=key_len,
        device=str(device),
        BLOCK_SIZE=(block_q, block_kv),
    )


def flex_forward(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, mask: FlexBlockMask, softmax_scale: float
) -> torch.Tensor:
    """FlexAttention, compiled on a GPU. On a CPU it runs uncompiled and computes the dense scores."""
    attend = _compiled() if q.device.type == "cuda" else flex_attention
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on a CPU it warns that it is not compiled
        out: torch.Tensor = attend(q, k, v, block_mask=mask, scale=softmax_scale, enable_gqa=q.shape[1] != k.shape[1])
    return out


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention, dynamic=False)
