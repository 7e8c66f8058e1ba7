"""Write-write races: bytes that two programs of a launch store to without an atomic.

Programs run in any order, so the final value of such a byte is undefined, unless atomics order the stores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.contracts.text import Value, tr
from core.sanitizer import kinds
from core.sanitizer.happens_before import HappensBefore
from core.trace.affine import IntArray
from core.trace.record import Access, Fault, Launch
from core.trace.rows import rows_of


@dataclass(frozen=True)
class _Stores:
    """Byte spans that one source line stores to in one buffer: [n] each."""

    begin: IntArray
    end: IntArray
    program: IntArray
    time: IntArray


Site = tuple[str, int, int]
"""File, line and buffer of a store."""


def races(launch: Launch) -> tuple[Fault, ...]:
    """Every pair of store sites of `launch` with bytes that two programs write, including tensors that share memory.

    `index` is the element of the lowest shared byte; `count` the number of bytes that more than one program stores to.
    """
    order = HappensBefore(launch)
    grouped: dict[Site, list[tuple[Access, IntArray]]] = {}
    for place, access in enumerate(launch.accesses):
        if access.kind == "store":
            timed = access, order.times(place, len(access.programs))
            grouped.setdefault((access.file, access.line, access.buffer), []).append(timed)
    sites = [(site, _stores(launch, grouped[site])) for site in sorted(grouped)]
    conflicts = []
    for index, (site, stores) in enumerate(sites):
        for other_site, other in sites[index:]:
            race = _race(launch, order, site, stores, other_site, other)
            if race is not None:
                conflicts.append(race)
    return tuple(conflicts)


def _stores(launch: Launch, accesses: list[tuple[Access, IntArray]]) -> _Stores:
    parts = [_spans(launch, access, times) for access, times in accesses]
    begin, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(begin, kind="stable")
    return _Stores(begin[order], *(column[order] for column in columns))


def _spans(launch: Launch, access: Access, times: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Absolute byte spans, and the program and time of each."""
    rows = rows_of(access)
    full = np.broadcast_shapes(rows.starts.shape, rows.lengths.shape, (len(access.programs), 1))
    starts, lengths, program, time = (
        np.broadcast_to(array, full).reshape(-1)
        for array in (rows.starts, rows.lengths, access.programs[:, None], times[:, None])
    )
    nonempty = lengths > 0
    begin = launch.buffers[access.buffer].data_ptr + starts[nonempty] * access.element_bytes
    return begin, begin + lengths[nonempty] * access.element_bytes, program[nonempty], time[nonempty]


def _race(launch: Launch, order: HappensBefore, site: Site, a: _Stores, other_site: Site, b: _Stores) -> Fault | None:
    itself = a is b
    if not len(a.begin) or not len(b.begin) or a.begin[0] >= b.end.max() or b.begin[0] >= a.end.max():
        return None
    if itself and not bool((np.maximum.accumulate(a.end)[:-1] > a.begin[1:]).any()):
        return None
    pieces = _Pieces(a, b, itself=itself)
    shared = pieces.contested()
    if not shared.any():
        return None
    byte, program, other = pieces.first(shared)
    if order:
        unordered = pieces.unordered(shared, order)
        if unordered is None:
            return None
        shared, byte, program, other = unordered
    buffer = launch.buffers[site[2]]
    index, count = (byte - buffer.data_ptr) // buffer.element_bytes, int(pieces.lengths[shared].sum())
    details: dict[str, Value] = {
        "program": program,
        "other": other,
        "kernel": launch.function,
        "index": index,
        "tensor": buffer.name,
        "location": f"{site[0]}:{site[1]}",
        "count": count,
    }
    other_location = f"{other_site[0]}:{other_site[1]}"
    if other_site[:2] == site[:2]:
        sentence = tr(
            "Programs {program} and {other} of {kernel} both store to index {index} of {tensor} at {location}, so the "
            "final value is undefined ({count:,} bytes in total).",
            **details,
        )
    else:
        sentence = tr(
            "Programs {program} and {other} of {kernel} both store to index {index} of {tensor} at {location} and "
            "{other_location}, so the final value is undefined ({count:,} bytes in total).",
            other_location=other_location,
            **details,
        )
    return Fault(
        kind=kinds.WRITE_WRITE_RACE,
        access="store",
        buffer=site[2],
        file=site[0],
        line=site[1],
        program=program,
        index=index,
        count=count,
        sentence=sentence,
        repair=tr("Give each program its own elements, or use an atomic."),
        other_program=other,
        other_file=other_site[0],
        other_line=other_site[1],
    )


