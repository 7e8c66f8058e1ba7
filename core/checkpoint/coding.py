"""Blocks of weights to the nearest level of a format and back, in numpy: for reports of billions of weights, and for
pictures that follow a slider.

What costs time is finding the nearest of 16 levels. A table over [-1, 1] answers it: each of its cells is narrower
than any gap between boundaries, so it knows the one level that can be nearest, or the two and the boundary between
them.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.quantization.formats import FORMATS, Format, FormatId, dynamic_levels

_CELLS = 1 << 12

Blocks = NDArray[np.float32]
"""float32 [blocks, block_size]: finite values that share a scale by row."""

Scales = NDArray[np.float32]


@dataclass(frozen=True)
class Coder:
    """The tables of a format, each float32 [_CELLS + 1]: the level below, the one above, the boundary and the
    difference between them; the same level twice where only one can be nearest."""

    format: Format
    below: NDArray[np.float32]
    above: NDArray[np.float32]
    boundary: NDArray[np.float32]
    step: NDArray[np.float32]

    def nearest(self, shares: Blocks, scratch: Scratch) -> Blocks:
        """The level nearest to each value of `shares`, which lie in [-1, 1]; half-way values go to the lower one. In
        `scratch`, until it is used again."""
        cell, found = scratch.cells(shares.shape), scratch.floats(0, shares.shape)
        other = scratch.floats(1, shares.shape)
        _cells(shares, cell, other)
        beyond = shares > np.take(self.boundary, cell, mode="clip", out=other)
        np.take(self.below, cell, mode="clip", out=found)
        np.multiply(np.take(self.step, cell, mode="clip", out=other), beyond, out=other)
        return np.add(found, other, out=found)

    def distances(self, shares: Blocks, scratch: Scratch) -> Blocks:
        """How far the nearest level is from each value of `shares`; in `scratch`, until it is used again."""
        cell, near, far = scratch.cells(shares.shape), scratch.floats(0, shares.shape), scratch.floats(1, shares.shape)
        _cells(shares, cell, near)
        for level, found in ((self.below, near), (self.above, far)):
            np.take(level, cell, mode="clip", out=found)
            np.subtract(shares, found, out=found)
            np.abs(found, out=found)
        return np.minimum(near, far, out=near)


class Scratch(threading.local):
    """Arrays of each thread that are used again and again: fresh ones cost more than the arithmetic on them."""

    def __init__(self) -> None:
        self._cells = np.empty(0, dtype=np.intp)
        self._floats = [np.empty(0, dtype=np.float32) for _ in range(4)]

    def cells(self, shape: tuple[int, ...]) -> NDArray[np.intp]:
        if self._cells.size < math.prod(shape):
            self._cells = np.empty(math.prod(shape), dtype=np.intp)
        return self._cells[: math.prod(shape)].reshape(shape)

    def floats(self, index: int, shape: tuple[int, ...]) -> Blocks:
        """One of four."""
        size = math.prod(shape)
        if self._floats[index].size < size:
            self._floats[index] = np.empty(size, dtype=np.float32)
        return self._floats[index][:size].reshape(shape)


@dataclass(frozen=True)
class BlockErrors:
    """The sum of (x - restored x)² by block, float64 [blocks], and the largest |x - restored x| of all."""

    squares: NDArray[np.float64]
    largest: float


@cache
def coder(format_id: FormatId) -> Coder:
    """The tables of a codebook format (not of the affine one, which needs none)."""
    format_ = FORMATS[format_id]
    levels, boundaries = format_.levels.astype(np.float32), format_.boundaries.astype(np.float32)
    edges = np.linspace(-1, 1, _CELLS + 1, dtype=np.float64)
    # A cell reaches to the next edge and, as cells are found in float32, a little to either side.
    reach = 1e-6
    below = np.searchsorted(boundaries, edges - reach)
    above = np.searchsorted(boundaries, edges + 2 / _CELLS + reach)
    if (above - below).max() > 1:
        raise ValueError(f"{format_.label} has levels too close for a table of {_CELLS} cells")
    boundary = np.concatenate([boundaries, [np.float32(np.inf)]])[below]
    return Coder(format_, levels[below], levels[above], boundary, levels[above] - levels[below])


def absmax_of(blocks: Blocks) -> Scales:
    """The largest magnitude of each block, float32 [blocks]; NaN or infinite where the block holds such a value."""
    return largest_by_row(np.abs(blocks))


def largest_by_row(values: NDArray[Any]) -> NDArray[Any]:
    """The maximum of each row."""
    return _folded(np.maximum, values)


def shares_of(blocks: Blocks, absmax: Scales, out: Blocks | None = None) -> Blocks:
    """The blocks over their absmax: in [-1, 1]; zeros for a block of zeros."""
    divisor = np.where(absmax == 0, np.float32(1), absmax)
    return np.divide(blocks, divisor[:, None], out=out)


def codebook_errors(shares: Blocks, absmax: Scales, format_id: FormatId, ratio: Scales | None = None) -> BlockErrors:
    """The errors of a codebook format on `shares_of(blocks, absmax)`.

    `ratio` is the restored scale over absmax, [blocks], where scales are quantized too: codes are chosen with absmax,
    and read with what was kept of it.
    """
    if ratio is None:
        difference = coder(format_id).distances(shares, _scratch)
    else:
        difference = coder(format_id).nearest(shares, _scratch)
        difference *= ratio[:, None]
        np.subtract(shares, difference, out=difference)
        np.abs(difference, out=difference)
    return _errors(difference, np.where(absmax == 0, np.float32(1), absmax))


def affine_errors(blocks: Blocks, levels: int = 16) -> BlockErrors:
    """The errors of even levels from each block's minimum to its maximum."""
    places, step, _ = _affine_places(blocks, levels)
    nearest = np.rint(places, out=_scratch.floats(0, places.shape))
    np.subtract(places, nearest, out=places)
    return _errors(np.abs(places, out=places), step[:, 0])


