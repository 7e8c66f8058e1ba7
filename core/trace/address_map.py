"""Address over time: the bytes that the programs of launches touch, in order, and their place in a picture.

x counts element accesses, program by program (launch by launch, programs by linear id, each in its own order); y is the
address, with the tensors stacked in bands. `core.trace.levels` draws it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.trace.affine import IntArray
from core.trace.record import Access, Launch
from core.trace.rows import Rows, rows_of

Extent = tuple[float, float]


@dataclass(frozen=True)
class Band:
    """A tensor on the address axis: `size_bytes` of memory from `data_ptr`."""

    name: str
    data_ptr: int
    size_bytes: int


@dataclass(frozen=True)
class PlacedBand:
    """The position of a band on the y axis, in bytes; `last_byte` is inclusive."""

    name: str
    first_byte: int
    last_byte: int


@dataclass(frozen=True)
class AddressMap:
    """Accesses per pixel. Row 0 is the lowest address, column 0 the first access.

    `read` and `write` are uint32 [height, width]; `program_edges` float64 [programs + 1] are the x positions at which
    each program begins, and the end. `accesses` and `bytes` are the full extents of x and y; `x_range` and `y_range`
    are the part in the picture. `sampled` is the share of the rows that was drawn (1.0: all); counts of a sample are
    scaled up to all rows.
    """

    read: npt.NDArray[np.uint32]
    write: npt.NDArray[np.uint32]
    program_edges: npt.NDArray[np.float64]
    bands: tuple[PlacedBand, ...]
    accesses: int
    bytes: int
    x_range: Extent
    y_range: Extent
    sampled: float = 1.0


def bands_of(launches: Sequence[Launch], order: Sequence[str] = ()) -> tuple[Band, ...]:
    """One band for each distinct tensor: those named in `order` first, the others in order of appearance."""
    bands: dict[int, Band] = {}
    for launch in launches:
        for buffer in launch.buffers:
            if buffer.size_bytes:
                bands.setdefault(buffer.data_ptr, Band(buffer.name, buffer.data_ptr, buffer.size_bytes))
    places = {name: place for place, name in enumerate(order)}
    return tuple(sorted(bands.values(), key=lambda band: places.get(band.name, len(places))))


def placed(bands: Sequence[Band]) -> tuple[tuple[PlacedBand, ...], list[int]]:
    """The bands stacked on the y axis, and the start of each; the last number is the end."""
    tops = [0]
    for band in bands:
        tops.append(tops[-1] + band.size_bytes)
    stacked = tuple(PlacedBand(b.name, top, top + b.size_bytes - 1) for b, top in zip(bands, tops, strict=False))
    return stacked, tops


def program_edges(launches: Sequence[Launch]) -> IntArray:
    """The x position at which each program begins, and the end: [programs + 1]."""
    lengths = []
    for launch in launches:
        per_program = np.zeros(launch.programs, dtype=np.int64)
        for access in launch.accesses:
            per_program[access.programs] += rows_of(access).elements_per_lane()
        lengths.append(per_program)
    return np.concatenate(([0], *(np.asarray(n) for n in lengths))).cumsum()


def placed_rows(launch: Launch, begins: IntArray) -> Iterator[tuple[Access, Rows, IntArray]]:
    """Each access with the x position of each of its rows, [lanes, rows]."""
    cursor = begins.copy()
    for access in launch.accesses:
        rows = rows_of(access)
        lengths = np.broadcast_to(rows.lengths, (rows.lengths.shape[0], rows.shape[1]))
        before = lengths.cumsum(axis=1) - lengths
        yield access, rows, cursor[access.programs][:, None] + before
        cursor[access.programs] += rows.elements_per_lane()
