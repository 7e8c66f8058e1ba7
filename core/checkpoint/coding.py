"""Blocks of weights to the nearest level of a format and back, in numpy: for reports of billions of weights, and for
pictures that follow a slider.

The rule is that of bitsandbytes' 4-bit quantization, in float32 and to the last bit. A block's scale is its largest
magnitude (absmax); its values times 1 / absmax go to the nearest level, half-way ones to the lower. What is left of a
tensor over whole blocks, its tail, is divided by absmax instead. 1e-38 stands in for an absmax below it: as divisor,
and in a tail as absmax too.

What costs time is finding the nearest of 16 levels. A table over [-1, 1] answers it: each of its cells is narrower
than any gap between boundaries, so it knows the level, or that a boundary is near; those few values are searched for.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.quantization.formats import FORMATS, FormatId
from kernels.quantization.tables import SCALE_GRID_STEPS, SMALLEST_ABSMAX, scale_tables

_CELLS = 1 << 14
_SCALES_AT_ONCE = 1 << 18
_EXACT_RECIPROCALS = np.float32(2.0**126)
_LEAST_SQUARES, _MOST_SQUARES = 1e-25, 1e30

Blocks = NDArray[np.float32]
"""float32 [blocks, block_size]: finite values that share a scale by row."""

Scales = NDArray[np.float32]

Cells = NDArray[np.intp]
"""The cell of the tables in which each value lies, [blocks, block_size]."""


@dataclass(frozen=True)
class Coder:
    """The levels of a format, the boundaries half-way between them, and the level of each cell: NaN where a boundary
    is near. All float32."""

    levels: NDArray[np.float32]
    boundaries: NDArray[np.float32]
    by_cell: NDArray[np.float32]

    def nearest(self, shares: Blocks, cells: Cells, out: Blocks) -> Blocks:
        """The level nearest to each of `shares`, which lie in `cells`, written into `out`."""
        np.take(self.by_cell, cells, mode="clip", out=out)
        undecided = np.flatnonzero(np.isnan(out))
        out.reshape(-1)[undecided] = self.searched(shares.reshape(-1)[undecided])
        return out

    def searched(self, shares: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same without the table."""
        nearest: NDArray[np.float32] = self.levels[np.searchsorted(self.boundaries, shares)]
        return nearest


class Scratch(threading.local):
    """Arrays of each thread that are used again and again: fresh ones cost more than the arithmetic on them."""

    def __init__(self) -> None:
        self._cells = np.empty(0, dtype=np.intp)
        self._floats = [np.empty(0, dtype=np.float32) for _ in range(4)]

    def cells(self, shape: tuple[int, ...]) -> Cells:
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
    levels = FORMATS[format_id].levels.astype(np.float32)
    boundaries = (levels[1:] + levels[:-1]) / np.float32(2)
    edges = np.linspace(-1, 1, _CELLS + 1)
    # A cell reaches to the next edge and, as cells are found in float32, a little to either side.
    reach = 1e-6
    below = np.searchsorted(boundaries, edges - reach)
    above = np.searchsorted(boundaries, edges + 2 / _CELLS + reach)
    return Coder(levels, boundaries, np.where(below == above, levels[below], np.float32(np.nan)))


def absmax_of(blocks: Blocks, tail: bool = False) -> Scales:
    """The largest magnitude of each block, float32 [blocks]; NaN or infinite where the block holds such a value.
    `tail` says that this is what is left of a tensor over whole blocks."""
    absmax = largest_by_row(np.abs(blocks))
    return np.maximum(absmax, SMALLEST_ABSMAX) if tail else absmax


def largest_by_row(values: NDArray[Any]) -> NDArray[Any]:
    """The maximum of each row."""
    return _folded(np.maximum, values)


def divisors_of(absmax: Scales) -> Scales:
    """What the values of each block are divided by."""
    return np.maximum(absmax, SMALLEST_ABSMAX)


def shares_of(blocks: Blocks, absmax: Scales, out: Blocks | None = None, tail: bool = False) -> Blocks:
    """The blocks over their absmax: in [-1, 1]; zeros for a block of zeros."""
    divisors = divisors_of(absmax)[:, None]
    if tail:
        return np.divide(blocks, divisors, out=out)
    shares = np.multiply(blocks, 1 / divisors, out=out)
    if absmax.max(initial=0) > _EXACT_RECIPROCALS:  # their reciprocals are subnormal, with fewer bits
        np.clip(shares, -1, 1, out=shares)
    return shares


def cells_of(shares: Blocks, cells: Cells, between: Blocks) -> Cells:
    """The cell of each value, written into `cells`; `between` is written over."""
    half = np.float32(_CELLS / 2)
    np.multiply(shares, half, out=between)
    return np.add(between, half, out=cells, casting="unsafe")


def codebook_errors(blocks: Blocks, shares: Blocks, cells: Cells, scales: Scales, format_id: FormatId) -> BlockErrors:
    """The errors of a codebook format on blocks, whose `shares_of` absmax lie in `cells`.

    Levels are chosen with absmax and read with `scales`, [blocks]: absmax itself, or what was kept of it where scales
    are quantized too.
    """
    restored = coder(format_id).nearest(shares, cells, _scratch.floats(0, shares.shape))
    restored *= scales[:, None]
    return _errors(np.subtract(blocks, restored, out=restored))