def restored_weights(weights: NDArray[np.float32], format_id: FormatId, block_size: int, nested_block: int) -> Scales:
    """What a format gives back of the finite weights of one tensor, float32 [elements]; `nested_block` 0 leaves the
    scales in float32."""
    whole = len(weights) - len(weights) % block_size
    parts = [weights[:whole].reshape(-1, block_size), weights[whole:].reshape(1, -1)]
    parts = [part for part in parts if part.size]
    if FORMATS[format_id].affine:
        return np.concatenate([_restored_affine(part).ravel() for part in parts])
    absmax = [absmax_of(part) for part in parts]
    scales = np.concatenate(absmax)
    kept = restored_scales(scales, nested_block) if nested_block else scales
    nearest = coder(format_id).nearest
    levels = [nearest(shares_of(*pair), Scratch()).ravel() for pair in zip(parts, absmax, strict=True)]
    return np.concatenate(levels) * np.repeat(kept, block_size)[: len(weights)]


def restored_scales(absmax: Scales, nested_block: int) -> Scales:
    """What double quantization gives back of all the scales of one tensor, float32 [blocks].

    As in bitsandbytes: the mean is taken off, the rest goes to 8-bit dynamic levels in blocks of `nested_block`.
    """
    return quantized_scales(absmax, nested_block)[1]


def quantized_scales(absmax: Scales, nested_block: int) -> tuple[NDArray[np.uint8], Scales]:
    """The 8-bit codes of the scales, and what they give back, both [blocks]."""
    offset = np.float32(absmax.mean(dtype=np.float64))
    count = len(absmax)
    padded = np.zeros(-(-count // nested_block) * nested_block, dtype=np.float32)
    padded[:count] = absmax - offset
    rows = padded.reshape(-1, nested_block)
    largest = absmax_of(rows)
    levels = dynamic_levels().astype(np.float32)
    codes = np.searchsorted((levels[1:] + levels[:-1]) / 2, shares_of(rows, largest)).astype(np.uint8)
    restored: Scales = (levels[codes] * largest[:, None]).ravel()[:count] + offset
    return codes.ravel()[:count], restored


def _affine_places(blocks: Blocks, levels: int = 16) -> tuple[Blocks, Blocks, Blocks]:
    """Where each value lies between the levels of its block (0 to levels - 1); the step and the lowest, [blocks, 1]."""
    lowest = _folded(np.minimum, blocks)[:, None]
    step = _folded(np.maximum, blocks)[:, None] / np.float32(levels - 1) - lowest / np.float32(levels - 1)
    step[step == 0] = 1
    half = np.float32(0.5)  # the whole range may be beyond float32
    places = np.multiply(blocks, half, out=_scratch.floats(1, blocks.shape))
    np.subtract(places, lowest * half, out=places)
    np.divide(places, step * half, out=places)
    return places, step.astype(np.float32, copy=False), lowest


def _restored_affine(blocks: Blocks) -> Blocks:
    places, step, lowest = _affine_places(blocks)
    restored: Blocks = np.rint(places) * step + lowest
    return restored


def _cells(shares: Blocks, cells: NDArray[np.intp], between: Blocks) -> NDArray[np.intp]:
    """The cell of the tables for each value, written into `cells`; `between` is written over."""
    half = np.float32(_CELLS / 2)
    np.multiply(shares, half, out=between)
    return np.add(between, half, out=cells, casting="unsafe")


def _errors(distance: Blocks, scale: Scales) -> BlockErrors:
    """From distances in units of `scale`, which are written over."""
    squares = np.einsum("ij,ij->i", distance, distance).astype(np.float64)
    with np.errstate(over="ignore"):
        np.multiply(distance, scale[:, None], out=distance)
    return BlockErrors(squares * scale.astype(np.float64) ** 2, float(distance.max(initial=0)))


def _folded(reduce: Any, blocks: NDArray[Any]) -> NDArray[Any]:
    """`reduce` by row. Halves are combined first, and the rest down columns: numpy is slow along a short last axis."""
    width = blocks.shape[1]
    while width > 8 and width % 2 == 0:
        width //= 2
        blocks = reduce(blocks[:, :width], blocks[:, width:])
    folded: NDArray[Any] = reduce.reduce(np.ascontiguousarray(blocks.T), axis=0)
    return folded


_scratch = Scratch()
