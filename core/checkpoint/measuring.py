"""Measures the errors of a tensor in several formats at once, slice by slice, on all cores. No torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checkpoint import coding
from core.checkpoint.block_errors import count_blocks, fair_power
from core.checkpoint.coding import Blocks, Scales
from core.checkpoint.errors import Floats, FormatErrors, WeightSums, by_column
from kernels.quantization.formats import FORMATS, FormatId

_PIECE_ELEMENTS = 1 << 18  # smaller ones wait for the interpreter lock, larger ones for memory
_MAX_THREADS = 8
_FLOAT_BITS, _NESTED_BITS = 32, 8

Slices = Callable[[], Iterable[NDArray[Any]]]
"""Reads a tensor from the start: yields 1-D arrays in order. The length of each array but the last is a multiple of
every block size. bfloat16 comes as uint16 bits."""

OnRead = Callable[[int], None]
"""Called with the number of elements read since the last call; may raise to stop."""


@dataclass(frozen=True)
class Quantization:
    """How to quantize: the formats, elements per block, and scales per float32 (0: the scales stay in float32)."""

    formats: tuple[FormatId, ...]
    block_size: int
    nested_block: int = 0

    def cache_key(self, format_id: FormatId) -> str:
        """The cache key of a format's errors: it names everything that the errors depend on."""
        nested = 0 if FORMATS[format_id].affine else self.nested_block
        return f"{format_id.value} {self.block_size} {nested}"

    def stored_bits(self, format_id: FormatId, elements: int) -> int:
        """Bits that the kernels' `Quantized` stores for a tensor: codes in whole bytes, a scale per block (the last may
        be short), and with double quantization a float32 per group of scales and one for their mean."""
        format_, blocks = FORMATS[format_id], -(-elements // self.block_size)
        codes = 8 * -(-elements * format_.bits // 8)
        if format_.affine:
            return codes + 2 * _FLOAT_BITS * blocks
        if not self.nested_block:
            return codes + _FLOAT_BITS * blocks
        groups = -(-blocks // self.nested_block)
        return codes + _NESTED_BITS * blocks + _FLOAT_BITS * (groups + 1)

    def nests_scales_of(self, format_id: FormatId) -> bool:
        """Whether the scales of a format are quantized too."""
        return bool(self.nested_block) and not FORMATS[format_id].affine

    @property
    def has_nested_scales(self) -> bool:
        return any(map(self.nests_scales_of, self.formats))


@dataclass(frozen=True)
class Measured:
    """One tensor: sums over its weights, and its errors by format."""

    weights: WeightSums
    errors: dict[FormatId, FormatErrors] = field(default_factory=dict)

    def __add__(self, other: Measured) -> Measured:
        names = dict.fromkeys((*self.errors, *other.errors))
        nothing = FormatErrors()
        added = {name: self.errors.get(name, nothing) + other.errors.get(name, nothing) for name in names}
        return Measured(self.weights + other.weights, added)


@dataclass(frozen=True)
class Piece:
    """Blocks of a tensor as finite float32 values: the `nonfinite` NaN and inf elements are replaced by zeros.
    `spoiled` are the rows of the blocks that held them."""

    blocks: Blocks
    absmax: Scales
    first_block: int
    nonfinite: int
    spoiled: NDArray[np.intp]


class Measurer:
    """A pool of threads that measure; close it when done. By default there is a thread per core of this process."""

    def __init__(self, threads: int | None = None) -> None:
        self._pool = ThreadPoolExecutor(threads or cores(), thread_name_prefix="measuring")

    def close(self) -> None:
        self._pool.shutdown()

    def measure(self, read: Slices, elements: int, quantization: Quantization, on_read: OnRead) -> Measured:
        """The sums of one tensor of `elements` elements. The tensor is read once, and with double quantization twice:
        all its scales must be known first. `on_read` counts each element once per pass.

        Memory: one slice, small pieces of it per thread, and with double quantization 4 bytes per block.
        """
        blocks = -(-elements // quantization.block_size)
        scales = self._restored_scales(read, blocks, quantization, on_read) if quantization.has_nested_scales else None

        def measured(piece: Piece) -> Measured:
            rows = slice(piece.first_block, piece.first_block + len(piece.absmax))
            return measure_piece(piece, quantization, blocks, None if scales is None else scales[rows])

        total = Measured(WeightSums())
        for part in self._map_pieces(read, quantization.block_size, measured, on_read):
            total += part
        errors = {}
        for name, error in total.errors.items():
            bits = quantization.stored_bits(name, elements)
            # The power is the same in all formats; it is held once, since there may be 100,000 tensors.
            power = total.errors[quantization.formats[0]].power
            spoiled = bool(error.lost) and quantization.nests_scales_of(name)  # the mean of the scales is no number
            errors[name] = FormatErrors.of_lost_tensor(elements, bits) if spoiled else error.of_tensor(bits, power)
        return Measured(total.weights, errors)

    def _restored_scales(self, read: Slices, blocks: int, quantization: Quantization, on_read: OnRead) -> Scales:
        """The scales of the whole tensor after double quantization."""
        absmax, begin = np.empty(blocks, dtype=np.float32), 0
        for part in self._map_pieces(read, quantization.block_size, lambda piece: piece.absmax, on_read):
            absmax[begin : begin + len(part)] = part
            begin += len(part)
        return coding.restored_scales(absmax, quantization.nested_block, out=absmax)

    def _map_pieces(
        self, read: Slices, block_size: int, work: Callable[[Piece], Any], on_read: OnRead
    ) -> Iterator[Any]:
        """Yields `work(piece)` for every piece of the tensor, in order. All pieces of a slice are done before its
        buffer is reused."""
        first_block = 0
        for values in read():
            bounds = _piece_bounds(len(values), block_size)
            small = len(values) <= _PIECE_ELEMENTS  # handing it to a thread would take longer than the work
            submit = _run_now if small else self._pool.submit
            jobs = [
                submit(_run_on_piece, work, values[begin:end], block_size, first_block + begin // block_size)
                for begin, end in bounds
            ]
            try:
                for job, (begin, end) in zip(jobs, bounds, strict=True):
                    yield job.result()
                    on_read(end - begin)
            finally:
                for job in jobs:
                    job.cancel() or job.exception()
            first_block += -(-len(values) // block_size)


def as_float32(stored: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """A copy of stored values as float32, in `out` if given. bfloat16 (uint16 bits) is widened exactly, float64 is
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
    """Stored values (whole blocks, or less than one block) as a piece. The blocks are in `out`, float32, if given."""
    values = as_float32(stored, out)
    tail = len(values) < block_size
    blocks = _rows(values, block_size)
    if stored.dtype == np.uint16 and not tail:
        # Magnitudes of bfloat16 have the same order as their bits, and twice as many fit into a register.
        absmax = as_float32(coding.largest_by_row(_rows(stored & np.uint16(0x7FFF), block_size)))
    else:
        with np.errstate(invalid="ignore"):
            absmax = coding.absmax_of(blocks, tail)
    nonfinite, spoiled = 0, np.flatnonzero(~np.isfinite(absmax))
    if len(spoiled):
        bad = ~np.isfinite(blocks)
        nonfinite = int(bad.sum())
        blocks[bad] = 0
        absmax = coding.absmax_of(blocks, tail)
    return Piece(blocks, absmax, first_block, nonfinite, spoiled)


def _rows(values: NDArray[Any], block_size: int) -> NDArray[Any]:
    return values.reshape(-1, block_size) if len(values) >= block_size else values.reshape(1, -1)


def measure_piece(
    piece: Piece, quantization: Quantization, blocks_of_tensor: int, scales: Scales | None = None
) -> Measured:
    """The sums of one piece. `scales` [blocks] are its absmax after double quantization."""
    blocks = piece.blocks
    tail = blocks.shape[1] < quantization.block_size
    normalized = coding.normalize(blocks, piece.absmax, _scratch.floats(3, blocks.shape), tail)
    normalized_squares = np.einsum("ij,ij->i", normalized, normalized)
    squares = normalized_squares * coding.block_divisors(piece.absmax).astype(np.float64) ** 2
    weights = weight_sums(piece, normalized, squares)
    if lost := len(piece.spoiled):
        for values in (blocks, normalized, normalized_squares, squares):
            values[piece.spoiled] = 0
    power = by_column(squares, piece.first_block, blocks_of_tensor)
    fair = fair_power(blocks, normalized_squares, piece.absmax)
    cells = coding.find_cells(normalized, _scratch.cells(blocks.shape), _scratch.floats(0, blocks.shape))
    errors = {}
    for name in quantization.formats:
        if FORMATS[name].affine:
            sums = coding.affine_errors(blocks)
        else:
            sums = coding.codebook_errors(blocks, normalized, cells, piece.absmax if scales is None else scales, name)
        error = by_column(sums.squares, piece.first_block, blocks_of_tensor)
        counts = count_blocks(fair, sums.squares, lost)
        errors[name] = FormatErrors(blocks.size, power, error, sums.largest, lost=lost * blocks.shape[1], blocks=counts)
    return Measured(weights, errors)


def weight_sums(piece: Piece, normalized: Blocks, squares: Floats) -> WeightSums:
    """Sums of the powers of the values. Each block is divided by absmax first, so that nothing leaves float32's
    range."""
    scale = coding.block_divisors(piece.absmax).astype(np.float64)
    square = np.multiply(normalized, normalized, out=_scratch.floats(0, normalized.shape))
    third = np.einsum("ij,ij->i", square, normalized) * scale**3
    fourth = np.einsum("ij,ij->i", square, square) * scale**4
    first = np.einsum("ij->i", normalized) * scale
    sums = (float(first.sum()), float(squares.sum()), float(third.sum()), float(fourth.sum()))
    largest = max(float(piece.blocks.max(initial=0)), -float(piece.blocks.min(initial=0)))
    return WeightSums(piece.blocks.size, piece.nonfinite, sums, largest)


def _run_on_piece(work: Callable[[Piece], Any], stored: NDArray[Any], block_size: int, first_block: int) -> Any:
    return work(piece_of(stored, block_size, first_block, _scratch.floats(2, stored.shape)))


def _run_now(work: Callable[..., Any], *arguments: Any) -> Future[Any]:
    done: Future[Any] = Future()
    done.set_result(work(*arguments))
    return done


_scratch = coding.Scratch()


def _piece_bounds(elements: int, block_size: int) -> Sequence[tuple[int, int]]:
    """Bounds of pieces of whole blocks, and of a last piece for the tail that is shorter than a block."""
    whole = elements - elements % block_size
    bounds = [(begin, min(begin + _PIECE_ELEMENTS, whole)) for begin in range(0, whole, _PIECE_ELEMENTS)]
    return [*bounds, (whole, elements)] if whole < elements else bounds


def cores() -> int:
    """How many threads measure: the cores of this process, and no more than memory can feed."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, _MAX_THREADS)
