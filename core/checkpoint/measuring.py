"""The errors of a tensor in several formats at once, slice by slice, on all cores. No torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checkpoint import coding
from core.checkpoint.coding import Blocks, Scales
from core.checkpoint.errors import Floats, FormatErrors, WeightSums, by_column
from kernels.quantization.formats import FORMATS, FormatId

_ELEMENTS_AT_ONCE = 1 << 18  # smaller ones wait for the interpreter lock, larger ones for memory
_MOST_THREADS = 8
_FLOAT_BITS, _NESTED_BITS = 32, 8

Slices = Callable[[], Iterable[NDArray[Any]]]
"""Begins to read a tensor anew: 1-D arrays in order, each but the last a multiple of every block size. bfloat16 comes
as its bits in uint16."""

Seen = Callable[[int], None]
"""Receives the number of elements read since the last call; may raise to stop."""


@dataclass(frozen=True)
class Quantization:
    """How to quantize: formats, elements per block, and scales that share one float32 (0: scales stay float32)."""

    formats: tuple[FormatId, ...]
    block_size: int
    nested_block: int = 0

    def way(self, format_id: FormatId) -> str:
        """The name under which what was measured is kept: whatever the numbers depend on."""
        nested = 0 if FORMATS[format_id].affine else self.nested_block
        return f"{format_id.value} {self.block_size} {nested}"

    def stored_bits(self, format_id: FormatId, elements: int) -> int:
        """Bits that the kernels' `Quantized` holds of a tensor: codes in whole bytes, a scale for each begun block, and
        with double quantization a float32 for each begun group of scales and one for their mean."""
        format_, blocks = FORMATS[format_id], -(-elements // self.block_size)
        codes = 8 * -(-elements * format_.bits // 8)
        if format_.affine:
            return codes + 2 * _FLOAT_BITS * blocks
        if not self.nested_block:
            return codes + _FLOAT_BITS * blocks
        groups = -(-blocks // self.nested_block)
        return codes + _NESTED_BITS * blocks + _FLOAT_BITS * (groups + 1)

    @property
    def nests(self) -> bool:
        return bool(self.nested_block) and any(not FORMATS[name].affine for name in self.formats)


@dataclass(frozen=True)
class Measured:
    """One tensor: its weights, and its errors by format."""

    weights: WeightSums
    errors: dict[FormatId, FormatErrors] = field(default_factory=dict)

    def __add__(self, other: Measured) -> Measured:
        names = dict.fromkeys((*self.errors, *other.errors))
        nothing = FormatErrors()
        added = {name: self.errors.get(name, nothing) + other.errors.get(name, nothing) for name in names}
        return Measured(self.weights + other.weights, added)


@dataclass(frozen=True)
class Piece:
    """Blocks of a tensor as finite float32 values. `nonfinite` of its elements were none and are zeros here."""

    blocks: Blocks
    absmax: Scales
    first_block: int
    nonfinite: int


class Measurer:
    """Threads that measure; close it when done. `threads` is by default the cores that this process may use."""

    def __init__(self, threads: int | None = None) -> None:
        self._pool = ThreadPoolExecutor(threads or _cores(), thread_name_prefix="measuring")

    def close(self) -> None:
        self._pool.shutdown()

    def measure(self, read: Slices, elements: int, how: Quantization, seen: Seen) -> Measured:
        """The sums of one tensor of `elements` elements. Read once, and once more where scales are quantized: those of
        the whole tensor must be known first. `seen` receives each element once per reading.

        Memory: one slice, small pieces of it for each thread, and 4 bytes per block where scales are quantized.
        """
        blocks = -(-elements // how.block_size)
        scales = self._kept_scales(read, blocks, how, seen) if how.nests else None

        def of(piece: Piece) -> Measured:
            rows = slice(piece.first_block, piece.first_block + len(piece.absmax))
            return measure_piece(piece, how, blocks, None if scales is None else scales[rows])

        total = Measured(WeightSums())
        for part in self._over(read, how.block_size, of, seen):
            total += part
        errors = {}
        for name, error in total.errors.items():
            bits = how.stored_bits(name, elements)
            power = total.errors[how.formats[0]].power  # the same for all, and held once: there may be 100,000 tensors
            errors[name] = replace(error, power=power, stored_bits=bits)
        return Measured(total.weights, errors)

    def _kept_scales(self, read: Slices, blocks: int, how: Quantization, seen: Seen) -> Scales:
        """What double quantization gives back of each scale."""
        absmax, begin = np.empty(blocks, dtype=np.float32), 0
        for part in self._over(read, how.block_size, lambda piece: piece.absmax, seen):
            absmax[begin : begin + len(part)] = part
            begin += len(part)
        return coding.restored_scales(absmax, how.nested_block, out=absmax)

    def _over(self, read: Slices, block_size: int, work: Callable[[Piece], Any], seen: Seen) -> Iterator[Any]:
        """`work` on every piece of the tensor, in order. A slice's pieces are done before its buffer is read again."""
        first_block = 0
        for values in read():
            cuts = _cuts(len(values), block_size)
            small = len(values) <= _ELEMENTS_AT_ONCE  # handing it over would take longer than the work
            submit = _now if small else self._pool.submit
            jobs = [
                submit(_worked, work, values[begin:end], block_size, first_block + begin // block_size)
                for begin, end in cuts
            ]
            try:
                for job, (begin, end) in zip(jobs, cuts, strict=True):
                    yield job.result()
                    seen(end - begin)
            finally:
                for job in jobs:
                    job.cancel() or job.exception()
            first_block += -(-len(values) // block_size)


def as_float32(stored: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """A copy of stored values as float32, in `out` if it is given: bfloat16 bits in uint16 widened exactly, float64
    rounded."""
    if out is None:
        out = np.empty(stored.shape, dtype=np.float32)
    if stored.dtype == np.uint16:
        np.left_shift(stored, 16, dtype=np.uint32, out=out.view(np.uint32))
        return out
    with np.errstate(over="ignore"):
        np.copyto(out, stored, casting="unsafe")
    return out


def piece_of(stored: NDArray[Any], block_size: int, first_block: int = 0, out: NDArray[Any] | None = None) -> Piece:
    """Stored values (whole blocks, or less than one) as a piece; its blocks are in `out`, float32, if one is given."""
    values = as_float32(stored, out)
    tail = len(values) < block_size
    blocks = _rows(values, block_size)
    if stored.dtype == np.uint16 and not tail:
        # Magnitudes of bfloat16 are ordered as their bits are, and twice as many fit into a register.
        absmax = as_float32(coding.largest_by_row(_rows(stored & np.uint16(0x7FFF), block_size)))
    else:
        with np.errstate(invalid="ignore"):
            absmax = coding.absmax_of(blocks, tail)
    nonfinite = 0
    if not np.isfinite(absmax).all():
        bad = ~np.isfinite(blocks)
        nonfinite = int(bad.sum())
        blocks[bad] = 0
        absmax = coding.absmax_of(blocks, tail)
    return Piece(blocks, absmax, first_block, nonfinite)


def _rows(values: NDArray[Any], block_size: int) -> NDArray[Any]:
    return values.reshape(-1, block_size) if len(values) >= block_size else values.reshape(1, -1)


def measure_piece(piece: Piece, how: Quantization, blocks_of_tensor: int, scales: Scales | None = None) -> Measured:
    """The sums of one piece. `scales`, [blocks], are what double quantization gives back of its absmax."""
    blocks = piece.blocks
    tail = blocks.shape[1] < how.block_size
    shares = coding.shares_of(blocks, piece.absmax, _scratch.floats(3, blocks.shape), tail)
    squares = np.einsum("ij,ij->i", shares, shares) * coding.divisors_of(piece.absmax).astype(np.float64) ** 2
    power = by_column(squares, piece.first_block, blocks_of_tensor)
    weights = weight_sums(piece, shares, squares)
    cells = coding.cells_of(shares, _scratch.cells(blocks.shape), _scratch.floats(0, blocks.shape))
    errors = {}
    for name in how.formats:
        if FORMATS[name].affine:
            sums = coding.affine_errors(blocks)
        else:
            sums = coding.codebook_errors(blocks, shares, cells, piece.absmax if scales is None else scales, name)
        error = by_column(sums.squares, piece.first_block, blocks_of_tensor)
        errors[name] = FormatErrors(blocks.size, power, error, sums.largest)
    return Measured(weights, errors)


def weight_sums(piece: Piece, shares: Blocks, squares: Floats) -> WeightSums:
    """Powers of the values, summed by block over absmax, so that neither large nor small ones leave float32."""
    scale = coding.divisors_of(piece.absmax).astype(np.float64)
    square = np.multiply(shares, shares, out=_scratch.floats(0, shares.shape))
    third = np.einsum("ij,ij->i", square, shares) * scale**3
    fourth = np.einsum("ij,ij->i", square, square) * scale**4
    first = np.einsum("ij->i", shares) * scale
    sums = (float(first.sum()), float(squares.sum()), float(third.sum()), float(fourth.sum()))
    largest = max(float(piece.blocks.max(initial=0)), -float(piece.blocks.min(initial=0)))
    return WeightSums(piece.blocks.size, piece.nonfinite, sums, largest)


def _worked(work: Callable[[Piece], Any], stored: NDArray[Any], block_size: int, first_block: int) -> Any:
    return work(piece_of(stored, block_size, first_block, _scratch.floats(2, stored.shape)))


def _now(work: Callable[..., Any], *arguments: Any) -> Future[Any]:
    done: Future[Any] = Future()
    done.set_result(work(*arguments))
    return done


_scratch = coding.Scratch()


def _cuts(elements: int, block_size: int) -> Sequence[tuple[int, int]]:
    """Pieces of whole blocks, and a last one for what is less than a block."""
    whole = elements - elements % block_size
    cuts = [(begin, min(begin + _ELEMENTS_AT_ONCE, whole)) for begin in range(0, whole, _ELEMENTS_AT_ONCE)]
    return [*cuts, (whole, elements)] if whole < elements else cuts


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_THREADS)
