"""The median error of a tensor's blocks: a figure that no single weight can improve.

The SNR of a whole tensor is a ratio of sums. One outlier adds its power to the signal and is restored exactly, so a
tensor that it ruins looks better than a clean one. The median over blocks counts the outlier's block as one of many.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.coding import Blocks, Scales, block_divisors

LOWEST_DB, HIGHEST_DB, STEP_DB = -120.0, 180.0, 0.1
_BINS = round((HIGHEST_DB - LOWEST_DB) / STEP_DB)
_RESOLVED = 1e-3

Counts = NDArray[np.int64]
"""Blocks by their SNR, [bins + 2]: the first bin holds lost blocks and those below LOWEST_DB, the last one blocks
without an error."""

NO_BLOCKS: Counts = np.zeros(_BINS + 2, dtype=np.int64)
NO_BLOCKS.flags.writeable = False


def no_blocks() -> Counts:
    """Counts of no blocks: one array for all, since most errors are of whole tensors and count none."""
    return NO_BLOCKS


def count_blocks(power: NDArray[np.float64], error: NDArray[np.float64], lost: int) -> Counts:
    """The blocks by SNR, and `lost` blocks. `power` and `error` are sums of squares, [blocks]; blocks of zeros do not
    count."""
    known = power > 0
    with np.errstate(divide="ignore"):
        snr = 10 * np.log10(power[known] / error[known])
    bins = np.clip((snr - LOWEST_DB) / STEP_DB + 1, 0, _BINS + 1).astype(np.intp)
    counts = np.bincount(bins, minlength=_BINS + 2)
    counts[0] += lost
    return counts


def median_db(counts: Counts) -> float:
    """The SNR that half of the blocks reach, interpolated inside a bin; NaN without blocks, -inf if half of them are
    lost, inf if half of them have no error."""
    total = int(counts.sum())
    if not total:
        return math.nan
    below = np.cumsum(counts)
    place = int(np.searchsorted(below, total / 2))
    if place in (0, _BINS + 1):
        return -math.inf if place == 0 else math.inf
    inside = (total / 2 - (int(below[place]) - int(counts[place]))) / int(counts[place])
    return LOWEST_DB + STEP_DB * (place - 1 + inside)


def fair_power(blocks: Blocks, normalized_squares: NDArray[np.floating], absmax: Scales) -> NDArray[np.float64]:
    """The power of each block, float64 [blocks], of which no weight has more than half.

    `normalized_squares` is the sum of squares over absmax squared. A weight with more than half of the power counts as
    much as the others together, so that an outlier cannot hide that the others are lost.
    """
    others = normalized_squares.astype(np.float64) - 1
    dominated = np.flatnonzero(others < 1)
    close = dominated[others[dominated] < _RESOLVED]  # float32 sums cannot tell the others from the rounding of 1
    if len(close):
        magnitudes = np.abs(blocks[close].astype(np.float64))
        magnitudes[np.arange(len(close)), magnitudes.argmax(axis=1)] = 0
        scale = block_divisors(absmax[close]).astype(np.float64)
        others[close] = np.einsum("ij,ij->i", magnitudes, magnitudes) / scale**2
    squares = normalized_squares.astype(np.float64)
    # A block with a single weight has no others: then that weight counts.
    squares[dominated] = np.where(others[dominated] > 0, 2 * others[dominated], squares[dominated])
    fair: NDArray[np.float64] = squares * block_divisors(absmax).astype(np.float64) ** 2
    return fair
