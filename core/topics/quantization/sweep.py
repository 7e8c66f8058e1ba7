"""Error against bits per parameter: every format at every block size, and the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.coding import restored_scales
from core.checkpoint.errors import FormatErrors, snr_db
from core.checkpoint.measuring import Quantization, measure_piece, piece_of
from kernels.quantization.formats import BLOCK_SIZES, FORMATS, FormatId

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Point:
    """One format at one block size. `pareto` says that no other point is both at most as large and more exact.

    `nested` says that its scales are in 8 bits. Numbers that do not exist are None: the relative error of zeros, and
    the SNR without an error.
    """

    format: FormatId
    block_size: int
    nested: bool
    bits_per_parameter: float
    relative_rmse: float | None
    snr_db: float | None
    pareto: bool = False


def sum_error_powers(samples: Iterable[Weights], quantization: Quantization) -> dict[FormatId, tuple[float, float]]:
    """The power of the weights and of the errors by format, summed over the samples. A sample is cut to whole blocks,
    or is one short block."""
    sums = {name: np.zeros(2) for name in quantization.formats}
    for weights in samples:
        for name, errors in measure_sample(weights, quantization).items():
            sums[name] += errors.power.sum(), errors.error.sum()
    return {name: (float(power), float(error)) for name, (power, error) in sums.items()}


def measure_sample(weights: Weights, quantization: Quantization) -> dict[FormatId, FormatErrors]:
    """The errors of each format on one sample. The sample is cut to whole blocks, or is one short block."""
    whole = len(weights) - len(weights) % quantization.block_size or len(weights)
    piece = piece_of(weights[:whole], quantization.block_size)
    scales = restored_scales(piece.absmax, quantization.nested_block) if quantization.has_nested_scales else None
    return measure_piece(piece, quantization, len(piece.absmax), scales).errors


def make_point(name: FormatId, quantization: Quantization, power: float, error: float) -> Point:
    """The point of a format from its sums."""
    nested = 0 if FORMATS[name].affine else quantization.nested_block
    bits = FORMATS[name].bits_per_parameter(quantization.block_size, nested)
    rmse, snr = (math.sqrt(error / power) if power else None), snr_db(power, error)
    return Point(name, quantization.block_size, bool(nested), bits, rmse, snr if math.isfinite(snr) else None)


def sweep(samples: Sequence[Weights], formats: Sequence[FormatId], nested_block: int) -> tuple[Point, ...]:
    """Every format at every block size that the longest sample fills, with scales in float32, and if `nested_block` > 0
    also with nested scales."""
    longest = max((len(weights) for weights in samples), default=0)
    points = [
        make_point(name, quantization, *sums)
        for block_size in BLOCK_SIZES
        if block_size <= longest
        for nested in dict.fromkeys((0, nested_block))
        for quantization in (Quantization(tuple(formats), block_size, nested),)
        for name, sums in sum_error_powers(samples, quantization).items()
        if not (nested and FORMATS[name].affine)
    ]
    return mark_pareto(points)


def mark_pareto(points: Iterable[Point]) -> tuple[Point, ...]:
    """The points, smallest first, with those on the Pareto front marked."""
    marked, best = [], float("inf")
    for candidate in sorted(points, key=lambda p: (p.bits_per_parameter, _error(p))):
        marked.append(replace(candidate, pareto=_error(candidate) < best))
        best = min(best, _error(candidate))
    return tuple(marked)


def _error(point: Point) -> float:
    return math.inf if point.relative_rmse is None else point.relative_rmse
