"""A program in a loop that goes round without end, and the place in memory that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from core.contracts.text import Text, tr
from core.interpreter.body import Body
from core.interpreter.condition import Asked, Relation, asked_of, compared, opposite
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.scopes import cut_all
from core.interpreter.values import Pointer, torch_dtype
from core.trace import affine
from core.trace.affine import IntArray


@dataclass(frozen=True)
class Question:
    """A place in memory that a program asks for, until it has a value. `address` is in bytes, `index` in elements."""

    asked: Asked
    buffer: int
    tensor: str
    index: int
    address: int
    relation: Relation
    bound: Any
    value: Any

    @property
    def condition(self) -> Text:
        """What ends the wait, as a clause."""
        return _CLAUSES[self.relation](f"{self.tensor}[{self.index}]", written(self.bound))


_CLAUSES: dict[Relation, Callable[[str, str], Text]] = {
    "eq": lambda place, bound: tr("{place} is {bound}", place=place, bound=bound),
    "ne": lambda place, bound: tr("{place} is not {bound}", place=place, bound=bound),
    "ge": lambda place, bound: tr("{place} is at least {bound}", place=place, bound=bound),
    "gt": lambda place, bound: tr("{place} is more than {bound}", place=place, bound=bound),
    "le": lambda place, bound: tr("{place} is at most {bound}", place=place, bound=bound),
    "lt": lambda place, bound: tr("{place} is less than {bound}", place=place, bound=bound),
}


@dataclass
class Waiting:
    """One lane of a frame in a loop that goes round without end, in front of an iteration that begins with `carried`.

    `after` is None for a loop that does nothing but ask.
    """

    frame: Frame
    lane: int
    loop: Operation
    before: Body
    after: Body | None
    carried: Sequence[Any]

    @property
    def program(self) -> int:
        return int(self.frame.programs[self.lane])

    @property
    def name(self) -> str:
        """The program as '(x, y, z)'."""
        return self.frame.describe_program(self.lane)

    @cached_property
    def values(self) -> list[Any]:
        """What an iteration computes, by slot. Nobody has changed anything, so it may be executed once more."""
        run, part = self.frame.run, one_lane(self.frame, self.lane)
        recorded = len(run.accesses)
        carried = cut_all(self.carried, slice(self.lane, self.lane + 1), run.device)
        for body in (self.before, self.after):
            if body is not None:
                for slot, value in zip(body.arguments, carried, strict=True):
                    part.values[slot] = value
                for each, _ in body.steps:
                    each(part)
                carried = [part.values[slot] for slot in body.results[1:]]
        del run.accesses[recorded:]
        return part.values

    @cached_property
    def question(self) -> Question | None:
        """The place that it asks for; None if it is more than one."""
        asked = asked_of(self.loop)
        if asked is None or (self.after is None and not self._is_before(asked.read)):
            return None
        pointer = self.values[asked.read.operands[0].slot]
        bound = number(self.values[asked.bound.slot])
        if not isinstance(pointer, Pointer) or bound is None:
            return None
        buffer, offset = number(pointer.buffer), number(pointer.offset)
        if buffer is None or offset is None:
            return None
        type_ = asked.read.operands[0].type
        memory = self.frame.run.memory(int(buffer), type_.element_bytes)
        if not memory.low <= offset <= memory.high:
            return None
        relation = opposite(asked.relation)
        if asked.read.name == "tt.atomic_cas":
            expected = number(self.values[asked.read.operands[1].slot])
            if expected is not None and compared(relation, expected, bound):
                relation, bound = "eq", expected
        element = memory.flat.view(torch_dtype(type_.element))[memory.base + int(offset)]
        return Question(
            asked=asked,
            buffer=int(buffer),
            tensor=memory.buffer.name,
            index=int(offset) * memory.element_bytes // memory.buffer.element_bytes,
            address=memory.storage_range[0] + (memory.base + int(offset)) * memory.element_bytes,
            relation=relation,
            bound=bound,
            value=element.item(),
        )

    def _is_before(self, operation: Operation) -> bool:
        return any(each is operation for each in self.loop.regions[0].walk())


def one_lane(frame: Frame, lane: int) -> Frame:
    """A lane of a frame, with its values."""
    return part_of(frame, slice(lane, lane + 1))


def part_of(frame: Frame, lanes: slice | IntArray) -> Frame:
    """The lanes of a frame that go on together, with their values."""
    part = frame.of_lanes(lanes)
    part.values = cut_all(frame.values, lanes, frame.run.device)
    part.units = frame.units
    return part


def written(value: float) -> str:
    """A number as text: integers with all digits."""
    return f"{value:g}" if isinstance(value, float) else str(int(value))


def number(value: Any) -> int | float | None:
    """A value of one lane as a number; None if it is a tile or a pointer."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 else None
    if isinstance(value, affine.Affine):
        array = value.dense()
        return int(array.reshape(-1)[0]) if array.size == 1 else None
    return None
