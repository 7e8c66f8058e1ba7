"""Whether a number of a kernel can wrap in a launch whose sizes are all known.

Bounds say quickly that it cannot, and trying the last program and its last elements often says that it can. Only what
both leave open is asked of z3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.proofs import terms
from core.proofs.evaluate import Reached
from core.proofs.filling import Filling
from core.proofs.growth import Grown, span_of
from core.proofs.intervals import Bounds
from core.proofs.solving import Solver, TooHard
from core.proofs.terms import Formula, Symbol
from core.proofs.values import AXES, Check, Place

_QUESTIONS = 40
"""How many questions a kernel may take. They and z3's work are counted: what is found must not depend on how busy the
machine is."""


@dataclass(frozen=True)
class Use:
    """A number that must not wrap, and an access that relies on it."""

    access: Reached
    place: Place
    check: Check

    @property
    def fitting(self) -> tuple[int, int]:
        """The least and the largest number that does not wrap."""
        half = 1 << (self.check.bits - 1)
        return -half, half - 1


def argument(index: int) -> Symbol:
    """The symbol of an integer argument, by position."""
    return Symbol("size", "argument", index)


class Wrapping:
    """Answers for the numbers of a kernel, which depend on the symbols of `argument`."""

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self._questions = 0
        self._filled: tuple[Grown, Filling] | None = None

    def margin(self, use: Use, launch: Grown, *, roughly: bool = False) -> int:
        """By how much a number goes beyond what fits its type, at most; 0 or less: it cannot wrap. `roughly` leaves the
        conditions out under which it is computed. Raises TooHard when the time is over."""
        self._solver.clock.require_time()
        filling = self._filling(launch)
        value, known = filling.poly(use.check.value), {symbol: (0, end - 1) for symbol, end in _ends(use, launch)}
        bounds = Bounds(known, [] if roughly else filling.formulas(_inside(use, launch)))
        least, most = use.fitting
        return max(bounds.most(value) - most, least - bounds.least(value))

    def possible(self, use: Use, launch: Grown) -> bool:
        """Whether a program reaches an element inside its tensor with a number that wraps. Raises TooHard."""
        least, most = map(terms.number, use.fitting)
        beyond = terms.any_of((terms.less(use.check.value, least), terms.less(most, use.check.value)))
        ends = _ends(use, launch)
        formulas = [*_inside(use, launch), beyond]
        for symbol, end in ends:
            formulas += [terms.at_most(terms.ZERO, terms.of(symbol)), terms.less(terms.of(symbol), terms.number(end))]
        formulas = self._filling(launch).formulas(formulas)
        programs = {Symbol("program", name): side - 1 for name, side in zip("xyz", launch.grid, strict=True)}
        last = Filling(programs).formulas(formulas)
        return _holds_at_last(last, dict(ends)) or self._asked(last) or self._asked(formulas)

    def _filling(self, launch: Grown) -> Filling:
        if self._filled is None or self._filled[0] is not launch:
            self._filled = launch, Filling(_numbers(launch))
        return self._filled[1]

    def _asked(self, formulas: Sequence[Formula]) -> bool:
        if terms.FALSE in formulas:
            return False
        self._questions += 1
        answer, numbers = self._solver.possible(formulas)
        if answer == "unknown" or self._questions > _QUESTIONS:
            raise TooHard
        return answer == "possible" and _all_hold(Filling(numbers).formulas(formulas))


def _inside(use: Use, launch: Grown) -> list[Formula]:
    """The conditions under which an element inside of its tensor is reached."""
    tensor = launch.tensors.get(use.place.buffer)
    end = terms.ZERO if tensor is None else terms.number(span_of(tensor))
    return [use.access.when, terms.at_most(terms.ZERO, use.place.value), terms.less(use.place.value, end)]


def _holds_at_last(formulas: list[Formula], ends: Mapping[Symbol, int]) -> bool:
    """Whether formulas hold for the last steps and elements that their comparisons leave."""
    symbols = dict.fromkeys(
        atom for formula in formulas for atom in formula.atoms() if isinstance(atom, Symbol) and atom.kind != "program"
    )
    for symbol in sorted(symbols, key=lambda symbol: (symbol.kind != "step", symbol.number)):
        known = {each: (0, ends[each] - 1) for each in symbols if each in ends}
        formulas = Filling({symbol: Bounds(known, formulas).last(symbol)}).formulas(formulas)
    return _all_hold(formulas)


def _all_hold(formulas: Sequence[Formula]) -> bool:
    return all(formula == terms.TRUE for formula in formulas)


def _numbers(launch: Grown) -> dict[Symbol, int]:
    sides = {Symbol("size", f"grid.{name}"): side for name, side in zip("xyz", launch.grid, strict=True)}
    return sides | {argument(index): value for index, value in launch.numbers.items()}


def _ends(use: Use, launch: Grown) -> list[tuple[Symbol, int]]:
    """How many programs there are along each side of the grid, and elements along each axis of the tile."""
    programs = [(Symbol("program", name), side) for name, side in zip("xyz", launch.grid, strict=True)]
    return [*programs, *zip(AXES, use.access.shape, strict=False)]
