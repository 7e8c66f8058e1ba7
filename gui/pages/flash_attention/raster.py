"""A raster of reads and writes over addresses and time, and what of it to draw at a given zoom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Band:
    """Where one tensor lies on the address axis, in bytes; `last_byte` is its last."""

    tensor: str
    first_byte: int
    last_byte: int


@dataclass(frozen=True)
class AddressRaster:
    """The accesses of one kernel.

    reads, writes   uint32 [height, width]: accesses per pixel, row 0 the lowest address
    bands           the tensors, stacked along the address axis
    accesses        extent of x, in accesses; `total_bytes` the extent of y
    program_edges   float [programs + 1]: x at which each program begins, then the end
    """

    title: str
    reads: np.ndarray
    writes: np.ndarray
    bands: tuple[Band, ...]
    accesses: float
    total_bytes: float
    program_edges: np.ndarray

    @property
    def height(self) -> int:
        return int(self.reads.shape[0])

    @property
    def width(self) -> int:
        return int(self.reads.shape[1])

    @property
    def programs(self) -> int:
        return max(0, int(self.program_edges.size) - 1)

    def same_as(self, other: AddressRaster | None) -> bool:
        """Whether the two show the same accesses of the same tensors."""
        return other is not None and (
            (self.title, self.bands, self.accesses, self.total_bytes)
            == (other.title, other.bands, other.accesses, other.total_bytes)
            and np.array_equal(self.program_edges, other.program_edges)
            and np.array_equal(self.reads, other.reads)
            and np.array_equal(self.writes, other.writes)
        )

    @cached_property
    def band_of_row(self) -> np.ndarray:
        """int32 [height]: index into `bands` of the band that a pixel row lies in, -1 for none."""
        middle = (np.arange(self.height) + 0.5) * self.total_bytes / max(1, self.height)
        rows = np.full(self.height, -1, dtype=np.int32)
        for index, band in enumerate(self.bands):
            rows[(middle >= band.first_byte) & (middle < band.last_byte + 1)] = index
        return rows

    def band_at(self, address: float) -> Band | None:
        return next((band for band in self.bands if band.first_byte <= address < band.last_byte + 1), None)

    def program_at(self, access: float) -> int | None:
        """The program that was running at an x, or None outside."""
        index = int(np.searchsorted(self.program_edges, access, side="right")) - 1
        return index if 0 <= index < self.programs else None

    def pixel_at(self, access: float, address: float) -> tuple[int, int] | None:
        """(row, column) of a point, or None outside the raster."""
        if not (0 <= access < self.accesses and 0 <= address < self.total_bytes):
            return None
        return int(address / self.total_bytes * self.height), int(access / self.accesses * self.width)


@dataclass(frozen=True)
class AddressPicture:
    """Part of a raster as RGBA uint8 [rows, columns, 4], and the (x, y, width, height) in data that it covers."""

    image: np.ndarray
    covers: tuple[float, float, float, float]


def picture(
    raster: AddressRaster,
    inks: Sequence[tuple[int, int, int]],
    write_ink: tuple[int, int, int],
    view: tuple[tuple[float, float], tuple[float, float]],
    most: tuple[int, int],
) -> AddressPicture:
    """What lies in `view` ((first, last) access, (first, last) byte), in at most `most` (rows, columns).

    Reads take their tensor's ink, writes `write_ink`; the more accesses, the more opaque. Pooled, not sampled, so
    that a single access never disappears.
    """
    columns = _pixels(view[0], raster.accesses, raster.width)
    rows = _pixels(view[1], raster.total_bytes, raster.height)
    reads, writes = (_pooled(counts[rows, columns], *most) for counts in (raster.reads, raster.writes))
    bands = raster.band_of_row[rows][:: -(-(rows.stop - rows.start) // most[0])]
    # The last ink is for pixels outside every band.
    table = np.array([*inks, (128, 128, 128)], dtype=np.uint8)
    image = np.empty((*reads.shape, 4), dtype=np.uint8)
    image[..., :3] = table[bands][:, None, :]
    image[..., :3][writes > 0] = write_ink
    counts = np.maximum(reads, writes)
    busiest = max(1, int(counts.max(initial=0)))
    image[..., 3] = np.where(counts > 0, 110 + 145 / np.log1p(busiest) * np.log1p(counts), 0)
    x, y = raster.accesses / raster.width, raster.total_bytes / raster.height
    width, height = columns.stop - columns.start, rows.stop - rows.start
    return AddressPicture(image, (columns.start * x, rows.start * y, width * x, height * y))


def _pixels(view: tuple[float, float], extent: float, count: int) -> slice:
    """The pixels that a range of an axis touches, at least one."""
    first = min(max(0, int(view[0] / extent * count)), count - 1)
    last = min(max(first + 1, -int(-view[1] / extent * count // 1)), count)
    return slice(first, last)


def _pooled(counts: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """float32 sums over blocks, so that at most `rows` x `columns` remain. A sum of something is never zero."""
    shorter = _folded(counts, -(-counts.shape[0] // max(1, rows)))
    return _folded(shorter.T, -(-counts.shape[1] // max(1, columns))).T


def _folded(counts: np.ndarray, stride: int) -> np.ndarray:
    """Each `stride` rows added up. Whole slices at a time: seven times as fast as np.add.reduceat."""
    sums = counts[::stride].astype(np.float32)
    for offset in range(1, stride):
        more = counts[offset::stride]
        sums[: len(more)] += more
    return sums
