"""The levels of a format over a histogram of weights: how many weights go to each level.

Weights are sorted once. The weights of a level are then a contiguous stretch, whose ends are found by binary search.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.checkpoint import coding
from core.checkpoint.coding import Blocks, Scales
from core.contracts.archive import Array
from kernels.quantization.formats import FORMATS, FormatId

BINS = 256
ERROR_BINS = 120
ERROR_LIMIT = 0.3
ERROR_EDGES = np.linspace(-ERROR_LIMIT, ERROR_LIMIT, ERROR_BINS + 1)
EDGES = np.linspace(-1, 1, BINS + 1)

Counts = NDArray[np.int64]
Values = NDArray[np.float32]

_NOTHING = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Codebook:
    """The levels of one format over some weights.

    levels      float64 [levels] in [-1, 1], ascending: multiples of absmax; for INT4 affine from the block's minimum
                (-1) to its maximum (1)
    boundaries  float64 [levels - 1]: half-way between neighbouring levels
    won         int64 [levels]: how many weights go to each level
    errors      int64 [ERROR_BINS]: errors over absmax between ERROR_EDGES; errors beyond count in the outermost bins
    """

    format: FormatId
    levels: Array
    boundaries: Array
    won: Array
    errors: Array

    @classmethod
    def of_counts(cls, format_id: FormatId, won: Counts, errors: Counts) -> Codebook:
        format_ = FORMATS[format_id]
        levels = format_.levels * 2 - 1 if format_.affine else format_.levels
        return cls(format_id, levels, (levels[1:] + levels[:-1]) / 2, won, errors)

    def __add__(self, other: Codebook) -> Codebook:
        return replace(self, won=self.won + other.won, errors=self.errors + other.errors)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts int64 [BINS] of weights between `edges`, float64 [BINS + 1] from -1 to 1.

    counts         of weights divided by their block's absmax
    affine_counts  of weights by their position between their block's minimum (-1) and maximum (1)
    """

    edges: Array
    counts: Array
    affine_counts: Array

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(self.edges, self.counts + other.counts, self.affine_counts + other.affine_counts)

    def shares(self, *, affine: bool) -> NDArray[np.float64]:
        """The share of the weights in each bin, float64 [BINS]; zeros if no weights were counted."""
        counts = self.affine_counts if affine else self.counts
        shares: NDArray[np.float64] = counts / max(1, int(counts.sum()))
        return shares


@dataclass(frozen=True)
class SortedWeights:
    """The weights of some blocks without blocks of zeros; each array is [weights].

    normalized        divided by absmax, ascending
    affine_positions  position between the block's minimum (-1) and maximum (1), ascending
    half_ranges       half of that range over absmax, in the order of `affine_positions`
    """

    normalized: Values
    affine_positions: Values
    half_ranges: Values


def sort_weights(blocks: Blocks, absmax: Scales) -> SortedWeights:
    """Sort the weights of blocks [blocks, block_size] with their absmax."""
    kept = absmax > 0
    blocks, absmax = blocks[kept], absmax[kept]
    if not len(blocks):
        return SortedWeights(*(np.empty(0, dtype=np.float32) for _ in range(3)))
    affine_positions = normalize_affine(blocks).ravel()
    order = np.argsort(affine_positions)
    half_ranges = (blocks.max(axis=1) / 2 - blocks.min(axis=1) / 2) / absmax
    normalized = np.sort(coding.normalize(blocks, absmax).ravel())
    return SortedWeights(normalized, affine_positions[order], half_ranges[order // blocks.shape[1]])


def histogram(weights: SortedWeights) -> Histogram:
    return Histogram(EDGES, _count_weights(weights.normalized), _count_weights(weights.affine_positions))


def codebooks(formats: Iterable[FormatId], weights: SortedWeights) -> dict[str, Codebook]:
    """The codebook of each format over the weights, by id. A value half-way between two levels goes to the lower."""
    return {name.value: _codebook(name, weights) for name in formats}


def normalize_affine(blocks: Blocks) -> Blocks:
    """Each weight's position between its block's minimum (-1) and maximum (1); 0 in a block of equal weights."""
    lowest, highest = blocks.min(axis=1, keepdims=True), blocks.max(axis=1, keepdims=True)
    half = highest / 2 - lowest / 2
    middle = highest / 2 + lowest / 2
    affine_positions: Blocks = np.clip((blocks - middle) / np.where(half == 0, np.float32(1), half), -1, 1)
    return affine_positions


def _codebook(format_id: FormatId, weights: SortedWeights) -> Codebook:
    book = Codebook.of_counts(format_id, *_NOTHING)
    values = weights.affine_positions if FORMATS[format_id].affine else weights.normalized
    ends = np.searchsorted(values, book.boundaries.astype(np.float32), side="right")
    won = np.diff(ends, prepend=0, append=len(values)).astype(np.int64)
    errors = values - np.repeat(book.levels.astype(np.float32), won)
    if FORMATS[format_id].affine:
        errors *= weights.half_ranges
    return replace(book, won=won, errors=_count_errors(errors))


def _count_weights(ascending: Values) -> Counts:
    inner = np.searchsorted(ascending, EDGES[1:-1].astype(np.float32))
    return np.diff(inner, prepend=0, append=len(ascending)).astype(np.int64)


def _count_errors(errors: Values) -> Counts:
    bins = (errors + np.float32(ERROR_LIMIT)) * np.float32(ERROR_BINS / (2 * ERROR_LIMIT))
    clipped = np.clip(bins, 0, ERROR_BINS - 1).astype(np.intp)
    return np.bincount(clipped, minlength=ERROR_BINS).astype(np.int64)
