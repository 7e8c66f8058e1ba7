"""Tensor descriptors: a tensor in global memory of which TMA copies whole tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.interpreter.values import Handle, Pointer
from core.trace import affine, mask
from core.trace.affine import Integer
from core.trace.mask import Predicate


@dataclass(frozen=True, eq=False)
class Descriptor(Handle):
    """The tensor at `pointer`. Shape and strides are in elements and may differ per program.

    Elements of a tile outside the shape are not accessed; they read as 0, or as NaN with `nan_padding`.
    """

    pointer: Pointer
    shape: tuple[Integer, ...]
    strides: tuple[Integer, ...]
    nan_padding: bool

    def numbers(self) -> tuple[Integer, ...]:
        return (self.pointer.offset, *self.shape, *self.strides)

    def with_numbers(self, numbers: Sequence[Integer]) -> Descriptor:
        rank = len(self.shape)
        pointer = Pointer(self.pointer.buffer, numbers[0])
        return Descriptor(pointer, tuple(numbers[1 : 1 + rank]), tuple(numbers[1 + rank :]), self.nan_padding)

    def same_as(self, other: Any) -> bool:
        return (
            isinstance(other, Descriptor)
            and other.pointer.buffer == self.pointer.buffer
            and other.nan_padding == self.nan_padding
        )

    @property
    def fill(self) -> float:
        """What elements outside the tensor read as."""
        return float("nan") if self.nan_padding else 0

    def tile(self, corner: Sequence[Integer], block: Sequence[int]) -> tuple[Pointer, Predicate]:
        """Where the tile that begins at `corner` lies, and which of its elements are in the tensor."""
        rank = len(block)
        indices = [
            affine.add(affine.reshaped(start, rank, ()), affine.reshaped(affine.arange(0, size), rank, (axis,)))
            for axis, (start, size) in enumerate(zip(corner, block, strict=True))
        ]
        return self._at(indices, rank)

    def rows(self, rows: Integer, column: Integer, width: int) -> tuple[Pointer, Predicate]:
        """Where parts of some rows lie, `width` elements from a column on: a tile of two axes."""
        columns = affine.add(affine.reshaped(column, 2, ()), affine.reshaped(affine.arange(0, width), 2, (1,)))
        return self._at([affine.reshaped(rows, 2, (0,)), columns], 2)

    def _at(self, indices: Sequence[Integer], rank: int) -> tuple[Pointer, Predicate]:
        offset = affine.reshaped(self.pointer.offset, rank, ())
        inside: Predicate = True
        for index, size, stride in zip(indices, self.shape, self.strides, strict=True):
            offset = affine.add(offset, affine.multiply(index, affine.reshaped(stride, rank, ())))
            bound = affine.reshaped(size, rank, ())
            inside = mask.both(inside, mask.both(mask.compare("ge", index, 0), mask.compare("lt", index, bound)))
        return Pointer(self.pointer.buffer, offset), inside
