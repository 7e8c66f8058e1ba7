"""Counts a trace: bytes per tensor and per source line, requested and distinct."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.trace.affine import IntArray
from core.trace.record import AccessKind, Launch
from core.trace.rows import Rows, rows_of


@dataclass(frozen=True)
class BufferTraffic:
    """Traffic between one launch and one tensor argument; `unique_bytes` are the distinct bytes that were touched."""

    buffer: str
    data_ptr: int
    read_accesses: int
    written_accesses: int
    read_bytes: int
    written_bytes: int
    unique_bytes: int


@dataclass(frozen=True)
class LineTraffic:
    """Traffic between one source line and one tensor.

    `accesses` counts unmasked elements and `bytes` their bytes; an atomic reads and writes that many. `masked_share` is
    the share of the tiles' `elements` that is masked off, 0 to 1.
    """

    buffer: str
    kind: AccessKind
    file: str
    line: int
    accesses: int
    bytes: int
    unique_bytes: int
    masked_share: float
    elements: int


@dataclass(frozen=True)
class Traffic:
    """Bytes that the programs of a launch request, before any cache."""

    buffers: tuple[BufferTraffic, ...]
    lines: tuple[LineTraffic, ...]

    @property
    def read_bytes(self) -> int:
        return sum(row.read_bytes for row in self.buffers)

    @property
    def written_bytes(self) -> int:
        return sum(row.written_bytes for row in self.buffers)


@dataclass
class _Count:
    """Running totals of a group of accesses."""

    requested: int = 0
    active: int = 0


def traffic(launch: Launch) -> Traffic:
    """Counts every access of `launch`. An atomic counts as a read and a write."""
    counts: dict[tuple[int, AccessKind, str, int], _Count] = {}
    intervals: dict[tuple[int, AccessKind, str, int], list[IntArray]] = {}
    for access in launch.accesses:
        key = (access.buffer, access.kind, access.file, access.line)
        rows = rows_of(access)
        count = counts.setdefault(key, _Count())
        count.requested += len(access.programs) * math.prod(access.shape)
        count.active += int(rows.elements_per_lane().sum())
        intervals.setdefault(key, []).append(_intervals(rows))
    unions = {key: union(parts) for key, parts in intervals.items()}
    lines = tuple(_line(launch, key, counts[key], unions[key]) for key in counts)
    return Traffic(tuple(_buffer(launch, index, counts, unions) for index in range(len(launch.buffers))), lines)


def _line(launch: Launch, key: tuple[int, AccessKind, str, int], count: _Count, touched: IntArray) -> LineTraffic:
    index, kind, file, line = key
    buffer = launch.buffers[index]
    return LineTraffic(
        buffer=buffer.name,
        kind=kind,
        file=file,
        line=line,
        accesses=count.active,
        bytes=count.active * buffer.element_bytes,
        unique_bytes=covered(touched) * buffer.element_bytes,
        masked_share=1 - count.active / count.requested if count.requested else 0.0,
        elements=count.requested,
    )


def _buffer(
    launch: Launch,
    index: int,
    counts: dict[tuple[int, AccessKind, str, int], _Count],
    unions: dict[tuple[int, AccessKind, str, int], IntArray],
) -> BufferTraffic:
    buffer = launch.buffers[index]
    read = sum(c.active for (i, kind, *_), c in counts.items() if i == index and kind != "store")
    written = sum(c.active for (i, kind, *_), c in counts.items() if i == index and kind != "load")
    touched = union([spans for (i, *_), spans in unions.items() if i == index])
    return BufferTraffic(
        buffer=buffer.name,
        data_ptr=buffer.data_ptr,
        read_accesses=read,
        written_accesses=written,
        read_bytes=read * buffer.element_bytes,
        written_bytes=written * buffer.element_bytes,
        unique_bytes=covered(touched) * buffer.element_bytes,
    )


def distinct_elements(launch: Launch, buffer: int, *, reads: bool) -> int:
    """Distinct elements of a tensor argument that `launch` reads (or else writes). An atomic does both."""
    other = "store" if reads else "load"
    accesses = (access for access in launch.accesses if access.buffer == buffer and access.kind != other)
    return covered(union([_intervals(rows_of(access)) for access in accesses]))


def _intervals(rows: Rows) -> IntArray:
    """Distinct [start, end) intervals of the non-empty rows, [n, 2]."""
    starts, lengths = rows.starts, rows.lengths
    if lengths.size == 1:
        if starts.shape[1] > 1 and bool((starts[:, 1:] - starts[:, :-1] == lengths).all()):
            starts, lengths = starts[:, :1], lengths * starts.shape[1]  # the whole tile is one run
        distinct = np.unique(starts)
        return np.stack((distinct, distinct + lengths.reshape(())), axis=1)[: len(distinct) if lengths.any() else 0]
    starts, lengths = (a.reshape(-1) for a in np.broadcast_arrays(starts, lengths))
    nonempty = lengths > 0
    return np.stack((starts[nonempty], starts[nonempty] + lengths[nonempty]), axis=1)


def union(parts: Sequence[IntArray]) -> IntArray:
    """Disjoint sorted intervals that cover the same elements as `parts` (each [n, 2], half-open)."""
    spans = np.concatenate(parts) if parts else np.empty((0, 2), dtype=np.int64)
    if len(spans) < 2:
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reached = np.maximum.accumulate(spans[:, 1])
    first = np.concatenate(([True], spans[1:, 0] > reached[:-1]))
    last = np.concatenate((first[1:], [True]))
    return np.stack((spans[first, 0], reached[last]), axis=1)


def covered(spans: IntArray) -> int:
    """Elements in disjoint intervals."""
    return int((spans[:, 1] - spans[:, 0]).sum())
