"""Attention: the reference, three standard passes, flash, block-sparse under any mask, and PyTorch's own."""

from kernels.attention.api import AttentionOutput, Impl, Timeline, attention, available
from kernels.attention.blocks import BlockMask, block_mask
from kernels.attention.impl import TENSOR_OF_ARGUMENT
from kernels.attention.mask import EVERYTHING, MaskDescription, Term, TermKind, term, visible
from kernels.attention.sparse import SparseImpl, sparse_attention, sparse_available
from kernels.attention.tiles import TileClass, tile_classes

__all__ = [
    "EVERYTHING",
    "TENSOR_OF_ARGUMENT",
    "AttentionOutput",
    "BlockMask",
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
    "sparse_attention",
    "sparse_available",
    "term",
    "tile_classes",
    "visible",
]
