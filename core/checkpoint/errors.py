"""The error of quantizing a tensor, as sums over its slices, and the statistics that follow from them. numpy only.

A weight that is NaN or inf spoils its block: a real quantizer stores NaN or inf as the scale, and every weight of the
block comes back as such. With double quantization the mean of all scales is spoiled too, and with it the tensor
(bitsandbytes: all 64 weights, or all weights). What is lost is counted, and left out of every sum of errors.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.block_errors import NO_BLOCKS, Counts, median_db, no_blocks

MAP_COLUMNS = 64
"""A tensor's blocks, in order, are drawn as this many columns; with fewer blocks, each fills several columns."""

_RESOLUTION = 1e-4

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WeightSums:
    """Sums of x, x², x³ and x⁴ over the finite elements of a tensor, and the largest |x|."""

    elements: int = 0
    nonfinite: int = 0
    sums: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    absmax: float = 0.0

    def __add__(self, other: WeightSums) -> WeightSums:
        return WeightSums(
            self.elements + other.elements,
            self.nonfinite + other.nonfinite,
            tuple(a + b for a, b in zip(self.sums, other.sums, strict=True)),  # type: ignore[arg-type]
            max(self.absmax, other.absmax),
        )

    @property
    def finite(self) -> int:
        return self.elements - self.nonfinite

    @property
    def mean(self) -> float:
        return self.sums[0] / self.finite if self.finite else math.nan

    @property
    def std(self) -> float:
        """The standard deviation, NaN without a finite element."""
        return math.sqrt(max(0.0, self._central(2))) if self.finite else math.nan

    @property
    def kurtosis(self) -> float:
        """The fourth central moment over the squared variance: 3 for a normal distribution.

        NaN for a constant tensor, and where the deviations are below a hundredth of absmax: the sums cannot resolve
        them.
        """
        variance = self._central(2) if self.finite else 0.0
        return self._central(4) / variance**2 if variance > _RESOLUTION * self.absmax**2 else math.nan

    @property
    def max_over_sigma(self) -> float:
        """The largest magnitude in standard deviations; NaN for a constant."""
        is_resolved = self.finite and self.std**2 > _RESOLUTION**2 * self.absmax**2
        return self.absmax / self.std if is_resolved else math.nan

    def _central(self, power: int) -> float:
        first, second, third, fourth = (total / self.finite for total in self.sums)
        if power == 2:
            return second - first**2
        return fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4


@dataclass(frozen=True)
class FormatErrors:
    """Errors of one tensor in one format: sums of x² and of (x - quantized x)² per column of the map, and the largest
    error.

    `stored_bits` counts the codes, the scales and everything else that the format stores for these elements, as
    `Quantization.stored_bits` does. `block_snr_db` is the median over the blocks: inf without an error, -inf if half of
    the blocks are lost. Both are known for a whole tensor; for a slice they are 0 and NaN, and `blocks` counts its
    blocks by SNR. `lost` counts the weights that come back as NaN or inf.
    """

    elements: int = 0
    power: Floats = field(default_factory=lambda: np.zeros(MAP_COLUMNS))
    error: Floats = field(default_factory=lambda: np.zeros(MAP_COLUMNS))
    max_abs: float = 0.0
    stored_bits: float = 0.0
    lost: int = 0
    block_snr_db: float = math.nan
    blocks: Counts = field(default_factory=no_blocks, repr=False)

    def __add__(self, other: FormatErrors) -> FormatErrors:
        return FormatErrors(
            self.elements + other.elements,
            self.power + other.power,
            self.error + other.error,
            max(self.max_abs, other.max_abs),
            self.stored_bits + other.stored_bits,
            self.lost + other.lost,
            blocks=self.blocks + other.blocks,
        )

    @property
    def snr_db(self) -> float:
        """10 log10 of signal power over noise power; inf without an error, NaN for a tensor of zeros."""
        return snr_db(float(self.power.sum()), float(self.error.sum()))

    @property
    def relative_rmse(self) -> float:
        """Square root of noise power over signal power; NaN for a tensor of zeros."""
        power = float(self.power.sum())
        return math.sqrt(float(self.error.sum()) / power) if power else math.nan

    @property
    def bits_per_parameter(self) -> float:
        return self.stored_bits / self.elements if self.elements else math.nan

    @property
    def map_row(self) -> Floats:
        """float64 [MAP_COLUMNS]: relative RMSE of the blocks that fall into each column, NaN where there are none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            row: Floats = np.sqrt(np.where(self.power > 0, self.error / self.power, np.nan))
        return row

    def of_tensor(self, stored_bits: float, power: Floats) -> FormatErrors:
        """These sums as those of a whole tensor, whose map of the power is `power`, an array that formats share."""
        return replace(
            self, power=power, stored_bits=stored_bits, block_snr_db=median_db(self.blocks), blocks=NO_BLOCKS
        )

    @classmethod
    def of_lost_tensor(cls, elements: int, stored_bits: float) -> Self:
        """A tensor of which every weight comes back as NaN or inf."""
        return cls(elements, max_abs=math.nan, stored_bits=stored_bits, lost=elements, block_snr_db=-math.inf)

    def as_json(self) -> dict[str, Any]:
        """JSON values, in which Python writes NaN and inf by name; the columns keep seven digits."""
        values = {name: value for name, value in vars(self).items() if name != "blocks"}
        return {**values, "power": _packed(self.power), "error": _packed(self.error)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_json`; raises KeyError, TypeError or ValueError for anything else."""
        power, error = (_unpacked(*values[name]) for name in ("power", "error"))
        largest, bits, median = (float(values[name]) for name in ("max_abs", "stored_bits", "block_snr_db"))
        return cls(int(values["elements"]), power, error, largest, bits, int(values["lost"]), median)


def _packed(columns: Floats) -> tuple[float, str]:
    """The largest value, and all values divided by it as float32 in base64: a tenth of the time and half of the size of
    decimal digits."""
    largest = float(columns.max())
    return largest, b64encode((columns / (largest or 1)).astype("<f4").tobytes()).decode()


def _unpacked(largest: float, packed: str) -> Floats:
    columns = np.frombuffer(b64decode(packed, validate=True), dtype="<f4").astype(np.float64) * float(largest)
    if columns.shape != (MAP_COLUMNS,):
        raise ValueError(f"a map has {MAP_COLUMNS} columns")
    return columns


def snr_db(power: float, error: float) -> float:
    """10 log10(power / error); inf without an error, NaN without power."""
    if not power:
        return math.nan
    return 10 * math.log10(power / error) if error else math.inf


def by_column(values: Floats, first_block: int, blocks_of_tensor: int) -> Floats:
    """Sums per block, [blocks] from `first_block` on, added up per column of the map, float64 [MAP_COLUMNS].

    A tensor with fewer blocks than columns fills all columns: each block is spread evenly over the columns that it
    covers. The total stays the same, and a column still stands for a position in the tensor.
    """
    if blocks_of_tensor >= MAP_COLUMNS:
        index = np.arange(first_block, first_block + len(values), dtype=np.int64)
        return np.bincount(index * MAP_COLUMNS // blocks_of_tensor, values, MAP_COLUMNS).astype(np.float64)
    block = np.arange(MAP_COLUMNS) * blocks_of_tensor // MAP_COLUMNS
    width = np.bincount(block, minlength=blocks_of_tensor)[block]
    inside = (block >= first_block) & (block < first_block + len(values))
    spread = np.zeros(MAP_COLUMNS)
    spread[inside] = values[block[inside] - first_block] / width[inside]
    return spread
