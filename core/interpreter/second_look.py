"""Launches that run once more, to see what comes of a finding: whether a value that was read where it is undefined gets
anywhere, and whether a second run would change anything. What they write is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch

from core.interpreter.memory import Memory
from core.interpreter.plan import Plan
from core.interpreter.serial import waits
from core.interpreter.shadows.flow import edges_of, reached
from core.interpreter.shadows.instrument import Line, may_have_shadows, with_shadows
from core.interpreter.shadows.suspects import Suspects
from core.interpreter.trial import storages_of
from core.interpreter.tuned_in_place import Before, bytes_of
from core.sanitizer.initialisation import Elements
from core.sanitizer.racing_reads import harmless, racing_reads
from core.trace.record import AccessKind, Fault, Launch


@lru_cache(maxsize=256)
def accessed(plan: Plan) -> tuple[frozenset[int], frozenset[int]]:
    """The arguments of a kernel, by position, through which it may load, and through which it may write."""
    edges = [(a.slot, b.slot) for a, b, _ in edges_of(plan.function)]
    loads, writes = set[int](), set[int]()
    for operation in plan.function.body.walk():
        if operation.name.startswith(("tt.load", "tt.store", "tt.atomic_")):
            (loads if operation.name == "tt.load" else writes).add(operation.operands[0].slot)
    flows = {place: reached(edges, [value.slot]) for place, value in enumerate(plan.function.arguments)}
    found = [frozenset(place for place, slots in flows.items() if slots & of) for of in (loads, writes)]
    return found[0], found[1]


def may_need(plan: Plan, arguments: Sequence[Any], is_unwritten: Callable[[torch.Tensor], bool]) -> bool:
    """Whether a launch may read what nobody has written, or what it writes itself."""
    if not may_have_shadows(plan.function):
        return False
    loaded, written = (
        {place: each for place in places if isinstance(each := arguments[place], torch.Tensor)}
        for places in accessed(plan)
    )
    both = storages_of(loaded.values()).keys() & storages_of(written.values()).keys()
    return bool(both) or any(map(is_unwritten, loaded.values()))


@dataclass
class SecondLook:
    """A launch that ended, with what its arguments held `before` it. `known` are loads of a kernel whose undefined
    values did get somewhere in an earlier launch: they are not looked at again."""

    plan: Plan
    launch: Launch
    memories: Sequence[Memory]
    before: Before
    execute: Callable[..., None]
    """Executes the programs again, with another plan and options of `executor.execute`."""
    known: set[tuple[int, Line]] = field(default_factory=set)

    def found(self, faults: Iterable[Fault]) -> None:
        """Add findings to the launch."""
        self.launch = replace(self.launch, faults=(*self.launch.faults, *faults))

    def dropped(self, elements: Elements) -> set[Line]:
        """The lines of loads of which none of these elements gets anywhere."""
        by_line: dict[Line, Elements] = {}
        for place, bad in elements.items():
            access = self.launch.accesses[place]
            by_line.setdefault((access.file, access.line), {})[place] = bad
        following = {
            line: of_line
            for line, of_line in by_line.items()
            if (id(self.plan), line) not in self.known and _can_follow(self.plan, line)
        }
        if not following or not self._can_restore:
            return set()
        if not self._arrives(following):
            return set(following)
        quiet = {
            line for line, of_line in following.items() if len(following) > 1 and not self._arrives({line: of_line})
        }
        self.known.update((id(self.plan), line) for line in following.keys() - quiet)
        return quiet

    def changes(self, buffer: int) -> bool:
        """Whether another run would change what the memory of a buffer holds now. True where it could not be taken
        back."""
        if not self._can_restore:
            return True
        held = self._storages[self.memories[buffer].storage_range[0]]
        with self.rewound(()):
            before = held.clone()
            self.execute(self.plan)
            return not torch.equal(held, before)

    def addresses(self, *ways: AccessKind) -> set[int]:
        """Those of the storages that the launch accesses in these ways."""
        buffers = {access.buffer for access in self.launch.accesses if access.kind in ways}
        return {self.memories[buffer].storage_range[0] for buffer in buffers}

    @contextmanager
    def rewound(self, addresses: Iterable[int]) -> Iterator[None]:
        """Inside the block, these storages hold what they held before the launch. Afterwards, all that were kept or
        written hold again what they hold now."""
        kept = self.before.keys() | self.addresses("store", "atomic")
        after = {address: self._storages[address].clone() for address in kept}
        try:
            for address in addresses:
                self._storages[address].copy_(self.before[address])
            yield
        finally:
            for address, content in after.items():
                self._storages[address].copy_(content)

    def _arrives(self, lines: Mapping[Line, Elements]) -> bool:
        plan = with_shadows(self.plan, frozenset(lines))
        if plan is self.plan:
            return True
        suspects = Suspects({place: bad for elements in lines.values() for place, bad in elements.items()})
        with self.rewound(self.before):
            self.execute(plan, suspects=suspects)
        return suspects.has_arrived

    @property
    def _can_restore(self) -> bool:
        return self.addresses("store", "atomic") <= self.before.keys()

    @cached_property
    def _storages(self) -> dict[int, torch.Tensor]:
        """The bytes of each storage, by address."""
        return {memory.storage_range[0]: bytes_of(memory.flat.untyped_storage()) for memory in self.memories}


def harmless_races(look: SecondLook) -> list[Fault]:
    """The remarks on loads that race with stores, but whose value gets nowhere."""
    if look.launch.programs < 2:
        return []
    races = racing_reads(look.launch)
    elements: Elements = {}
    for _, of_race in races:
        for place, bad in of_race.items():
            elements[place] = bad | elements.get(place, np.False_)
    quiet = look.dropped(elements)
    return [harmless(look.launch, race, of_race) for race, of_race in races if (race.a.file, race.a.line) in quiet]


def _can_follow(plan: Plan, line: Line) -> bool:
    """Whether all loads of a line stand where shadows are followed: not in a loop that waits for other programs."""
    operations = list(plan.function.body.walk())
    waiting = {inner for loop in waits(plan.function) for region in loop.regions for inner in region.walk()}
    loads = [op for op in operations if op.name == "tt.load" and (op.location.file, op.location.line) == line]
    return bool(loads) and waiting.isdisjoint(loads)
