"""The size from which on an index of a kernel wraps, where the sizes that were seen are too small to show it.

One size grows (`growth`), and all else stays as it was. A size is named only if the tensors of that launch fit into the
memory of a GPU, if no argument is near the limit of 32 bits (there, nearly every kernel wraps), if the element that is
reached lies inside its tensor, and if no loaded value decides about it. What is reported are the operations that wrap
first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from core.interpreter.grid import MAX_GRID
from core.interpreter.ir import Function
from core.proofs import terms
from core.proofs.addressing import addressing
from core.proofs.evaluate import Reached, reached
from core.proofs.family import LIMIT, Quantity, Seen, candidates
from core.proofs.growth import Grown, Growth
from core.proofs.intervals import comparisons
from core.proofs.solving import Clock, Solver, TooHard
from core.proofs.terms import Formula, Poly, Symbol
from core.proofs.values import Check, Place
from core.proofs.wrapping import Use, Wrapping, argument

_QUESTION_S = 0.05
"""How long one question to z3 may take."""

_LARGEST = LIMIT >> 1
"""Up to this argument, sums such as `n + BLOCK - 1` do not wrap."""

_SECONDS = 20.0
"""After this time the search ends in any case."""

_EVALUATION_S = 2.0
"""How long the kernel may be evaluated. That takes milliseconds, if its formulas have a usual size."""


@dataclass(frozen=True)
class Ahead:
    """An operation that wraps from `launch` on. `size` is the name of what grows, and `now` is its value in the largest
    launch that was seen. `tensor` is the position of the argument that is reached with the index."""

    check: Check
    size: str
    now: int
    launch: Grown
    tensor: int


def ahead(function: Function, seen: Sequence[Seen], memory_bytes: float) -> tuple[Ahead, ...]:
    """The operations of a kernel that wrap first, at most one for each line, as the outermost dimension of its tensors
    grows. Empty if none does at a size whose tensors fit into `memory_bytes`, or if that is too hard to tell."""
    found = candidates(seen)
    sizes: dict[tuple[int, ...], Quantity] = {}
    for each in found.sizes:
        if not each.is_stride:
            sizes.setdefault(each.values, each)
    reduced = addressing(function)
    wrapping = Wrapping(Solver(Clock(_SECONDS), _QUESTION_S, all_symbols=True))
    growths = [growth for growth in (Growth(found, size) for size in sizes.values()) if growth.axis == 0]
    try:
        for growth in sorted(growths, key=lambda growth: not growth.follows_grid):
            first = _Search(reduced, growth, memory_bytes, wrapping).first()
            if first:
                return first
    except (TooHard, RecursionError):  # formulas that are nested deeply
        pass
    return ()


class _Search:
    """Looks for the smallest size at which an index wraps."""

    def __init__(self, function: Function, growth: Growth, memory_bytes: float, wrapping: Wrapping) -> None:
        self._function = function
        self._growth = growth
        self._memory_bytes = memory_bytes
        self._wrapping = wrapping
        self._launches: dict[int, Grown] = {}

    def first(self) -> tuple[Ahead, ...]:
        """What wraps first."""
        low = self._growth.now
        most = _last(self._fits, low, _LARGEST)
        return self._between(low, most, self._uses()) if low < most else ()

    def _at(self, size: int) -> Grown:
        if size not in self._launches:
            launch = self._growth.at(size)
            assert launch is not None
            self._launches[size] = launch
        return self._launches[size]

    def _fits(self, size: int) -> bool:
        launch = self._growth.at(size)
        if launch is None or launch.bytes > self._memory_bytes or max(launch.numbers.values(), default=0) > _LARGEST:
            return False
        return all(side <= most for side, most in zip(launch.grid, MAX_GRID, strict=True))

    def _uses(self) -> list[Use]:
        """The numbers that accesses rely on, those of one access in the order in which they are computed. None if
        neither the grid nor a loop goes through the size: the kernel would not be launched with more of it."""
        arguments: list[Poly | None] = [None] * len(self._function.arguments)
        for index, value in self._at(self._growth.now).numbers.items():
            moves = index in self._growth.moving
            arguments[index] = terms.of(argument(index)) if moves else terms.number(value)
        uses = dict[tuple[Check, Formula], Use]()
        accesses = reached(self._function, arguments, Clock(_EVALUATION_S))
        if not self._growth.follows_grid and not any(map(self._loops, accesses)):
            return []
        for access in accesses:
            checks = [check for _, group in access.relies_on for check in group if check.operation is not None]
            for check in sorted(checks, key=lambda check: (len(check.value.terms), check.line, check.value.key)):
                if check.bits and isinstance(access.place, Place) and not _unknown(access, access.place, check):
                    uses.setdefault((check, access.when), Use(access, access.place, check))
        return list(uses.values())

    def _loops(self, access: Reached) -> bool:
        """Whether an access is in a loop that ends at the size."""
        sizes = {argument(index) for index in self._growth.sizes}
        return any(
            any(isinstance(atom, Symbol) and atom.kind == "step" for atom in left.atoms())
            and not sizes.isdisjoint(right.atoms())
            for left, right in comparisons(access.when)
        )

    def _between(self, low: int, high: int, uses: list[Use]) -> tuple[Ahead, ...]:
        """What wraps first, at sizes above `low` up to `high`."""
        last = self._at(high)
        doubtful = [use for use in uses if self._wrapping.margin(use, last, roughly=True) > 0]
        least: list[tuple[int, Use]] = []
        smallest = high
        for use in doubtful:
            # Above the smallest size so far, no exact one is needed.
            if self._margin(use, smallest) > 0:
                smallest = _crossing(partial(self._margin, use), low, smallest)
                least.append((smallest, use))
            elif smallest < high:
                least.append((smallest + 1, use))
        best, first = high + 1, dict[str, Use]()
        for size, use in sorted(least, key=lambda one: one[0]):
            if size > best or (use.check.line in first and size == best):
                continue
            at = self._first(use, size, min(best, high))
            if at < best:
                best, first = at, {}
            if at == best <= high:
                first.setdefault(use.check.line, use)
        if not first or best <= self._growth.now:
            return ()
        launch, name, now = self._at(best), self._growth.name, self._growth.now
        return tuple(Ahead(use.check, name, now, launch, use.place.buffer) for use in first.values())

    def _margin(self, use: Use, size: int) -> int:
        return self._wrapping.margin(use, self._at(size))

    def _first(self, use: Use, low: int, high: int) -> int:
        """The smallest size from `low` to `high` at which a number wraps; the one after `high` if it does not."""
        step = 1
        while not self._wraps(use, low):
            if low == high:
                return high + 1
            end = min(low + step, high)
            if self._wraps(use, end):
                return _last(lambda size: not self._wraps(use, size), low, end) + 1
            low, step = end, 16 * step
        return low

    def _wraps(self, use: Use, size: int) -> bool:
        return self._wrapping.possible(use, self._at(size))


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The largest number from `low` to `high` for which something holds that holds at first, and then no more. `low`
    if it never does."""
    if holds(high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _crossing(value: Callable[[int], int], low: int, high: int) -> int:
    """The smallest number from `low` to `high` whose value is above 0. Values grow, about evenly, and end above 0."""
    below, above = value(low), value(high)
    while below <= 0 and high - low > 1:
        for guess in (low + (high - low) * -below // (above - below), (low + high) // 2):
            for at in (guess, guess + 1):
                if low < at < high:
                    found = value(at)
                    low, below = (low, below) if found > 0 else (at, found)
                    high, above = (at, found) if found > 0 else (high, above)
    return low if below > 0 else high


def _unknown(access: Reached, place: Place, check: Check) -> bool:
    """Whether a value that is not known decides about a number, or whether it is used."""
    atoms = (*place.value.atoms(), *access.when.atoms(), *check.value.atoms())
    return any(isinstance(atom, Symbol) and atom.kind == "unknown" for atom in atoms)
