"""Quantizes blocks of weights to the nearest level of a format and back, in numpy: fast enough for reports of billions
of weights, and for pictures that follow a slider.

The rule is that of bitsandbytes' 4-bit quantization, in float32 and equal to the bit. A block's scale is its largest
magnitude (absmax). Its values are multiplied by 1 / absmax and go to the nearest level; a value half-way between two
levels goes to the lower one. The tail of a tensor, which is shorter than a block, is divided by absmax instead. An
absmax below 1e-38 is replaced by 1e-38: as the divisor, and in a tail as absmax too.

Finding the nearest of 16 levels is what costs time. A table over [-1, 1] speeds it up: each of its cells is narrower
than any gap between boundaries. A cell therefore holds its level, or NaN where a boundary is near; only those few
values need a binary search.
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

_CELL_COUNT = 1 << 14
_MAX_SCALES_PER_STEP = 1 << 18
_LARGEST_EXACT_RECIPROCAL = np.float32(2.0**126)
_MIN_FLOAT32_SQUARES, _MAX_FLOAT32_SQUARES = 1e-25, 1e30

Blocks = NDArray[np.float32]
"""float32 [blocks, block_size]: finite values; each row shares a scale."""

Scales = NDArray[np.float32]

Cells = NDArray[np.intp]
"""The table cell of each value, [blocks, block_size]."""


@dataclass(frozen=True)
class Coder:
    """Tables of one format, all float32: its levels, the boundaries half-way between them, and the level of each cell
    (NaN where a boundary is near)."""

    levels: NDArray[np.float32]
    boundaries: NDArray[np.float32]
    by_cell: NDArray[np.float32]

    def nearest(self, normalized: Blocks, cells: Cells, out: Blocks) -> Blocks:
        """Write the level nearest to each value of `normalized` into `out`. `cells` are the cells of these values."""
        np.take(self.by_cell, cells, mode="clip", out=out)
        undecided = np.flatnonzero(np.isnan(out))
        out.reshape(-1)[undecided] = self.nearest_by_search(normalized.reshape(-1)[undecided])
        return out

    def nearest_by_search(self, normalized: NDArray[np.float32]) -> NDArray[np.float32]:
        """The nearest level of each value by binary search, without the table."""
        nearest: NDArray[np.float32] = self.levels[np.searchsorted(self.boundaries, normalized)]
        return nearest


class Scratch(threading.local):
    """Buffers that each thread uses again and again: allocating new arrays costs more than the arithmetic on them."""

    def __init__(self) -> None:
        self._cells = np.empty(0, dtype=np.intp)
        self._floats = [np.empty(0, dtype=np.float32) for _ in range(4)]

    def cells(self, shape: tuple[int, ...]) -> Cells:
        if self._cells.size < math.prod(shape):
            self._cells = np.empty(math.prod(shape), dtype=np.intp)
        return self._cells[: math.prod(shape)].reshape(shape)

    def floats(self, index: int, shape: tuple[int, ...]) -> Blocks:
        """The float buffer `index`, 0 to 3."""
        size = math.prod(shape)
        if self._floats[index].size < size:
            self._floats[index] = np.empty(size, dtype=np.float32)
        return self._floats[index][:size].reshape(shape)


@dataclass(frozen=True)
class BlockErrors:
    """The sum of (x - restored x)² per block, float64 [blocks], and the largest |x - restored x| of all blocks."""

    squares: NDArray[np.float64]
    largest: float


@cache
def coder(format_id: FormatId) -> Coder:
    """The tables of a codebook format. The affine format needs none."""
    levels = FORMATS[format_id].levels.astype(np.float32)
    boundaries = (levels[1:] + levels[:-1]) / np.float32(2)
    edges = np.linspace(-1, 1, _CELL_COUNT + 1)
    # Cells are found in float32, so a value may lie a little outside of the cell's edges.
    reach = 1e-6
    below = np.searchsorted(boundaries, edges - reach)
    above = np.searchsorted(boundaries, edges + 2 / _CELL_COUNT + reach)
    return Coder(levels, boundaries, np.where(below == above, levels[below], np.float32(np.nan)))


def absmax_of(blocks: Blocks, tail: bool = False) -> Scales:
    """The largest magnitude of each block, float32 [blocks]; NaN or inf where the block holds such a value.
    `tail` says that the block is the tail of a tensor, shorter than the others."""
    absmax = largest_by_row(np.abs(blocks))
    return np.maximum(absmax, SMALLEST_ABSMAX) if tail else absmax


def largest_by_row(values: NDArray[Any]) -> NDArray[Any]:
    """The maximum of each row."""
    return _reduce_rows(np.maximum, values)


def block_divisors(absmax: Scales) -> Scales:
    """The divisor of each block's values: absmax, at least 1e-38."""
    return np.maximum(absmax, SMALLEST_ABSMAX)


