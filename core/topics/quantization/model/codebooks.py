"""The levels of a format over a histogram of weights: which level wins how many.

Weights are sorted once; a level then wins a stretch of them, and its ends are found without looking at every weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.checkpoint import coding
from core.checkpoint.coding import Blocks, Scales
from kernels.quantization.formats import FORMATS, FormatId

BINS = 256
ERROR_BINS = 120
ERROR_LIMIT = 0.3
ERROR_EDGES = np.linspace(-ERROR_LIMIT, ERROR_LIMIT, ERROR_BINS + 1)
EDGES = np.linspace(-1, 1, BINS + 1)

Counts = NDArray[np.int64]
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Codebook:
    """The levels of one format in [-1, 1] (for INT4 affine: from the block's minimum, -1, to its maximum, 1), ascending
    [levels]; `boundaries` [levels - 1]; `won` [levels] counts the weights that go to each; `errors` [ERROR_BINS] counts
    the errors over absmax between ERROR_EDGES, those beyond in the outermost."""

    format: FormatId
    levels: NDArray[np.float64]
    boundaries: NDArray[np.float64]
    won: Counts
    errors: Counts


@dataclass(frozen=True)
class Histogram:
    """Counts [BINS] between EDGES: weights over absmax, and their place between their block's minimum and maximum."""

    counts: Counts
    affine_counts: Counts


@dataclass(frozen=True)
class Sorted:
    """The weights of some blocks, blocks of zeros left out, each [weights]: `shares` of absmax, ascending; and `places`
    between their block's minimum (-1) and maximum (1), ascending, with the half of that range over absmax, `extents`.
    """

    shares: Values
    places: Values
    extents: Values


def sort(blocks: Blocks, absmax: Scales) -> Sorted:
    """Of blocks [blocks, block_size] and their absmax."""
    kept = absmax > 0
    blocks, absmax = blocks[kept], absmax[kept]
    if not len(blocks):
        return Sorted(*(np.empty(0, dtype=np.float32) for _ in range(3)))
    places = affine_places(blocks).ravel()
    order = np.argsort(places)
    extents = (blocks.max(axis=1) / 2 - blocks.min(axis=1) / 2) / absmax
    shares = np.sort(coding.shares_of(blocks, absmax).ravel())
    return Sorted(shares, places[order], extents[order // blocks.shape[1]])


def histogram(weights: Sorted) -> Histogram:
    return Histogram(_between_edges(weights.shares), _between_edges(weights.places))


def codebooks(formats: Iterable[FormatId], weights: Sorted) -> tuple[Codebook, ...]:
    """What each format does to the weights. A value half-way between two levels goes to the lower one."""
    return tuple(_codebook(name, weights) for name in formats)


def affine_places(blocks: Blocks) -> Blocks:
    """Each weight's place between its block's minimum (-1) and maximum (1); 0 in a block without extent."""
    lowest, highest = blocks.min(axis=1, keepdims=True), blocks.max(axis=1, keepdims=True)
    half = highest / 2 - lowest / 2
    middle = highest / 2 + lowest / 2
    places: Blocks = np.clip((blocks - middle) / np.where(half == 0, np.float32(1), half), -1, 1)
    return places


def _codebook(format_id: FormatId, weights: Sorted) -> Codebook:
    format_ = FORMATS[format_id]
    levels = format_.levels * 2 - 1 if format_.affine else format_.levels
    boundaries = (levels[1:] + levels[:-1]) / 2
    values = weights.places if format_.affine else weights.shares
    ends = np.searchsorted(values, boundaries.astype(np.float32), side="right")
    won = np.diff(ends, prepend=0, append=len(values)).astype(np.int64)
    errors = values - np.repeat(levels.astype(np.float32), won)
    if format_.affine:
        errors *= weights.extents
    return Codebook(format_id, levels, boundaries, won, _of_errors(errors))


def _between_edges(ascending: Values) -> Counts:
    inner = np.searchsorted(ascending, EDGES[1:-1].astype(np.float32))
    return np.diff(inner, prepend=0, append=len(ascending)).astype(np.int64)


def _of_errors(errors: Values) -> Counts:
    bins = (errors + np.float32(ERROR_LIMIT)) * np.float32(ERROR_BINS / (2 * ERROR_LIMIT))
    clipped = np.clip(bins, 0, ERROR_BINS - 1).astype(np.intp)
    return np.bincount(clipped, minlength=ERROR_BINS).astype(np.int64)
