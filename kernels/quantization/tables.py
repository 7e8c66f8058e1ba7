"""The lookup tables of the kernels: boundaries to search, and levels by code, float32 as in bitsandbytes. No torch.

The rule for every codebook format (equal to the bit with bitsandbytes 0.50.2, CPU build, for NF4 and FP4):

- Weights are widened to float32. absmax is the largest magnitude of a block.
- In a whole block: normalized = x * (1 / max(absmax, 1e-38)). The reciprocal and the product are each rounded to
  float32.
- In a short last block absmax is replaced by max(absmax, 1e-38), and normalized = x / absmax.
- The normalized value is clamped to [-1, 1]. Its index is the number of boundaries strictly below it, so a value
  half-way between two levels goes to the lower one. A boundary is half the float32 sum of two neighbouring levels.
- bitsandbytes' FP4 has two zeros and a boundary at 0 between them: values in (-0.0026, 0] get code 0, values in
  (0, 0.0026] get code 8.
- Two codes share a byte, the first in the high bits. If the last byte has one weight, the code of 0 fills it.
- Dequantization: level * absmax in float32, rounded once to the requested dtype.

Double quantization of the scales (bitsandbytes only has blocks of 256): their float32 mean is subtracted; normalized =
x * (1 / absmax), also in a short block, clamped to [-1, 1]. The result is rounded to an evenly spaced grid of 65536
points from -1 to 1, and goes to the nearest level. (The CPU build looks codes up in a table with one entry per grid
point. The rounding moves a value by at most 1.5e-5, and one scale in a thousand to the next level.) If all scales of a
block equal the mean, their code is 0. Dequantization: level * absmax + mean, rounded twice.

On CUDA, bitsandbytes multiplies by an approximate reciprocal (--use_fast_math), also in the last block, whose absmax it
keeps as it is. It swaps the two zeros, and searches the levels of scales without a grid. A value within an ulp or two
of a boundary may get the neighbouring code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kernels.quantization.formats import FORMATS, Format, FormatId, dynamic_levels

Float32s = NDArray[np.float32]

SMALLEST_ABSMAX = 1e-38
SCALE_GRID_STEPS = 65535

# FP4's codes in ascending order of their levels: bits are sign, then bitsandbytes' own order of exponent and mantissa.
_FP4_ORDER = (11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3)


@dataclass(frozen=True)
class Tables:
    """`boundaries` float32 [2^bits], ascending, padded with +inf; `levels` float32 [2^bits], by code; `order`: the code
    of each index, four bits each from the lowest, or None if code and index are the same."""

    bits: int
    boundaries: Float32s
    levels: Float32s
    order: int | None = None


@cache
def tables(format_id: FormatId) -> Tables:
    """The tables of a format. The affine format does not use the boundaries."""
    format_ = FORMATS[format_id]
    if format_id is FormatId.FP4_E2M1:
        return _with_two_zeros(format_)
    return _tables(format_.bits, format_.levels.astype(np.float32))


@cache
def scale_tables() -> Tables:
    """The tables of the 8-bit codes in which double quantization stores absmax."""
    return _tables(8, dynamic_levels().astype(np.float32))


def _tables(bits: int, ascending: Float32s, order: tuple[int, ...] | None = None) -> Tables:
    size = 1 << bits
    boundaries = np.full(size, np.inf, np.float32)
    boundaries[: len(ascending) - 1] = (ascending[:-1] + ascending[1:]) / np.float32(2)
    levels = np.zeros(size, np.float32)
    codes = np.arange(len(ascending)) if order is None else np.array(order)
    levels[codes] = ascending
    packed = None if order is None else sum(code << 4 * place for place, code in enumerate(order))
    return Tables(bits, boundaries, levels, packed)


def _with_two_zeros(format_: Format) -> Tables:
    zero = len(format_.levels) // 2
    ascending = np.insert(format_.levels, zero, 0.0).astype(np.float32)
    return _tables(format_.bits, ascending, _FP4_ORDER)
