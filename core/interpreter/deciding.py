"""What decides whether a while loop goes on: carried values, and what it reads from memory on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from core.interpreter.ir import Operation
from core.interpreter.ops.registry import PURE, PURE_STEPS

READS = ("tt.load", "tt.atomic_rmw", "tt.atomic_cas")
_REPEATABLE = ("tt.get_program_id", "tt.get_num_programs", "scf.if", "scf.for", "scf.while", "scf.yield")


@dataclass(frozen=True)
class Deciding:
    """`arguments` are positions of the values that the loop carries, `reads` accesses to memory.

    `is_known` is False if the loop also depends on something else that changes by itself, such as a clock. Equal
    arguments, and memory that nobody has changed, mean the same decision again only where it is True.
    """

    arguments: tuple[int, ...]
    reads: tuple[Operation, ...]
    is_known: bool


@lru_cache(maxsize=1024)
def deciding(loop: Operation) -> Deciding:
    """What the condition of an scf.while depends on, over all iterations."""
    return _Search(loop).result()


class _Search:
    """Walks from the condition back to its sources."""

    def __init__(self, loop: Operation) -> None:
        self._before, self._after = loop.regions
        self._makers = {
            value.slot: operation
            for region in loop.regions
            for operation in region.walk()
            for value in operation.results
        }
        for region in loop.regions:
            for operation in region.walk():
                for inner in operation.regions:
                    self._makers |= {value.slot: operation for value in inner.arguments}
        self._known: set[int] = set()
        self._reads: dict[Operation, None] = {}
        self._is_known = True

    def result(self) -> Deciding:
        waiting = [self._before.terminator.operands[0].slot]
        while waiting:
            slot = waiting.pop()
            if slot not in self._known:
                self._known.add(slot)
                waiting += self._sources(slot)
        arguments = tuple(i for i, value in enumerate(self._before.arguments) if value.slot in self._known)
        return Deciding(arguments, tuple(self._reads), self._is_known)

    def _sources(self, slot: int) -> Iterator[int]:
        for value, given in zip(self._before.arguments, self._after.terminator.operands, strict=True):
            if value.slot == slot:
                yield given.slot
        for value, given in zip(self._after.arguments, self._before.terminator.operands[1:], strict=True):
            if value.slot == slot:
                yield given.slot
        maker = self._makers.get(slot)
        if maker is None:
            return
        yield from (value.slot for value in maker.operands)
        self._look_at(maker)
        if maker.name == "scf.if":
            place = next((i for i, value in enumerate(maker.results) if value.slot == slot), None)
            if place is not None:
                yield from (region.terminator.operands[place].slot for region in maker.regions)
                return
        for region in maker.regions:
            for operation in region.walk():
                self._look_at(operation)
                yield from (value.slot for value in operation.operands)

    def _look_at(self, operation: Operation) -> None:
        if operation.name in READS:
            self._reads[operation] = None
        elif operation.name not in PURE and operation.name not in PURE_STEPS:
            self._is_known = self._is_known and operation.name.startswith(_REPEATABLE)
