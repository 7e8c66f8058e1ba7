"""Which accesses of two programs are ordered by atomics: a lock that is passed on, a flag, a counter.

An access is ordered before one of another program if its program used a scalar atomic after it, and the other program
used one on the same address later, but before its own access. Accesses that the launch lists later ran later, and the
lanes of one access ran in order. Orders through a third program are not followed, and atomics on tiles are not taken
as a means to order. If no atomic of a kernel acquires or releases (all are relaxed), nothing is ordered.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import cached_property

import numpy as np

from core.trace.affine import IntArray
from core.trace.record import Launch

_ORDERING = re.compile(r"\b(acq_rel|acquire|release)\b")


class HappensBefore:
    """The order that the atomics of a launch make. A time is one of `times`."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._stride = max((len(access.programs) for access in launch.accesses), default=1)

    @cached_property
    def _events(self) -> dict[int, dict[int, list[int]]]:
        """The times of the atomics of each program on each address, ascending. Most launches never need them."""
        launch = self._launch
        events: dict[int, dict[int, list[int]]] = {}
        if not _ORDERING.search(launch.ttir):
            return events
        for place, access in enumerate(launch.accesses):
            if access.kind != "atomic" or access.shape:
                continue
            active = access.active()
            addresses = launch.buffers[access.buffer].data_ptr + access.offsets()[active] * access.element_bytes
            columns = (access.programs[active], addresses, self.times(place, len(active))[active])
            for program, address, time in zip(*(column.tolist() for column in columns), strict=True):
                events.setdefault(program, {}).setdefault(address, []).append(time)
        return events

    def __bool__(self) -> bool:
        """Whether two programs could be ordered at all."""
        return len(self._events) > 1

    def times(self, place: int, lanes: int) -> IntArray:
        """When each lane of the access at `place` of the launch ran, [lanes]."""
        return place * self._stride + np.arange(lanes, dtype=np.int64)

    def ordered(self, program: int, time: int, later_program: int, later_time: int) -> bool:
        """Whether the access at `time` is ordered before the one at `later_time`."""
        acquired = self._events.get(later_program, {})
        for address, released in self._events.get(program, {}).items():
            others = acquired.get(address)
            if others is None:
                continue
            first, last = bisect_right(released, time), bisect_left(others, later_time) - 1
            if first < len(released) and last >= 0 and released[first] < others[last]:
                return True
        return False