class _Pieces:
    """The byte axis, cut at the ends of all spans. A piece is contested if two programs cover it.

    The lowest and highest program id per piece show whether more than one program covers it.
    """

    def __init__(self, a: _Stores, b: _Stores, *, itself: bool) -> None:
        self._cuts = np.unique(np.concatenate((a.begin, a.end) if itself else (a.begin, a.end, b.begin, b.end)))
        self.lengths: IntArray = np.diff(self._cuts)
        self._stores = (a,) if itself else (a, b)
        self._a = self._extremes(a)
        self._b = self._a if itself else self._extremes(b)

    def _extremes(self, stores: _Stores) -> tuple[IntArray, IntArray]:
        """Lowest and highest program that covers each piece; (-1, -1) where none does."""
        low = np.full(len(self.lengths), np.iinfo(np.int64).max)
        high = np.full(len(self.lengths), -1)
        for piece, span in self._covered(stores):
            program = stores.program[span]
            np.minimum.at(low, piece, program)
            np.maximum.at(high, piece, program)
        return np.where(high < 0, -1, low), high

    def _covered(self, stores: _Stores) -> Iterator[tuple[IntArray, IntArray]]:
        """(piece, span) pairs, for some spans at a time, since a long span covers many pieces."""
        first = np.searchsorted(self._cuts, stores.begin)
        count = np.searchsorted(self._cuts, stores.end) - first
        total = np.concatenate(([0], count.cumsum()))
        begin = 0
        while begin < len(first):
            end = max(begin + 1, int(np.searchsorted(total, total[begin] + (1 << 22), side="right")) - 1)
            n = count[begin:end]
            inside = np.arange(int(n.sum())) - np.repeat(total[begin:end] - total[begin], n)
            yield np.repeat(first[begin:end], n) + inside, np.repeat(np.arange(begin, end), n)
            begin = end

    def contested(self) -> npt.NDArray[np.bool_]:
        (a_low, a_high), (b_low, b_high) = self._a, self._b
        both = (a_high >= 0) & (b_high >= 0)
        contested: npt.NDArray[np.bool_] = both & ((a_low != b_high) | (a_high != b_low))
        return contested

    def first(self, contested: npt.NDArray[np.bool_]) -> tuple[int, int, int]:
        """Byte and the two programs of the lowest contested piece."""
        piece = int(contested.argmax())
        (a_low, a_high), (b_low, b_high) = self._a, self._b
        low, high = int(a_low[piece]), int(b_high[piece])
        if low == high:
            low, high = int(a_high[piece]), int(b_low[piece])
        return int(self._cuts[piece]), low, high

    def unordered(
        self, contested: npt.NDArray[np.bool_], order: HappensBefore
    ) -> tuple[npt.NDArray[np.bool_], int, int, int] | None:
        """The contested pieces with stores that nothing orders, and byte and programs of the lowest; None if all are.

        Orders pass on, so it is enough that each store to a piece is ordered after the one before it.
        """
        columns = []
        for side, stores in enumerate(self._stores):
            for piece, span in self._covered(stores):
                kept = contested[piece]
                piece, span = piece[kept], span[kept]
                columns.append(np.stack((piece, stores.time[span], stores.program[span], np.full(len(piece), side))))
        table = np.concatenate(columns, axis=1)
        piece, time, program, side = table[:, np.lexsort((table[1], table[0]))]
        follows = (piece[1:] == piece[:-1]) & (program[1:] != program[:-1])
        if len(self._stores) > 1:
            follows &= side[1:] != side[:-1]
        at = np.flatnonzero(follows)
        pairs = np.stack((program[at], time[at], program[at + 1], time[at + 1]), axis=1)
        distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
        racing = np.array([not order.ordered(*pair) for pair in distinct.tolist()], dtype=np.bool_)[inverse.reshape(-1)]
        if not racing.any():
            return None
        pieces = np.zeros_like(contested)
        pieces[piece[at[racing]]] = True
        first = int(at[racing][0])
        low, high = sorted((int(program[first]), int(program[first + 1])))
        return pieces, int(self._cuts[piece[first]]), low, high
