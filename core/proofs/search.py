"""Looks for assumptions under which a kernel is right, and for the smallest sizes for which it is not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from core.proofs import terms
from core.proofs.evaluate import Reached
from core.proofs.family import LIMIT, Candidates
from core.proofs.queries import Family, Queries, Sizes
from core.proofs.solving import Solver
from core.proofs.terms import Formula, Poly, Symbol
from core.proofs.values import Check, Nowhere, Place
from core.sanitizer import kinds

_SMALL = (4, 32, 256, 4096, 1 << 16, LIMIT)
"""Bounds of sizes among which a counterexample is looked for, one after another."""

_SMALLER = 12
"""How often a smaller counterexample is looked for."""


@dataclass(frozen=True)
class Doubt:
    """What could not be shown: that an access stays inside ('out of bounds'), that a number fits, that two programs do
    not collide. `check` is the number, `other` the second access. `is_known` says that z3 found a case."""

    kind: str
    access: Reached
    family: Family
    check: Check | None = None
    other: Reached | None = None
    is_known: bool = False


@dataclass(frozen=True)
class Example:
    """Sizes for which a doubt comes true. `is_smallest` says that no smaller sum of sizes was possible."""

    sizes: Sizes
    is_smallest: bool


class Search:
    """`accesses` are those of the kernel that are known."""

    def __init__(self, found: Candidates, accesses: Sequence[Reached], solver: Solver) -> None:
        self._found = found
        self._accesses = [access for access in accesses if isinstance(access.place, Place)]
        self._solver = solver

    def proved(self, *, by_coordinate: bool) -> tuple[Family | None, list[Doubt]]:
        """The first family for which everything holds, or one doubt for each grid that was seen. `by_coordinate` leaves
        out the questions that take long."""
        doubts: list[Doubt] = []
        for limit in (LIMIT, LIMIT >> 1):
            if limit < LIMIT and not any(doubt.kind == kinds.ADDRESS_OVERFLOW for doubt in doubts):
                continue
            doubts = []
            for number, grid in enumerate(self._found.grids):
                family, doubt = self._with_grid(grid, limit, by_coordinate)
                if doubt is None:
                    return family, []
                if number:
                    doubts.append(doubt)
                if self._solver.clock.left_ms == 0:
                    return None, doubts
        return None, doubts

    def _with_grid(self, grid: tuple[Poly, Poly, Poly], limit: int, by_coordinate: bool) -> tuple[Family, Doubt | None]:
        layouts = {index: options[0] for index, options in self._found.layouts.items() if options}
        everything = Family(grid, layouts, limit)
        for buffer in dict.fromkeys(_buffer(access) for access in self._accesses):
            accesses = [replaced(access, grid) for access in self._accesses if _buffer(access) == buffer]
            doubt = None
            for layout in self._found.layouts[buffer]:
                family = replace(everything, layouts={**layouts, buffer: layout})
                one = self._inside(accesses, family, by_coordinate)
                if one is None:
                    layouts[buffer] = layout
                    doubt = None
                    break
                doubt = doubt or one
                if self._solver.clock.left_ms == 0:
                    break
            if doubt is not None:
                return everything, doubt
        family = Family(grid, layouts, limit)
        return family, self._apart(family, by_coordinate)

    def _inside(self, accesses: Sequence[Reached], family: Family, by_coordinate: bool) -> Doubt | None:
        """A doubt that accesses of a tensor stay inside and rely on no number that wraps."""
        queries = Queries(family, self._solver, by_coordinate=by_coordinate)
        for access in accesses:
            answer, _ = queries.leaves(access)
            if answer != "never":
                return Doubt(kinds.OUT_OF_BOUNDS, access, family, is_known=answer == "possible")
            (answer, _), check = queries.wraps(access)
            if answer != "never":
                return Doubt(kinds.ADDRESS_OVERFLOW, access, family, check, is_known=answer == "possible")
        return None

    def _apart(self, family: Family, by_coordinate: bool) -> Doubt | None:
        """A doubt that no two programs store to the same element."""
        stores = [replaced(access, family.grid) for access in self._accesses if access.kind == "store"]
        queries = Queries(family, self._solver, by_coordinate=by_coordinate)
        for first, second in itertools.combinations_with_replacement(stores, 2):
            if _buffer(first) == _buffer(second):
                answer, _ = queries.collide(first, second)
                if answer != "never":
                    known = answer == "possible"
                    return Doubt(kinds.WRITE_WRITE_RACE, first, family, other=second, is_known=known)
        return None

    def example(self, doubt: Doubt) -> Example | None:
        """The smallest sizes for which a doubt comes true. None if there are none among those that were tried."""
        found: Sizes | None = None
        for bound in _SMALL:
            answer, sizes = self._ask(doubt, bound)
            if answer == "possible":
                found = sizes
                break
            if self._solver.clock.left_ms == 0:
                return None
        if found is None:
            return None
        for _ in range(_SMALLER):
            answer, sizes = self._ask(doubt, max(found.values(), default=1), sum(found.values()))
            if answer != "possible":
                return Example(found, answer == "never")
            found = sizes
        return Example(found, False)

    def _ask(self, doubt: Doubt, bound: int, below: int = 0) -> tuple[str, Sizes]:
        queries = Queries(doubt.family, self._solver, bound)
        access = doubt.access
        if below:
            total = terms.ZERO
            for symbol in queries.symbols():
                total += terms.of(symbol)
            access = replace(access, when=terms.all_of((access.when, terms.less(total, terms.number(below)))))
        if doubt.kind == kinds.OUT_OF_BOUNDS:
            return queries.leaves(access, exactly=True)
        if doubt.other is not None:
            return queries.collide(access, doubt.other, exactly=True)
        assert doubt.check is not None
        return queries.wraps(replace(access, relies_on=((access.when, frozenset({doubt.check})),)))[0]

    def others(self, doubt: Doubt) -> Iterator[Doubt]:
        """The same doubt with every other grid and layout that fits the launches."""
        for grid in self._found.grids[1:]:
            for layout in self._found.layouts[_buffer(doubt.access)]:
                layouts = {**doubt.family.layouts, _buffer(doubt.access): layout}
                family = replace(doubt.family, grid=grid, layouts=layouts)
                if family != doubt.family:
                    other = None if doubt.other is None else replaced(doubt.other, grid)
                    yield replace(doubt, family=family, other=other)


def unknowns(doubt: Doubt) -> tuple[Symbol, ...]:
    """The unknown values that a doubt depends on."""
    atoms: list[terms.Atom] = []
    for access in (doubt.access, doubt.other):
        if access is not None:
            assert isinstance(access.place, Place)
            atoms += [*access.place.value.atoms(), *access.when.atoms()]
    if doubt.check is not None:
        atoms += doubt.check.value.atoms()
    return tuple(dict.fromkeys(atom for atom in atoms if isinstance(atom, Symbol) and atom.kind == "unknown"))


def value_of(poly: Poly, sizes: Sizes) -> int:
    """A number that depends on sizes only."""
    value = poly.replaced(lambda symbol: terms.number(sizes.get(symbol, 1))).constant
    assert value is not None
    return value


def _buffer(access: Reached) -> int:
    assert isinstance(access.place, Place)
    return access.place.buffer


def replaced(access: Reached, grid: tuple[Poly, Poly, Poly]) -> Reached:
    """The access in a grid: the number of programs is what the grid says."""
    sides: Mapping[str, Poly] = {f"grid.{name}": side for name, side in zip("xyz", grid, strict=True)}

    def change(symbol: Symbol) -> Poly:
        return sides.get(symbol.name, terms.of(symbol)) if symbol.kind == "size" else terms.of(symbol)

    place = access.place
    if isinstance(place, Nowhere):
        return access
    checks = frozenset(replace(check, value=check.value.replaced(change)) for check in place.checks)
    relies_on: list[tuple[Formula, frozenset[Check]]] = [
        (when.replaced(change), frozenset(replace(check, value=check.value.replaced(change)) for check in group))
        for when, group in access.relies_on
    ]
    moved = replace(place, value=place.value.replaced(change), checks=checks)
    return replace(access, place=moved, when=access.when.replaced(change), relies_on=tuple(relies_on))
