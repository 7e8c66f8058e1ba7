"""Where in a launch the accesses of a walk are, and which of them reaches an element."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.sanitizer.walks.walk import Walk
from core.trace.affine import Affine
from core.trace.record import Access, Buffer, Fault, Launch

Place = tuple[str, str, str, int]
"""Kind of access, parameter, file and line."""


class Places:
    """The accesses of a launch by their places."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.numbers = {buffer.name: number for number, buffer in enumerate(launch.buffers)}
        self._accesses: dict[Place, list[Access]] = defaultdict(list)
        for access in launch.accesses:
            name = launch.buffers[access.buffer].name
            self._accesses[access.kind, name, access.file, access.line].append(access)

    def has(self, walk: Walk) -> bool:
        """Whether the line of a walk was executed, and counts in the elements of its tensor."""
        number = self.numbers.get(walk.tensor)
        width = None if number is None else self.launch.buffers[number].element_bytes
        return place_of(walk) in self._accesses and walk.element_bytes == width

    def buffer(self, walk: Walk) -> Buffer:
        return self.launch.buffers[self.numbers[walk.tensor]]

    def accesses(self, walk: Walk) -> Sequence[Access]:
        return self._accesses[place_of(walk)]

    def of_tensor(self, name: str) -> frozenset[Place]:
        """All places that access a tensor."""
        return frozenset(place for place in self._accesses if place[1] == name)

    def fault(self, walk: Walk, index: int, **more: Any) -> Fault:
        """A fault of all accesses of a walk, by the first that reaches an index."""
        access, lane, element = reaching(self.accesses(walk), index)
        return Fault(
            access=walk.kind,
            buffer=self.numbers[walk.tensor],
            file=walk.file,
            line=walk.line,
            program=int(access.programs[lane]),
            index=index,
            count=sum(int(np.count_nonzero(each.active())) for each in self.accesses(walk)),
            iteration=access.iteration,
            element=element,
            **more,
        )


def place_of(walk: Walk) -> Place:
    return walk.kind, walk.tensor, walk.file, walk.line


def reaching(accesses: Sequence[Access], index: int) -> tuple[Access, int, tuple[int, ...]]:
    """The first access that reaches an index, with the lane and the element of its tile; else the first access."""
    for access in accesses:
        offset = access.offset
        if isinstance(offset, Affine) and not offset.low <= index <= offset.high:
            continue
        hit = access.active() & (access.offsets() == index)
        if hit.any():
            lane, *element = (int(i) for i in np.unravel_index(int(hit.argmax()), hit.shape))
            return access, lane, tuple(element)
    return accesses[0], 0, ()


def element_at(buffer: Buffer, index: int) -> list[int]:
    """Which element of a tensor without overlaps lies at an offset."""
    element = [0] * len(buffer.shape)
    for axis in sorted(range(len(buffer.shape)), key=lambda axis: -buffer.strides[axis]):
        if buffer.shape[axis] > 1 and buffer.strides[axis]:
            element[axis], index = divmod(index, buffer.strides[axis])
    return element