def normalize(blocks: Blocks, absmax: Scales, out: Blocks | None = None, tail: bool = False) -> Blocks:
    """The blocks divided by their absmax: values in [-1, 1]; zeros for a block of zeros."""
    divisors = block_divisors(absmax)[:, None]
    if tail:
        return np.divide(blocks, divisors, out=out)
    normalized = np.multiply(blocks, 1 / divisors, out=out)
    if absmax.max(initial=0) > _LARGEST_EXACT_RECIPROCAL:  # their reciprocals are subnormal, with fewer bits
        np.clip(normalized, -1, 1, out=normalized)
    return normalized


def find_cells(normalized: Blocks, cells: Cells, scratch: Blocks) -> Cells:
    """Write the cell of each value into `cells`. The contents of `scratch` are overwritten."""
    half = np.float32(_CELL_COUNT / 2)
    np.multiply(normalized, half, out=scratch)
    return np.add(scratch, half, out=cells, casting="unsafe")


def codebook_errors(
    blocks: Blocks, normalized: Blocks, cells: Cells, scales: Scales, format_id: FormatId
) -> BlockErrors:
    """The errors of a codebook format on blocks. `cells` are the cells of their `normalized` values.

    Levels are chosen with absmax and read with `scales`, [blocks]: absmax itself, or what was kept of it where scales
    are quantized too.
    """
    restored = coder(format_id).nearest(normalized, cells, _scratch.floats(0, normalized.shape))
    restored *= scales[:, None]
    return _errors(np.subtract(blocks, restored, out=restored))


def affine_errors(blocks: Blocks, levels: int = 16) -> BlockErrors:
    """The errors of evenly spaced levels from each block's minimum to its maximum."""
    positions, step, _ = _affine_positions(blocks, levels)
    nearest = np.rint(positions, out=_scratch.floats(0, positions.shape))
    np.subtract(positions, nearest, out=positions)
    return _errors(np.multiply(positions, step, out=positions))


def restored_weights(weights: NDArray[np.float32], format_id: FormatId, block_size: int, nested_block: int) -> Scales:
    """The finite weights of one tensor, quantized and dequantized, float32 [elements]. With `nested_block` 0 the scales
    stay in float32."""
    whole = len(weights) - len(weights) % block_size
    blocks, tail = weights[:whole].reshape(-1, block_size), weights[whole:].reshape(1, -1)
    if FORMATS[format_id].affine:
        return np.concatenate([_restored_affine(part).ravel() for part in (blocks, tail) if part.size])
    scales, normalized = absmax_of(blocks), np.empty_like(weights)
    normalize(blocks, scales, normalized[:whole].reshape(blocks.shape))
    if tail.size:
        of_tail = absmax_of(tail, tail=True)
        normalized[whole:] = normalize(tail, of_tail, tail=True)
        scales = np.append(scales, of_tail)
    restored = np.empty_like(normalized)
    cells = find_cells(normalized, np.empty(normalized.shape, dtype=np.intp), restored)
    coder(format_id).nearest(normalized, cells, restored)
    kept = restored_scales(scales, nested_block) if nested_block else scales
    restored *= np.repeat(kept, block_size)[: len(weights)]
    return restored


def restored_scales(absmax: Scales, nested_block: int, out: Scales | None = None) -> Scales:
    """All scales of one tensor after double quantization, float32 [blocks]. `out` may be `absmax`.

    As in bitsandbytes: the mean is subtracted, the rest goes to 8-bit dynamic levels in blocks of `nested_block`.
    """
    restored = np.empty_like(absmax) if out is None else out
    for part, _, of_part in _quantized_scales(absmax, nested_block):
        restored[part] = of_part
    return restored