def affine_errors(blocks: Blocks, levels: int = 16) -> BlockErrors:
    """The errors of even levels from each block's minimum to its maximum."""
    places, step, _ = _affine_places(blocks, levels)
    nearest = np.rint(places, out=_scratch.floats(0, places.shape))
    np.subtract(places, nearest, out=places)
    return _errors(np.multiply(places, step, out=places))


def restored_weights(weights: NDArray[np.float32], format_id: FormatId, block_size: int, nested_block: int) -> Scales:
    """What a format gives back of the finite weights of one tensor, float32 [elements]; `nested_block` 0 leaves the
    scales in float32."""
    whole = len(weights) - len(weights) % block_size
    blocks, tail = weights[:whole].reshape(-1, block_size), weights[whole:].reshape(1, -1)
    if FORMATS[format_id].affine:
        return np.concatenate([_restored_affine(part).ravel() for part in (blocks, tail) if part.size])
    scales, shares = absmax_of(blocks), np.empty_like(weights)
    shares_of(blocks, scales, shares[:whole].reshape(blocks.shape))
    if tail.size:
        of_tail = absmax_of(tail, tail=True)
        shares[whole:] = shares_of(tail, of_tail, tail=True)
        scales = np.append(scales, of_tail)
    restored = np.empty_like(shares)
    cells = cells_of(shares, np.empty(shares.shape, dtype=np.intp), restored)
    coder(format_id).nearest(shares, cells, restored)
    kept = restored_scales(scales, nested_block) if nested_block else scales
    restored *= np.repeat(kept, block_size)[: len(weights)]
    return restored


def restored_scales(absmax: Scales, nested_block: int, out: Scales | None = None) -> Scales:
    """What double quantization gives back of all the scales of one tensor, float32 [blocks]; `out` may be `absmax`.

    As in bitsandbytes: the mean is taken off, the rest goes to 8-bit dynamic levels in blocks of `nested_block`.
    """
    restored = np.empty_like(absmax) if out is None else out
    for part, _, of_part in _quantized_scales(absmax, nested_block):
        restored[part] = of_part
    return restored


def quantized_scales(absmax: Scales, nested_block: int) -> tuple[NDArray[np.uint8], Scales]:
    """The 8-bit codes of the scales, and what they give back, both [blocks]."""
    codes, restored = np.empty(len(absmax), dtype=np.uint8), np.empty_like(absmax)
    for part, codes_of_part, of_part in _quantized_scales(absmax, nested_block):
        codes[part], restored[part] = codes_of_part, of_part
    return codes, restored


def _quantized_scales(absmax: Scales, nested_block: int) -> Iterator[tuple[slice, NDArray[np.intp], Scales]]:
    """Some groups of scales at once: where they are, their codes, and what these give back.

    By the rule of `kernels.quantization.tables`, but that the mean is rounded once: bitsandbytes' and torch's is a
    float32 sum, whose order depends on the threads.
    """
    offset = np.float32(absmax.mean(dtype=np.float64))
    levels, boundaries = scale_tables().levels, scale_tables().boundaries
    at_once = _SCALES_AT_ONCE - _SCALES_AT_ONCE % nested_block
    for begin in range(0, len(absmax), at_once):
        part = absmax[begin : begin + at_once] - offset
        rows = np.zeros((-(-len(part) // nested_block), nested_block), dtype=np.float32)
        rows.ravel()[: len(part)] = part
        largest = absmax_of(rows)
        codes = np.searchsorted(boundaries, _on_the_grid(shares_of(rows, largest)))
        codes[largest == 0] = 0
        with np.errstate(over="ignore"):
            restored = (levels[codes] * largest[:, None]).ravel()[: len(part)] + offset
        np.minimum(restored, np.finfo(np.float32).max, out=restored)  # the sum may round to beyond it
        yield slice(begin, begin + len(part)), codes.ravel()[: len(part)], restored


def _on_the_grid(shares: Blocks) -> Blocks:
    """The nearest of the even places from -1 to 1 at which bitsandbytes' CPU build looks codes of scales up."""
    half, steps = np.float32(0.5), np.float32(SCALE_GRID_STEPS)
    places = ((shares + np.float32(1)) * half * steps + half).astype(np.int32)
    return np.float32(2) * places.astype(np.float32) / steps - np.float32(1)


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


def _errors(difference: Blocks) -> BlockErrors:
    largest = max(float(difference.max(initial=0)), -float(difference.min(initial=0)))
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", difference, difference).astype(np.float64)
    beyond_float32 = np.flatnonzero((squares < _LEAST_SQUARES) | (squares > _MOST_SQUARES))
    if len(beyond_float32):
        wide = difference[beyond_float32].astype(np.float64)
        squares[beyond_float32] = np.einsum("ij,ij->i", wide, wide)
    return BlockErrors(squares, largest)


def _folded(reduce: Any, blocks: NDArray[Any]) -> NDArray[Any]:
    """`reduce` by row. Halves are combined first, and the rest down columns: numpy is slow along a short last axis."""
    width = blocks.shape[1]
    while width > 8 and width % 2 == 0:
        width //= 2
        blocks = reduce(blocks[:, :width], blocks[:, width:])
    folded: NDArray[Any] = reduce.reduce(np.ascontiguousarray(blocks.T), axis=0)
    return folded


_scratch = Scratch()
