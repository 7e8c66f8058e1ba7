"""Attention: the reference, three standard passes, flash, block-sparse under any mask, decode, and PyTorch's own.

Forward and backward, except for decode.

Names are imported on first use: `decode_traffic` and `decode_tiling` need no torch, and the window's process imports
them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernels.attention.api import AttentionOutput, Impl, Timeline, attention, available
    from kernels.attention.blocks import BlockMask, block_mask
    from kernels.attention.decode import (
        DecodeImpl,
        DecodeOutput,
        decode_attention,
        decode_available,
        decode_latent_attention,
    )
    from kernels.attention.impl import TENSOR_OF_ARGUMENT
    from kernels.attention.mask import EVERYTHING, MaskDescription, Term, TermKind, term, visible
    from kernels.attention.sparse import SparseImpl, sparse_attention, sparse_available
    from kernels.attention.tiles import TileClass, tile_classes

__all__ = [
    "EVERYTHING",
    "TENSOR_OF_ARGUMENT",
    "AttentionOutput",
    "BlockMask",
    "DecodeImpl",
    "DecodeOutput",
    "Impl",
    "MaskDescription",
    "SparseImpl",
    "Term",
    "TermKind",
    "TileClass",
    "Timeline",
    "attention",
    "available",
    "block_mask",
    "decode_attention",
    "decode_available",
    "decode_latent_attention",
    "sparse_attention",
    "sparse_available",
    "term",
    "tile_classes",
    "visible",
]

_NAMES_OF = {
    "api": ("AttentionOutput", "Impl", "Timeline", "attention", "available"),
    "blocks": ("BlockMask", "block_mask"),
    "decode": ("DecodeImpl", "DecodeOutput", "decode_attention", "decode_available", "decode_latent_attention"),
    "impl": ("TENSOR_OF_ARGUMENT",),
    "mask": ("EVERYTHING", "MaskDescription", "Term", "TermKind", "term", "visible"),
    "sparse": ("SparseImpl", "sparse_attention", "sparse_available"),
    "tiles": ("TileClass", "tile_classes"),
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