def quantized_scales(absmax: Scales, nested_block: int) -> tuple[NDArray[np.uint8], Scales]:
    """The 8-bit codes of the scales, and the restored scales, both [blocks]."""
    codes, restored = np.empty(len(absmax), dtype=np.uint8), np.empty_like(absmax)
    for part, codes_of_part, of_part in _quantized_scales(absmax, nested_block):
        codes[part], restored[part] = codes_of_part, of_part
    return codes, restored


def _quantized_scales(absmax: Scales, nested_block: int) -> Iterator[tuple[slice, NDArray[np.intp], Scales]]:
    """Yields some groups of scales at a time: their slice, their codes and the restored scales.

    The rule is that of `kernels.quantization.tables`, except that the mean is rounded once: bitsandbytes and torch sum
    in float32, in an order that depends on the threads.
    """
    offset = np.float32(absmax.mean(dtype=np.float64))
    levels, boundaries = scale_tables().levels, scale_tables().boundaries
    step_scales = _MAX_SCALES_PER_STEP - _MAX_SCALES_PER_STEP % nested_block
    for begin in range(0, len(absmax), step_scales):
        part = absmax[begin : begin + step_scales] - offset
        rows = np.zeros((-(-len(part) // nested_block), nested_block), dtype=np.float32)
        rows.ravel()[: len(part)] = part
        largest = absmax_of(rows)
        codes = np.searchsorted(boundaries, _snap_to_grid(normalize(rows, largest)))
        codes[largest == 0] = 0
        with np.errstate(over="ignore"):
            restored = (levels[codes] * largest[:, None]).ravel()[: len(part)] + offset
        np.minimum(restored, np.finfo(np.float32).max, out=restored)  # the sum may overflow by rounding
        yield slice(begin, begin + len(part)), codes.ravel()[: len(part)], restored


def _snap_to_grid(normalized: Blocks) -> Blocks:
    """Round to the evenly spaced grid from -1 to 1 on which bitsandbytes' CPU build looks up the codes of scales."""
    half, steps = np.float32(0.5), np.float32(SCALE_GRID_STEPS)
    positions = ((normalized + np.float32(1)) * half * steps + half).astype(np.int32)
    return np.float32(2) * positions.astype(np.float32) / steps - np.float32(1)


def _affine_positions(blocks: Blocks, levels: int = 16) -> tuple[Blocks, Blocks, Blocks]:
    """The position of each value between the levels of its block (0 to levels - 1); the step and the minimum,
    [blocks, 1]."""
    lowest = _reduce_rows(np.minimum, blocks)[:, None]
    step = _reduce_rows(np.maximum, blocks)[:, None] / np.float32(levels - 1) - lowest / np.float32(levels - 1)
    step[step == 0] = 1
    half = np.float32(0.5)  # the full range may overflow float32
    positions = np.multiply(blocks, half, out=_scratch.floats(1, blocks.shape))
    np.subtract(positions, lowest * half, out=positions)
    np.divide(positions, step * half, out=positions)
    return positions, step.astype(np.float32, copy=False), lowest


def _restored_affine(blocks: Blocks) -> Blocks:
    positions, step, lowest = _affine_positions(blocks)
    restored: Blocks = np.rint(positions) * step + lowest
    return restored


def _errors(difference: Blocks) -> BlockErrors:
    largest = max(float(difference.max(initial=0)), -float(difference.min(initial=0)))
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", difference, difference).astype(np.float64)
    beyond_float32 = np.flatnonzero((squares < _MIN_FLOAT32_SQUARES) | (squares > _MAX_FLOAT32_SQUARES))
    if len(beyond_float32):
        wide = difference[beyond_float32].astype(np.float64)
        squares[beyond_float32] = np.einsum("ij,ij->i", wide, wide)
    return BlockErrors(squares, largest)


def _reduce_rows(reduce: Any, blocks: NDArray[Any]) -> NDArray[Any]:
    """`reduce` each row. Halves are combined first, the rest along columns: numpy is slow along a short last axis."""
    width = blocks.shape[1]
    while width > 8 and width % 2 == 0:
        width //= 2
        blocks = reduce(blocks[:, :width], blocks[:, width:])
    reduced: NDArray[Any] = reduce.reduce(np.ascontiguousarray(blocks.T), axis=0)
    return reduced


_scratch = Scratch()
