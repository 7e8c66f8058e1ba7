"""Which accesses of two programs are ordered by atomics: a lock that is passed on, a flag, a counter.

An access is ordered before one of another program if its program used a scalar atomic after it, and the other program
used one on the same address later, but before its own access, or if a chain of programs passes the order on like that.
A volatile load counts as an atomic: kernels wait with it. Accesses that the launch lists later ran later, and the lanes
of one access ran in order. Atomics on tiles are not taken as a means to order. If no atomic of a kernel acquires or
releases (all are relaxed), nothing is ordered.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from operator import itemgetter

import numpy as np

from core.trace.affine import IntArray
from core.trace.record import Access, Launch

_ORDERING = re.compile(r"\b(acq_rel|acquire|release)\b")
_VOLATILE = re.compile(r"\bvolatile\s*=\s*True|\.cv\b")


class HappensBefore:
    """The order that the atomics of a launch make. A time is one of `times`."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._stride = max((len(access.programs) for access in launch.accesses), default=1)
        self._informed: dict[tuple[int, int], dict[int, int]] = {}

    @cached_property
    def _events(self) -> dict[int, dict[int, list[int]]]:
        """The times of the atomics of each program on each address, ascending. Most launches never need them."""
        launch = self._launch
        events: dict[int, dict[int, list[int]]] = {}
        if not _ORDERING.search(launch.ttir):
            return events
        for place, access in enumerate(launch.accesses):
            if access.shape or not self.is_atomic(access):
                continue
            active = access.active()
            addresses = launch.buffers[access.buffer].data_ptr + access.offsets()[active] * access.element_bytes
            columns = (access.programs[active], addresses, self.times(place, len(active))[active])
            for program, address, time in zip(*(column.tolist() for column in columns), strict=True):
                events.setdefault(program, {}).setdefault(address, []).append(time)
        return events

    @cached_property
    def _in_time(self) -> list[tuple[int, int, int]]:
        """All events as (time, program, address), in the order of time."""
        events = (
            (time, program, address)
            for program, addresses in self._events.items()
            for address, times in addresses.items()
            for time in times
        )
        return sorted(events)

    def __bool__(self) -> bool:
        """Whether two programs could be ordered at all."""
        return len(self._events) > 1

    def is_atomic(self, access: Access) -> bool:
        """Whether an access cannot be torn or left out by the compiler: an atomic, or a volatile load."""
        if access.kind != "load":
            return access.kind == "atomic"
        return not access.shape and access.file == self._launch.file and access.line in self._volatile_lines

    @cached_property
    def _volatile_lines(self) -> frozenset[int]:
        if "isVolatile = true" not in self._launch.ttir:
            return frozenset()
        lines = enumerate(self._launch.source.splitlines(), self._launch.first_line)
        return frozenset(number for number, line in lines if _VOLATILE.search(line))

    def times(self, place: int, lanes: int) -> IntArray:
        """When each lane of the access at `place` of the launch ran, [lanes]."""
        return place * self._stride + np.arange(lanes, dtype=np.int64)

    def ordered(self, program: int, time: int, later_program: int, later_time: int) -> bool:
        """Whether the access at `time` is ordered before the one at `later_time`. An atomic orders itself, too."""
        acquired = self._events.get(later_program, {})
        for address, released in self._events.get(program, {}).items():
            others = acquired.get(address)
            if others is None:
                continue
            first, last = bisect_left(released, time), bisect_right(others, later_time) - 1
            if first < len(released) and last >= 0 and released[first] < others[last]:
                return True
        return self._reached(program, time).get(later_program, later_time + 1) <= later_time

    def _reached(self, program: int, time: int) -> dict[int, int]:
        """When the atomics of each program first follow, over any number of programs, the access at `time`."""
        begin = bisect_left(self._in_time, time, key=itemgetter(0))
        start = next((at for at, by, _ in self._in_time[begin:] if by == program), None)
        if start is None:
            return {}
        known = self._informed.get((program, start))
        if known is None:
            known, addresses = {program: start}, set[int]()
            for at, by, address in self._in_time[begin:]:
                if at >= start and (by in known or address in addresses):
                    known.setdefault(by, at)
                    addresses.add(address)
            self._informed[program, start] = known
        return known
