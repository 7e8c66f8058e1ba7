"""What the kernels look up: boundaries to search and levels by code, float32, as bitsandbytes has them. No torch.

The rule, for every codebook format (bitsandbytes 0.50.2, CPU build, on NF4 and FP4; bit for bit):

- Weights are widened to float32. absmax is the largest magnitude of a block.
- A whole block: share = x * (1 / max(absmax, 1e-38)); the reciprocal and the product are each rounded to float32.
- A last block that is not whole: its absmax becomes max(absmax, 1e-38), and is kept so; share = x / absmax.
- The share is held to [-1, 1]. Its place is the number of boundaries that lie strictly below it, so that a value
  half-way between two levels goes to the lower. A boundary is half the float32 sum of two neighbouring levels.
- bitsandbytes' FP4 has two zeros, and a boundary at 0 between them: shares in (-0.0026, 0] get code 0, those in
  (0, 0.0026] get code 8.
- Two codes share a byte, the first in the high bits. Where the last byte has one weight, a share of 0 fills it.
- Back: level * absmax in float32, rounded once to the requested dtype.

Double quantization of the scales (its blocks of 256 are bitsandbytes' only ones): their float32 mean is taken off;
share = x * (1 / absmax), short block or not, held to [-1, 1]; it is moved to the nearest of 65536 even places from -1
to 1, and the level nearest to that is taken. (The CPU build looks codes up in a table of so many entries. It moves a
share by 1.5e-5 at most, and one scale in a thousand to the next level.) Where all scales of a block equal the mean,
their code is 0. Back: level * absmax + mean, rounded twice.

On CUDA, bitsandbytes multiplies by an approximate reciprocal (--use_fast_math) in the last block too, and keeps its
absmax as it is; it swaps the two zeros; it searches for scales without that table; and a share within an ulp or two of
a boundary may get the neighbouring code.
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
    """`boundaries` float32 [2^bits], ascending, +inf where there are fewer; `levels` float32 [2^bits], by code;
    `order`: the code at each place, four bits each from the lowest; None where code and place are the same."""

    bits: int
    boundaries: Float32s
    levels: Float32s
    order: int | None = None


@cache
def tables(format_id: FormatId) -> Tables:
    """The tables of a format. The affine one has no use for its boundaries."""
    format_ = FORMATS[format_id]
    if format_id is FormatId.FP4_E2M1:
        return _with_two_zeros(format_)
    return _tables(format_.bits, format_.levels.astype(np.float32))


@cache
def scale_tables() -> Tables:
    """Those of the 8-bit codes that double quantization keeps absmax in."""
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
