"""Which accesses of two programs are ordered by atomics: a lock that is passed on, a flag, a counter.

An access is ordered before one of another program if its program used a scalar atomic after it, and the other program
used one on the same address later, but before its own access, or if a chain of programs passes the order on like that.
The first has to release and the second to acquire, which `atomics` tells. A volatile load acquires: kernels wait with
it. Accesses that the launch lists later ran later, and the lanes of one access ran in order. Atomics on tiles are not
taken as a means to order.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from operator import itemgetter

import numpy as np

from core.sanitizer.atomics import Atomics, Ordering
from core.trace.affine import IntArray
from core.trace.record import Access, Launch

_VOLATILE = re.compile(r"\bvolatile\s*=\s*True|\.cv\b")


_Event = tuple[int, int, int, bool, bool]
"""Time, program, address, and whether the atomic acquires and releases."""


class HappensBefore:
    """The order that the atomics of a launch make. A time is one of `times`."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._stride = max((len(access.programs) for access in launch.accesses), default=1)
        self._informed: dict[tuple[int, int], dict[int, int]] = {}

    @cached_property
    def atomics(self) -> Atomics:
        """What the atomics of each line order."""
        return Atomics(self._launch.ttir)

    @cached_property
    def _in_time(self) -> list[_Event]:
        """The atomics that order something, in the order of time. Most launches never need them."""
        events = []
        for place, access in enumerate(self._launch.accesses):
            if access.shape or not self.is_atomic(access):
                continue
            is_load = access.kind == "load"
            does = Ordering(acquires=True) if is_load else self.atomics.at(access.file, access.line)
            if not (does.acquires or does.releases):
                continue
            active = access.active()
            start = self._launch.buffers[access.buffer].data_ptr
            addresses = start + access.offsets()[active] * access.element_bytes
            columns = (self.times(place, len(active))[active], access.programs[active], addresses)
            for time, program, address in zip(*(column.tolist() for column in columns), strict=True):
                events.append((time, program, address, does.acquires, does.releases))
        return sorted(events)

    def _times(self, *, of_acquiring: bool) -> dict[int, dict[int, list[int]]]:
        """The times of the atomics of each program on each address, ascending: those that acquire, or release."""
        found: dict[int, dict[int, list[int]]] = {}
        for time, program, address, acquires, releases in self._in_time:
            if acquires if of_acquiring else releases:
                found.setdefault(program, {}).setdefault(address, []).append(time)
        return found

    @cached_property
    def _acquired(self) -> dict[int, dict[int, list[int]]]:
        return self._times(of_acquiring=True)

    @cached_property
    def _released(self) -> dict[int, dict[int, list[int]]]:
        return self._times(of_acquiring=False)

    def __bool__(self) -> bool:
        """Whether two programs could be ordered at all."""
        return bool(self._acquired and self._released)

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
        acquired = self._acquired.get(later_program, {})
        for address, released in self._released.get(program, {}).items():
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
        start = next((at for at, by, _, _, releases in self._in_time[begin:] if by == program and releases), None)
        if start is None:
            return {}
        known = self._informed.get((program, start))
        if known is None:
            known, addresses = {program: start}, set[int]()
            for at, by, address, acquires, releases in self._in_time[begin:]:
                if at < start:
                    continue
                if acquires and address in addresses:
                    known.setdefault(by, at)
                if releases and by in known:
                    addresses.add(address)
            self._informed[program, start] = known
        return known
