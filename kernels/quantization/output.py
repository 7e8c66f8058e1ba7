"""A quantized tensor, and the number of bytes that it holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from kernels.quantization.formats import FORMATS, FormatId


@dataclass(frozen=True)
class NestedScales:
    """The scales under double quantization: a scale is levels[code] * absmax + offset.

    codes   uint8 [blocks], indices into formats.dynamic_levels()
    absmax  float32 [groups], one per `nested_block` scales
    offset  float32 scalar: the mean of the scales
    """

    codes: torch.Tensor
    absmax: torch.Tensor
    offset: torch.Tensor


@dataclass(frozen=True)
class AffineScales:
    """A weight is code * step + minimum; both are float32 [blocks]. The step is 1 for a block of equal values."""

    minimum: torch.Tensor
    step: torch.Tensor


@dataclass(frozen=True)
class Quantized:
    """A tensor of `shape` cut, row by row, into blocks of `block_size`; the last block may be short.

    codes   uint8: [elements] for INT8; [ceil(elements / 2)] for the 4-bit formats, the first of two elements in the
            high bits. A code is the index of a level in FORMATS[format].levels; for FP4 E2M1 it is bitsandbytes' code
    absmax  float32 [blocks], or None if the scales are `nested` or `affine`
    """

    format: FormatId
    codes: torch.Tensor
    absmax: torch.Tensor | None
    nested: NestedScales | None
    affine: AffineScales | None
    shape: tuple[int, ...]
    block_size: int
    nested_block: int = 0

    @property
    def bits(self) -> int:
        return FORMATS[self.format].bits

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def blocks(self) -> int:
        return -(-self.elements // self.block_size)

    @property
    def device(self) -> torch.device:
        return self.codes.device

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors held."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._held())

    @property
    def bits_per_parameter(self) -> float:
        return 8 * self.nbytes / self.elements

    def _held(self) -> Iterator[torch.Tensor]:
        yield self.codes
        if self.absmax is not None:
            yield self.absmax
        if self.nested is not None:
            yield from (self.nested.codes, self.nested.absmax, self.nested.offset)
        if self.affine is not None:
            yield from (self.affine.minimum, self.affine.step)
