"""The bytes that the accesses of one source line touch in one buffer, as spans with the program and time of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.sanitizer.happens_before import HappensBefore
from core.trace.affine import Affine, IntArray
from core.trace.mask import BoolArray
from core.trace.record import Access, AccessKind, Launch
from core.trace.rows import rows_of


@dataclass(frozen=True)
class Spans:
    """Spans of bytes, by address, in the order in which they begin: [n] each."""

    begin: IntArray
    end: IntArray
    program: IntArray
    time: IntArray

    def __len__(self) -> int:
        return len(self.begin)

    def where(self, kept: BoolArray) -> Spans:
        """The spans that are kept."""
        return Spans(self.begin[kept], self.end[kept], self.program[kept], self.time[kept])

    def overlapping(self, other: Spans) -> Spans:
        """The spans that share a byte with one of another site."""
        if not len(self) or not len(other) or self.begin[0] >= other.end.max() or other.begin[0] >= self.end.max():
            return self.where(np.zeros(len(self), dtype=np.bool_))
        begin, end = merged(other.begin, other.end)
        near = np.minimum(np.searchsorted(end, self.begin, side="right"), len(end) - 1)
        return self.where((begin[near] < self.end) & (end[near] > self.begin))


@dataclass(frozen=True)
class Site:
    """A source line that accesses a buffer in one way. An atomic that is one for its own program alone is a store."""

    kind: AccessKind
    file: str
    line: int
    buffer: int
    is_own_atomic: bool = False

    @property
    def place(self) -> tuple[str, int, int]:
        return self.file, self.line, self.buffer

    @property
    def location(self) -> str:
        """'FILE:LINE'."""
        return f"{self.file}:{self.line}"


def merged(begin: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
    """Spans that begin in ascending order (at least one), with those that overlap or touch as one."""
    end = np.maximum.accumulate(end)
    apart = begin[1:] > end[:-1]
    return begin[np.concatenate(([True], apart))], end[np.concatenate((apart, [True]))]


def spans_of(launch: Launch, places: Sequence[int], order: HappensBefore) -> Spans:
    """What the accesses at some places of a launch touch."""
    parts = [_spans(launch, launch.accesses[place], order.times(place, _lanes(launch, place))) for place in places]
    begin, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    ascending = np.argsort(begin, kind="stable")
    return Spans(begin[ascending], *(column[ascending] for column in columns))


def bounds(launch: Launch, access: Access) -> tuple[int, int]:
    """Addresses between which an access surely stays: the first byte, and the one after the last."""
    offset, start = access.offset, launch.buffers[access.buffer].data_ptr
    low, high = (offset.low, offset.high) if isinstance(offset, Affine) else (offset, offset)
    return start + low * access.element_bytes, start + (high + 1) * access.element_bytes


def _lanes(launch: Launch, place: int) -> int:
    return len(launch.accesses[place].programs)


def _spans(launch: Launch, access: Access, times: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    rows = rows_of(access)
    full = np.broadcast_shapes(rows.starts.shape, rows.lengths.shape, (len(access.programs), 1))
    starts, lengths, program, time = (
        np.broadcast_to(array, full).reshape(-1)
        for array in (rows.starts, rows.lengths, access.programs[:, None], times[:, None])
    )
    nonempty = lengths > 0
    begin = launch.buffers[access.buffer].data_ptr + starts[nonempty] * access.element_bytes
    return begin, begin + lengths[nonempty] * access.element_bytes, program[nonempty], time[nonempty]
