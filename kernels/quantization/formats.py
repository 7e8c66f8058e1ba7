"""The formats: their levels, scales and bits. numpy only: the window imports this, and so do the kernels' launchers.

Every format cuts a tensor, row by row, into blocks of `block_size` elements that share a scale. The levels of a
codebook format are multiples of the block's largest magnitude (absmax). INT4 affine instead spaces 16 levels evenly
from the block's minimum to its maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]

BLOCK_SIZES = tuple(1 << power for power in range(4, 13))
"""16 to 4096 elements."""

_SCALE_BITS = 32
_NESTED_BITS = 8

# The float32 values that bitsandbytes and the QLoRA checkpoints use. `normal_float_levels` matches them to 2.4e-7, but
# codes agree to the bit only with exactly these numbers.
_NF4_PUBLISHED = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)


class FormatId(StrEnum):
    NF4 = "nf4"
    FP4_E2M1 = "fp4-e2m1"
    FP4_E3M0 = "fp4-e3m0"
    INT4 = "int4"
    INT4_AFFINE = "int4-affine"
    INT8 = "int8"


@dataclass(frozen=True)
class Format:
    """A format for weights. `levels` are ascending multiples of absmax, read-only. For the affine format they go from 0
    (the block's minimum) to 1 (its maximum)."""

    id: FormatId
    label: str
    bits: int
    levels: Levels
    affine: bool = False

    @property
    def boundaries(self) -> Levels:
        """Midpoints between neighbouring levels: a value goes to the nearer level."""
        middle: Levels = (self.levels[1:] + self.levels[:-1]) / 2
        return middle

    def bits_per_parameter(self, block_size: int, nested_block: int = 0) -> float:
        """Bits of codes and scales per parameter, assuming whole blocks.

        A scale is a float32. With double quantization (`nested_block` > 0) it takes 8 bits, and `nested_block` scales
        share one float32 (Dettmers et al. 2023, section 3): 8/64 + 32/(64 * 256) bits instead of 32/64. The affine
        format has two numbers per block, a minimum and a step, and keeps them in float32.
        """
        if self.affine:
            return self.bits + 2 * _SCALE_BITS / block_size
        scale_bits = _NESTED_BITS + _SCALE_BITS / nested_block if nested_block else _SCALE_BITS
        return self.bits + scale_bits / block_size


def normal_float_levels(offset: float = 0.9677083) -> Levels:
    """The 16 levels of NF4 from their definition (Dettmers et al. 2023, section 3 and appendix E): eight positive and
    seven negative quantiles of the normal distribution, and zero, divided by the largest. `offset` is the probability
    of the outermost quantile."""
    quantile = NormalDist().inv_cdf
    positive = [quantile(float(p)) for p in np.linspace(offset, 0.5, 9)[:-1]]
    negative = [-quantile(float(p)) for p in np.linspace(offset, 0.5, 8)[:-1]]
    levels: Levels = np.array(sorted([*negative, 0.0, *positive]))
    return np.asarray(levels / levels.max())


def float_levels(exponent_bits: int, mantissa_bits: int) -> Levels:
    """The values of a small float format without infinities, divided by the largest, ascending; zero appears once.

    There is one sign bit. Exponent 0 is subnormal, as in IEEE 754; without a mantissa it only stands for zero.
    """
    values = {0.0}
    for exponent in range(1 << exponent_bits):
        for mantissa in range(1 << mantissa_bits):
            share = mantissa / (1 << mantissa_bits)
            values.add(2.0 * share if exponent == 0 else 2.0**exponent * (1 + share))
    magnitudes = np.array(sorted(values)) / max(values)
    return np.concatenate([-magnitudes[:0:-1], magnitudes])


def integer_levels(bits: int) -> Levels:
    """The integers from -(2^(bits-1) - 1) to 2^(bits-1) - 1, divided by the largest."""
    largest = 2 ** (bits - 1) - 1
    return np.asarray(np.arange(-largest, largest + 1) / largest)


def dynamic_levels() -> Levels:
    """The 256 levels in which double quantization stores absmax: Dettmers 2015 (arXiv 1511.04561), signed.

    There are seven decades below 1. Each is cut evenly into twice as many parts as the decade below it, and a level is
    the middle of a part. The arithmetic is float32 as in bitsandbytes, so that the codes are the same.
    """
    levels = [np.zeros(1, np.float32), np.ones(1, np.float32)]
    for decade in range(7):
        edges = _even_float32(0.1, 1.0, 2**decade + 1)
        means = (edges[:-1] + edges[1:]) / np.float32(2) * np.float32(10.0 ** (decade - 6))
        levels += [means, -means]
    return np.sort(np.concatenate(levels)).astype(np.float64)


def _even_float32(start: float, end: float, count: int) -> NDArray[np.float32]:
    """Evenly spaced float32 values, rounded like torch.linspace: the first half is counted from the start, the second
    half from the end, and each product and sum is rounded once."""
    index = np.arange(count, dtype=np.float64)
    step = np.float64((np.float32(end) - np.float32(start)) / np.float32(count - 1))
    forwards = np.float64(np.float32(start)) + step * index
    backwards = np.float64(np.float32(end)) - step * (count - 1 - index)
    return np.where(index < count // 2, forwards, backwards).astype(np.float32)


def _bitsandbytes_fp4() -> Levels:
    """FP4 E2M1 as in bitsandbytes, so that the codes are the same: the subnormal is 0.0625/12, not 1/12 as in the OCP
    format."""
    magnitudes = np.array([0.0, 0.0625, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0]) / 12
    return np.concatenate([-magnitudes[:0:-1], magnitudes])


def _fixed(levels: Levels) -> Levels:
    levels.flags.writeable = False
    return levels


FORMATS: dict[FormatId, Format] = {
    format_.id: format_
    for format_ in (
        Format(FormatId.NF4, "NF4", 4, _fixed(np.array(_NF4_PUBLISHED))),
        Format(FormatId.FP4_E2M1, "FP4 E2M1", 4, _fixed(_bitsandbytes_fp4())),
        Format(FormatId.FP4_E3M0, "FP4 E3M0", 4, _fixed(float_levels(3, 0))),
        Format(FormatId.INT4, "INT4", 4, _fixed(integer_levels(4))),
        Format(FormatId.INT4_AFFINE, "INT4 affine", 4, _fixed(np.linspace(0, 1, 16)), affine=True),
        Format(FormatId.INT8, "INT8", 8, _fixed(integer_levels(8))),
    )
}
