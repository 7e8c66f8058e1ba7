"""The levels of a format over a histogram of weights: which level wins how many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.checkpoint import coding
from core.checkpoint.coding import Blocks, Scales
from kernels.quantization.formats import FORMATS, FormatId

BINS = 256
ERROR_BINS = 120
ERROR_EDGES = np.linspace(-0.3, 0.3, ERROR_BINS + 1)
EDGES = np.linspace(-1, 1, BINS + 1)

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Codebook:
    """The levels of one format in [-1, 1] (for INT4 affine: from the block's minimum, -1, to its maximum, 1), ascending
    [levels]; `boundaries` [levels - 1]; `won` [levels] counts the weights that go to each; `errors` [ERROR_BINS] counts
    the errors over absmax between ERROR_EDGES."""

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


def histogram(blocks: Blocks, absmax: Scales) -> Histogram:
    """Of blocks [blocks, block_size]; blocks of zeros are left out."""
    kept = absmax > 0
    shares = coding.shares_of(blocks[kept], absmax[kept])
    return Histogram(_counted(shares, EDGES), _counted(affine_places(blocks[kept]), EDGES))


def codebook(format_id: FormatId, blocks: Blocks, absmax: Scales) -> Codebook:
    """What the format does to blocks [blocks, block_size]; blocks of zeros are left out."""
    kept = absmax > 0
    blocks, absmax = blocks[kept], absmax[kept]
    format_ = FORMATS[format_id]
    if format_.affine:
        levels = format_.levels * 2 - 1
        places = affine_places(blocks)
        extent = (blocks.max(axis=1) - blocks.min(axis=1)) / 2 / absmax
    else:
        levels, places, extent = format_.levels, coding.shares_of(blocks, absmax), np.ones_like(absmax)
    boundaries = (levels[1:] + levels[:-1]) / 2
    codes = np.searchsorted(boundaries.astype(np.float32), places)
    errors = (places - levels.astype(np.float32)[codes]) * extent[:, None]
    clipped = np.clip(errors, ERROR_EDGES[0], ERROR_EDGES[-1])
    won = np.bincount(codes.ravel(), minlength=len(levels))
    return Codebook(format_id, levels, boundaries, won, _counted(clipped, ERROR_EDGES))


def affine_places(blocks: Blocks) -> Blocks:
    """Each weight's place between its block's minimum (-1) and maximum (1); 0 in a block without extent."""
    lowest, highest = blocks.min(axis=1, keepdims=True), blocks.max(axis=1, keepdims=True)
    half = highest / 2 - lowest / 2
    middle = highest / 2 + lowest / 2
    places: Blocks = np.clip((blocks - middle) / np.where(half == 0, np.float32(1), half), -1, 1)
    return places


def _counted(values: Blocks, edges: NDArray[np.float64]) -> Counts:
    return np.histogram(values, edges)[0].astype(np.int64)
