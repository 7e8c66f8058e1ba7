"""The order of the accesses of several launches: launch by launch, program by program, each in its own order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.trace.address_map import program_edges
from core.trace.affine import IntArray
from core.trace.record import Access, Launch
from core.trace.rows import rows_of


@dataclass(frozen=True)
class Moment:
    """One element access: the `element`-th unmasked element of `access`, made by `program`.

    Programs are numbered across all launches; `launch` is the index of the launch.
    """

    launch: int
    program: int
    access: Access
    element: int


class Order:
    """The time axis of consecutive launches, counted in element accesses: the x axis of an address map.

    `edges` float64 [programs + 1] are the positions at which each program begins, and the end.
    """

    def __init__(self, launches: Sequence[Launch]) -> None:
        self._launches = tuple(launches)
        self._first_program = np.cumsum([0, *(launch.programs for launch in launches)])
        self._elements = [tuple(rows_of(access).elements_per_lane() for access in each.accesses) for each in launches]
        self.edges: npt.NDArray[np.float64] = program_edges(launches).astype(np.float64)
        self._spans: tuple[int, IntArray, list[Access]] = -1, np.zeros(1, dtype=np.int64), []

    @property
    def accesses(self) -> float:
        """The end of the axis."""
        return float(self.edges[-1])

    @property
    def programs(self) -> int:
        return len(self.edges) - 1

    def accesses_of_program(self) -> npt.NDArray[np.float64]:
        """Element accesses per program, [programs]."""
        return np.diff(self.edges)

    def program_at(self, x: float) -> int | None:
        """The program at `x`, or None outside the axis."""
        if not 0 <= x < self.accesses:
            return None
        return int(np.searchsorted(self.edges, x, side="right")) - 1

    def moment_at(self, x: float) -> Moment | None:
        """The element access at `x`, or None outside the axis."""
        program = self.program_at(x)
        if program is None:
            return None
        starts, accesses = self._of_program(program)
        inside = int(x - self.edges[program])
        index = int(np.searchsorted(starts, inside, side="right")) - 1
        return Moment(self._launch_of(program), program, accesses[index], inside - int(starts[index]))

    def time_of(self, program: int, order: int) -> float | None:
        """The position at which the access with that `order` begins in a program, or None if it touches nothing."""
        if not 0 <= program < self.programs:
            return None
        starts, accesses = self._of_program(program)
        index = next((i for i, access in enumerate(accesses) if access.order == order), None)
        return None if index is None else float(self.edges[program] + starts[index])

    def _launch_of(self, program: int) -> int:
        return int(np.searchsorted(self._first_program, program, side="right")) - 1

    def _of_program(self, program: int) -> tuple[IntArray, list[Access]]:
        """Starts, relative to the program's, of its non-empty accesses. The last program is cached."""
        if self._spans[0] != program:
            launch = self._launch_of(program)
            in_launch = program - int(self._first_program[launch])
            lengths, accesses = [0], []
            for access, elements in zip(self._launches[launch].accesses, self._elements[launch], strict=True):
                for lane in np.flatnonzero(access.programs == in_launch):
                    if elements[lane]:
                        lengths.append(int(elements[lane]))
                        accesses.append(access)
            self._spans = program, np.cumsum(lengths[:-1], dtype=np.int64) if accesses else np.zeros(1, int), accesses
        return self._spans[1], self._spans[2]
