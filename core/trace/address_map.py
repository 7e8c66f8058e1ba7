"""Address over time, as a picture: which bytes the programs of some launches touch, in the order they touch them.

x counts element accesses, program after program (launch after launch, programs by linear id, each in its own order);
y is the address, with the tensors stacked in bands. Whole rows of tiles are drawn at once, so the cost follows the
number of rows and not of elements.
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
    """Where a band lies on the y axis, in bytes; `last_byte` is inclusive."""

    name: str
    first_byte: int
    last_byte: int


@dataclass(frozen=True)
class AddressMap:
    """Accesses per pixel. Row 0 is the lowest address, column 0 the first access.

    `read` and `write` are uint32 [height, width]; `program_edges` float64 [programs + 1] are the x at which each
    program begins, and the end. `accesses` and `bytes` are the full extents of x and y; `x_range` and `y_range` the
    part that the picture shows. `sampled` is the part of the rows that was drawn, 1.0 for all; counts of a sample stand
    for all of them.
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


def address_map(
    launches: Sequence[Launch],
    bands: Sequence[Band],
    width: int,
    height: int,
    *,
    x_range: Extent | None = None,
    y_range: Extent | None = None,
) -> AddressMap:
    """Rasterise all accesses of `launches` to the tensors of `bands`; others take their place on x, undrawn.

    `x_range` (accesses) and `y_range` (bytes) zoom in. Counts are exact at full view: they sum to the number of
    accesses; rows that cross pixels are split evenly among them.
    """
    stacked, tops = placed(bands)
    total_bytes = max(1, sum(band.size_bytes for band in bands))
    edges = program_edges(launches)
    accesses = int(edges[-1])
    canvas = _Canvas(width, height, x_range or (0.0, max(accesses, 1.0)), y_range or (0.0, float(total_bytes)))
    first = 0
    for launch in launches:
        for access, rows, x in placed_rows(launch, edges[first : first + launch.programs]):
            buffer = launch.buffers[access.buffer]
            index = next((i for i, b in enumerate(bands) if 0 <= buffer.data_ptr - b.data_ptr < b.size_bytes), None)
            if index is not None:
                base = tops[index] + buffer.data_ptr - bands[index].data_ptr
                canvas.draw(access.kind, x, rows, base, access.element_bytes)
        first += launch.programs
    return AddressMap(
        read=canvas.counts("load"),
        write=canvas.counts("store"),
        program_edges=edges.astype(np.float64),
        bands=stacked,
        accesses=accesses,
        bytes=total_bytes,
        x_range=canvas.x_range,
        y_range=canvas.y_range,
    )


def placed(bands: Sequence[Band]) -> tuple[tuple[PlacedBand, ...], list[int]]:
    """The bands stacked on the y axis, and where each begins; the last number is the end."""
    tops = [0]
    for band in bands:
        tops.append(tops[-1] + band.size_bytes)
    stacked = tuple(PlacedBand(b.name, top, top + b.size_bytes - 1) for b, top in zip(bands, tops, strict=False))
    return stacked, tops


def program_edges(launches: Sequence[Launch]) -> IntArray:
    """Where each program begins on x, and the end: [programs + 1]."""
    lengths = []
    for launch in launches:
        per_program = np.zeros(launch.programs, dtype=np.int64)
        for access in launch.accesses:
            per_program[access.programs] += rows_of(access).elements_per_lane()
        lengths.append(per_program)
    return np.concatenate(([0], *(np.asarray(n) for n in lengths))).cumsum()


def placed_rows(launch: Launch, begins: IntArray) -> Iterator[tuple[Access, Rows, IntArray]]:
    """Each access with the x of each of its rows, [lanes, rows]."""
    cursor = begins.copy()
    for access in launch.accesses:
        rows = rows_of(access)
        lengths = np.broadcast_to(rows.lengths, (rows.lengths.shape[0], rows.shape[1]))
        before = lengths.cumsum(axis=1) - lengths
        yield access, rows, cursor[access.programs][:, None] + before
        cursor[access.programs] += rows.elements_per_lane()


class _Canvas:
    """Two histograms, of reads and of writes."""

    def __init__(self, width: int, height: int, x_range: Extent, y_range: Extent) -> None:
        self.x_range = x_range
        self.y_range = y_range
        self._shape = (height, width)
        self._x_scale = width / (x_range[1] - x_range[0])
        self._y_scale = height / (y_range[1] - y_range[0])
        self._planes = {kind: np.zeros(height * width) for kind in ("load", "store")}
        self._pending: dict[str, list[tuple[IntArray, npt.NDArray[np.float64]]]] = {"load": [], "store": []}

    def draw(self, kind: str, x: IntArray, rows: Rows, base: int, element_bytes: int) -> None:
        """Add rows that begin at `x` (accesses) and at `base` plus their starts (bytes)."""
        x, starts, lengths = (a.reshape(-1) for a in np.broadcast_arrays(x, rows.starts, rows.lengths))
        longest = int(lengths.max(initial=0))
        if not longest:
            return
        pixels = max(longest * self._x_scale, longest * element_bytes * self._y_scale)
        pieces = int(min(longest, max(1, np.ceil(pixels))))
        for piece in range(pieces):
            along = lengths * ((piece + 0.5) / pieces)
            column = np.floor((x + along - self.x_range[0]) * self._x_scale).astype(np.int64)
            row = np.floor((base + (starts + along) * element_bytes - self.y_range[0]) * self._y_scale).astype(np.int64)
            height, width = self._shape
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            flat = row[inside] * width + column[inside]
            weights = lengths[inside] / pieces
            for plane in ("load", "store") if kind == "atomic" else (kind,):
                self._add(plane, flat, weights)

    def _add(self, plane: str, flat: IntArray, weights: npt.NDArray[np.float64]) -> None:
        """A histogram has a cost of its own, so small ones are put together."""
        pending = self._pending[plane]
        pending.append((flat, weights))
        if sum(len(points) for points, _ in pending) > self._planes[plane].size:
            self._flush(plane)

    def _flush(self, plane: str) -> None:
        pending = self._pending[plane]
        if pending:
            flat, weights = (np.concatenate(parts) for parts in zip(*pending, strict=True))
            self._planes[plane] += np.bincount(flat, weights, minlength=self._planes[plane].size)
            pending.clear()

    def counts(self, kind: str) -> npt.NDArray[np.uint32]:
        """Accesses per pixel; a pixel that something touched never rounds to none."""
        self._flush(kind)
        plane = self._planes[kind].reshape(self._shape)
        return np.where(plane > 0, np.maximum(np.rint(plane), 1), 0).astype(np.uint32)
