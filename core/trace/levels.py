"""An address map for panning and zooming: the indexed rows of a trace, with levels of detail.

The whole trace is read once, not for each picture:

- rows (contiguous runs of elements) are flattened, split into equal blocks of time, and sorted by address inside each
  block, so that the rows of any rectangle are a few slices;
- each coarser level keeps one of four rows, chosen at random among neighbours in time and address. A picture uses the
  finest level with few enough rows in its rectangle, so its cost does not grow with the trace, and it is exact if the
  rectangle holds few rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.trace.address_map import AddressMap, Band, Extent, placed, placed_rows, program_edges
from core.trace.affine import IntArray
from core.trace.record import Launch
from core.trace.span_canvas import SpanCanvas, Spans

DRAWN_ROWS = 300_000
"""Most rows in one picture, which take about 20 ms."""

_BLOCKS = 128
_COARSER = 4
_KIND_BITS = {"load": 1, "store": 2, "atomic": 3}


@dataclass(frozen=True)
class _Sites:
    """The source line, kind and element size of rows, by the site number of a row."""

    file: tuple[str, ...]
    line: IntArray
    planes: IntArray
    element_bytes: IntArray


class _Level:
    """Rows sorted by block of time, then by address. `key` is block * (end of y) + address."""

    def __init__(self, rows: Spans, key: IntArray, y_end: int) -> None:
        self.rows = rows
        self.key = key
        self._y_end = y_end
        edges = np.searchsorted(key, np.arange(_BLOCKS + 1) * y_end)
        spans = [rows.x[first:last] for first, last in pairwise(edges.tolist())]
        self._x_low = np.array([int(part.min()) if len(part) else 0 for part in spans])
        self._x_high = np.array([int(part.max()) if len(part) else -1 for part in spans])

    def coarser(self, rng: np.random.Generator) -> _Level:
        """A level with one of every four neighbours."""
        count = len(self.rows) // _COARSER
        chosen = np.arange(count) * _COARSER + rng.integers(0, _COARSER, count)
        return _Level(self.rows.take(chosen), self.key[chosen], self._y_end)

    def segments(self, x: Extent, y: Extent) -> tuple[IntArray, IntArray]:
        """Slices with every row that begins inside (and, in the first and last block, some that do not)."""
        blocks = np.flatnonzero((self._x_high >= x[0]) & (self._x_low < x[1]) & (self._x_high >= 0))
        base = blocks * self._y_end
        low, high = (int(np.clip(v, 0, self._y_end)) for v in (np.floor(y[0]), np.ceil(y[1])))
        return np.searchsorted(self.key, base + low), np.searchsorted(self.key, base + high)


class AddressLevels:
    """The accesses of `launches` to the tensors of `bands`, ready to be drawn at any zoom."""

    def __init__(self, launches: Sequence[Launch], bands: Sequence[Band]) -> None:
        self._placed, tops = placed(bands)
        self._bytes = max(1, tops[-1])
        self._edges = program_edges(launches)
        self._longest = 1
        self._longest_bytes = 1
        rows, self._sites = _flattened(launches, bands, tops, self._edges)
        if len(rows):
            self._longest = int(rows.length.max())
            self._longest_bytes = int((rows.length * self._sites.element_bytes[rows.site]).max())
        self._levels = _levels(rows, self.accesses, self._bytes)

    @property
    def accesses(self) -> int:
        """The full extent of x."""
        return int(self._edges[-1])

    @property
    def bytes(self) -> int:
        """The full extent of y."""
        return self._bytes

    def picture(
        self,
        width: int,
        height: int,
        *,
        x_range: Extent | None = None,
        y_range: Extent | None = None,
        line: tuple[str, int] | None = None,
        drawn_rows: int = DRAWN_ROWS,
    ) -> AddressMap:
        """The accesses inside `x_range` (accesses) and `y_range` (bytes), or only those of one source `line`.

        Rows that cross pixels are split evenly among them. If the rectangle holds more than `drawn_rows` rows, a sample
        is drawn and `sampled` is its share; pass `len(levels)` for an exact picture.
        """
        x = x_range or (0.0, max(self.accesses, 1.0))
        y = y_range or (0.0, float(self._bytes))
        canvas = SpanCanvas(width, height, x, y)
        reach = (x[0] - self._longest, x[1]), (y[0] - self._longest_bytes, y[1])
        spans, share = self._sampled_rows(*reach, drawn_rows)
        if line is not None:
            of_line = (self._sites.line == line[1]) & np.array(
                [file == line[0] for file in self._sites.file], dtype=bool
            )
            spans = spans.take(np.flatnonzero(of_line[spans.site]))
        planes = self._sites.planes[spans.site]
        element_bytes = self._sites.element_bytes[spans.site]
        read, write = (canvas.counts(spans, element_bytes, planes & bit > 0, 1 / share) for bit in (1, 2))
        return AddressMap(
            read=read,
            write=write,
            program_edges=self._edges.astype(np.float64),
            bands=self._placed,
            accesses=self.accesses,
            bytes=self._bytes,
            x_range=x,
            y_range=y,
            sampled=share,
        )

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._levels[0].rows)

    def _sampled_rows(self, x: Extent, y: Extent, drawn_rows: int) -> tuple[Spans, float]:
        """Rows that may lie in the rectangle, from the finest level with few enough of them, and their share."""
        whole = 0
        for level in self._levels:
            first, last = level.segments(x, y)
            count = int((last - first).sum())
            whole = whole or count
            if count <= drawn_rows or level is self._levels[-1]:
                return level.rows.slices(first, last), count / whole if whole else 1.0
        raise AssertionError("there is always a level")


def _levels(rows: Spans, x_end: int, y_end: int) -> list[_Level]:
    key = rows.x.astype(np.int64)
    key *= _BLOCKS
    key //= max(1, x_end)
    key *= y_end
    key += rows.y
    order = np.argsort(key)
    levels = [_Level(rows.take(order), key[order], y_end)]
    rng = np.random.default_rng(0)
    while len(levels[-1].rows) > DRAWN_ROWS:
        levels.append(levels[-1].coarser(rng))
    return levels


def _flattened(
    launches: Sequence[Launch], bands: Sequence[Band], tops: Sequence[int], edges: IntArray
) -> tuple[Spans, _Sites]:
    """All rows that touch a band, and their sites."""
    sites: dict[tuple[str, int, int, int], int] = {}
    parts: list[Spans] = []
    x_type, y_type = (np.uint32 if end < 1 << 32 else np.int64 for end in (int(edges[-1]), tops[-1]))
    first = 0
    for launch in launches:
        for access, rows, x in placed_rows(launch, edges[first : first + launch.programs]):
            buffer = launch.buffers[access.buffer]
            index = next((i for i, b in enumerate(bands) if 0 <= buffer.data_ptr - b.data_ptr < b.size_bytes), None)
            if index is None:
                continue
            y = tops[index] + buffer.data_ptr - bands[index].data_ptr + rows.starts * access.element_bytes
            x, y, length = (a.reshape(-1) for a in np.broadcast_arrays(x, y, rows.lengths))
            inside = np.flatnonzero((length > 0) & (y >= 0) & (y < tops[-1]))
            key = (access.file, access.line, _KIND_BITS[access.kind], access.element_bytes)
            site = np.full(len(inside), sites.setdefault(key, len(sites)), dtype=np.int32)
            parts.append(
                Spans(x[inside].astype(x_type), y[inside].astype(y_type), length[inside].astype(np.int32), site)
            )
        first += launch.programs
    files, lines, planes, sizes = zip(*sites, strict=True) if sites else ((), (), (), ())
    return Spans.joined(parts), _Sites(tuple(files), *(np.array(c, dtype=np.int64) for c in (lines, planes, sizes)))
