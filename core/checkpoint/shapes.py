"""What a tensor's shape means for blocks: its rows, its experts, and the blocks that hold weights of two of them.

Blocks are counted through a tensor in the order of its bytes, as bitsandbytes counts them: a row that is no whole
number of blocks ends inside one, and the next row begins there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.checkpoint.roles import Role, role_of
from core.contracts.text import Text, tr_in

_EXPERT_WORDS = ("expert", "exps", "moe")
_CONVOLUTION_WORDS = ("conv", "patch_embed")
_LARGEST_KERNEL = 16


class ShapeKind(StrEnum):
    MATRIX = "matrix"
    EMBEDDING = "embedding"
    EXPERTS = "experts"
    CONVOLUTION = "convolution"
    VECTOR = "vector"


SHAPE_LABELS: Mapping[str, Text] = {
    ShapeKind.MATRIX: tr_in("shape", "matrix"),
    ShapeKind.EMBEDDING: tr_in("shape", "embedding or output head"),
    ShapeKind.EXPERTS: tr_in("shape", "fused experts"),
    ShapeKind.CONVOLUTION: tr_in("shape", "convolution"),
    ShapeKind.VECTOR: tr_in("shape", "vector"),
}
"""The names of the kinds, by id."""


@dataclass(frozen=True)
class Layout:
    """`experts` matrices of `rows` by `columns` weights, one behind the other; 1 for a tensor that is no fused experts.
    A row of a convolution is an output channel; a vector is one row."""

    kind: ShapeKind
    experts: int
    rows: int
    columns: int

    @property
    def elements(self) -> int:
        return self.experts * self.rows * self.columns

    def blocks(self, block_size: int) -> int:
        return -(-self.elements // block_size)

    def aligned_blocks(self, block_size: int) -> int:
        """How many blocks there were if each row began one."""
        return self.experts * self.rows * -(-self.columns // block_size)

    def blocks_over_rows(self, block_size: int) -> int:
        """The blocks that hold weights of more than one row."""
        return _blocks_over(self.experts * self.rows, self.columns, block_size)

    def blocks_over_experts(self, block_size: int) -> int:
        """The blocks that hold weights of more than one expert."""
        return _blocks_over(self.experts, self.rows * self.columns, block_size)


def layout_of(name: str, shape: tuple[int, ...]) -> Layout:
    """The layout of a tensor, by its shape, and for three dimensions by its name."""
    sizes = tuple(size for size in shape if size > 1) or (1,)
    if len(sizes) == 1:
        return Layout(ShapeKind.VECTOR, 1, 1, sizes[0])
    if len(shape) == 2:
        kind = ShapeKind.EMBEDDING if role_of(name, shape) is Role.EMBEDDING else ShapeKind.MATRIX
        return Layout(kind, 1, *shape)
    if len(shape) == 3 and _holds_experts(name.lower(), shape):
        return Layout(ShapeKind.EXPERTS, *shape)
    return Layout(ShapeKind.CONVOLUTION, 1, shape[0], math.prod(shape[1:]))


def _holds_experts(name: str, shape: tuple[int, ...]) -> bool:
    if any(word in name for word in _EXPERT_WORDS):
        return True
    is_convolution = any(word in name for word in _CONVOLUTION_WORDS)
    return not is_convolution and min(shape[1:]) > _LARGEST_KERNEL


def _blocks_over(parts: int, size: int, block_size: int) -> int:
    """The blocks that more than one of `parts` parts of `size` weights reaches into."""
    ends = np.arange(1, parts, dtype=np.int64) * size
    return len(np.unique(ends[ends % block_size != 0] // block_size))
