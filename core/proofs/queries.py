"""The questions about a family of launches: can an access leave its tensor, can a number wrap, can programs collide.

Offsets are first compared by coordinate: the factor of each stride, a product of sizes, against what the tensor has of
that stride. What stays inside by coordinate stays inside, and equal offsets then mean equal coordinates, since the
elements of a tensor do not overlap. Only what that does not decide is asked as products of unknowns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from core.proofs import terms
from core.proofs.coordinates import Coordinate, coordinates
from core.proofs.evaluate import Reached
from core.proofs.family import Layout
from core.proofs.locks import Lock
from core.proofs.solving import Found, Solver
from core.proofs.terms import Atom, Formula, Poly, Symbol
from core.proofs.values import AXES, Check, Checks, Place

_T = TypeVar("_T", Poly, Formula)
_NEVER: Found = ("never", {})


@dataclass(frozen=True)
class Family:
    """All launches with a grid and layouts in which sizes go from 1 to `limit`, and no tensor spans more elements."""

    grid: tuple[Poly, Poly, Poly]
    layouts: Mapping[int, Layout]
    limit: int


class Queries:
    """Asks a solver about a family. Sizes that may be asked about are those of `sizes`."""

    def __init__(self, family: Family, solver: Solver, limit: int = 0, *, by_coordinate: bool = False) -> None:
        self._family = family
        self._by_coordinate = by_coordinate
        self._solver = solver
        self._limit = min(limit or family.limit, family.limit)

    def leaves(self, access: Reached, *, exactly: bool = False) -> Found:
        """Whether an element that is reached lies outside its tensor. `exactly` gives sizes for which it does."""
        place, layout = _place(access), self._family.layouts[_place(access).buffer]
        if not exactly:
            parts = coordinates(layout, place.value)
            found = None if parts is None else self._ask(access, [_outside(*parts)])
            if found is not None and (found[0] == "never" or self._by_coordinate):
                return found
        out = terms.any_of((terms.less(place.value, terms.ZERO), terms.less(layout.last, place.value)))
        return self._ask(access, [out, *self._facts()])

    def wraps(self, access: Reached) -> tuple[Found, Check | None]:
        """Whether a number that an access relies on can leave its type, and which."""
        facts = list(self._facts())
        layout = self._family.layouts[_place(access).buffer]
        for when, checks in access.relies_on:
            is_address = when == access.when and checks == _place(access).checks
            doubts = {check: self._beyond(check, layout if is_address else None) for check in _widest(checks)}
            if self._ask(access, [terms.any_of(doubts.values())], when)[0] == "never":
                continue
            for check, doubt in doubts.items():
                found = self._ask(access, [doubt], when)
                if found[0] != "never":
                    found = self._ask(access, [doubt, *facts], when)
                if found[0] != "never":
                    return found, check
        return _NEVER, None

    def _beyond(self, check: Check, layout: Layout | None) -> Formula:
        """That a number does not fit its type. An offset that does not lies outside of its tensor, too."""
        if not check.bits:
            return terms.less(check.value, terms.ZERO)
        half = terms.number(1 << check.bits >> 1)
        beyond = terms.any_of((terms.less(check.value, terms.ZERO - half), terms.at_most(half, check.value)))
        fits_inside = layout is not None and 1 << check.bits >> 1 >= self._family.limit
        parts = coordinates(layout, check.value) if layout is not None and fits_inside else None
        return beyond if parts is None else terms.all_of((beyond, _outside(*parts)))

    def collide(
        self, first: Reached, second: Reached, *, exactly: bool = False, under: tuple[Lock, Lock] | None = None
    ) -> Found:
        """Whether two programs can reach one element: without a common lock, if they are `under` locks."""
        a, b = _place(first), _place(second)
        layout = self._family.layouts[a.buffer]
        names = [terms.of(Symbol("program", axis)) for axis in "xyz"]
        both = coordinates(layout, a.value, b.value)
        conditions = [*self._context(first, first.when)]
        conditions += [_other(each) for each in self._context(second, second.when)]
        conditions.append(terms.any_of(terms.negated(terms.equal(name, _other(name))) for name in names))
        if under is not None:
            mine, others = under
            conditions.append(terms.negated(terms.equal(mine.place.value, _other(others.place.value))))
        if not exactly and both is not None:
            same = [terms.equal(one.index, _other(two.index)) for one, two in zip(*both, strict=True)]
            found = self._possible([*conditions, *same])
            if found[0] == "never" or self._by_coordinate:
                return found
        return self._possible([*conditions, terms.equal(a.value, _other(b.value)), *self._facts()])

    def _ask(self, access: Reached, formulas: Iterable[Formula], when: Formula | None = None) -> Found:
        context = self._context(access, access.when if when is None else when)
        return self._possible([*context, *formulas])

    def _possible(self, formulas: Sequence[Formula]) -> Found:
        """Whether conditions can hold together with sizes of the family."""
        symbols = dict.fromkeys(self.symbols())
        for formula in formulas:
            symbols |= dict.fromkeys(_sizes_in(formula.atoms()))
        limits = []
        for symbol in symbols:
            size = terms.of(symbol)
            limits += [terms.at_most(terms.number(1), size), terms.at_most(size, terms.number(self._limit))]
        return self._solver.possible([*formulas, *limits])

    def _context(self, access: Reached, when: Formula) -> list[Formula]:
        """What holds for a program: it is one of the grid, its element one of the tile, its sizes in the family."""
        formulas = [when]
        for name, side in zip("xyz", self._family.grid, strict=True):
            program = terms.of(Symbol("program", name))
            formulas += [terms.at_most(terms.ZERO, program), terms.less(program, side)]
        for axis, extent in zip(AXES, access.shape, strict=False):
            formulas += [terms.at_most(terms.ZERO, terms.of(axis)), terms.less(terms.of(axis), terms.number(extent))]
        return formulas

    def symbols(self) -> list[Symbol]:
        """The sizes of the family."""
        polys = [*self._family.grid]
        for layout in self._family.layouts.values():
            polys += [*layout.dims, *layout.strides]
        return list(dict.fromkeys(_sizes_in(atom for poly in polys for atom in poly.atoms())))

    def _facts(self) -> Iterator[Formula]:
        """No tensor spans too many elements, and its strides leave room for what lies inside of them."""
        for layout in self._family.layouts.values():
            yield terms.less(layout.last, terms.number(self._family.limit))
            inner = terms.ZERO
            for dim, stride in list(zip(layout.dims, layout.strides, strict=True))[::-1]:
                if any(isinstance(atom, Symbol) for atom in stride.atoms()):
                    yield terms.less(inner, stride)
                inner += (dim - terms.number(1)) * stride


def _sizes_in(atoms: Iterable[Atom]) -> Iterator[Symbol]:
    return (atom for atom in atoms if isinstance(atom, Symbol) and atom.kind == "size")


def _place(access: Reached) -> Place:
    assert isinstance(access.place, Place)
    return access.place


def _other(value: _T) -> _T:
    """The same of a second program."""
    return value.replaced(_of_other)


def _of_other(symbol: Symbol) -> Poly:
    return terms.of(symbol if symbol.kind == "size" else replace(symbol, line=f"{symbol.line} of the other"))


def _widest(checks: Checks) -> list[Check]:
    return sorted(checks, key=lambda check: (check.line, len(check.value.terms), check.value.key))


def _outside(parts: Iterable[Coordinate]) -> Formula:
    out = []
    for part in parts:
        out += [terms.less(part.index, terms.ZERO), terms.less(part.last, part.index)]
    return terms.any_of(out)
