"""The questions about a family of launches: can an access leave its tensor, can a number wrap, can programs collide.

Offsets are first compared by coordinate: the factor of each stride, a product of sizes, against what the tensor has of
that stride. What stays inside by coordinate stays inside, and equal offsets then mean equal coordinates, since the
elements of a tensor do not overlap. Only what that does not decide is asked as products of unknowns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from core.proofs import terms
from core.proofs.evaluate import Reached
from core.proofs.family import Layout
from core.proofs.solving import Answer, Solver
from core.proofs.terms import Formula, Monomial, Poly, Symbol
from core.proofs.values import AXES, Check, Checks, Place

Sizes = Mapping[Symbol, int]
Found = tuple[Answer, Sizes]

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
        self._limit = limit or family.limit

    def leaves(self, access: Reached, *, exactly: bool = False) -> Found:
        """Whether an element that is reached lies outside its tensor. `exactly` gives sizes for which it does."""
        place, layout = _place(access), self._family.layouts[_place(access).buffer]
        if not exactly:
            parts = _coordinates(place.value, layout)
            found = None if parts is None else self._ask(access, [_outside(parts)])
            if found is not None and (found[0] == "never" or self._by_coordinate):
                return found
        out = terms.any_of((terms.less(place.value, terms.ZERO), terms.less(layout.last, place.value)))
        return self._ask(access, [out, *self._facts()])

    def wraps(self, access: Reached) -> tuple[Found, Check | None]:
        """Whether a number that an access relies on can leave its type, and which."""
        place = _place(access)
        layout = self._family.layouts[place.buffer]
        for when, checks in access.relies_on:
            is_address = when == access.when and checks == place.checks
            for check in _widest(checks):
                found = self._wrap(access, when, check, layout if is_address else None)
                if found[0] != "never":
                    return found, check
        return _NEVER, None

    def _wrap(self, access: Reached, when: Formula, check: Check, layout: Layout | None) -> Found:
        low, high = (-(1 << check.bits >> 1), (1 << check.bits >> 1) - 1) if check.bits else (0, None)
        if layout is not None and (high is None or high >= self._family.limit - 1):
            parts = _coordinates(check.value, layout)
            found = None if parts is None else self._ask(access, [_outside(parts)], when)
            if found is not None and (found[0] == "never" or self._by_coordinate):
                return found
        beyond = [terms.less(check.value, terms.number(low))]
        if high is not None:
            beyond.append(terms.less(terms.number(high), check.value))
        return self._ask(access, [terms.any_of(beyond)], when)

    def collide(self, first: Reached, second: Reached, *, exactly: bool = False) -> Found:
        """Whether two programs can reach one element."""
        a, b = _place(first), _place(second)
        layout = self._family.layouts[a.buffer]
        names = [terms.of(Symbol("program", axis)) for axis in "xyz"]
        left, right = _coordinates(a.value, layout), _coordinates(b.value, layout)
        conditions = [*self._context(first, first.when)]
        conditions += [_other(each) for each in self._context(second, second.when)]
        conditions.append(terms.any_of(terms.negated(terms.equal(name, _other(name))) for name in names))
        if not exactly and left is not None and right is not None:
            same = [terms.equal(index, _other(right[unit][0])) for unit, (index, _) in left.items()]
            found = self._solver.possible([*conditions, *same])
            if found[0] == "never" or self._by_coordinate:
                return found
        return self._solver.possible([*conditions, terms.equal(a.value, _other(b.value)), *self._facts()])

    def _ask(self, access: Reached, formulas: Iterable[Formula], when: Formula | None = None) -> Found:
        context = self._context(access, access.when if when is None else when)
        return self._solver.possible([*context, *formulas])

    def _context(self, access: Reached, when: Formula) -> list[Formula]:
        """What holds for a program: it is one of the grid, its element one of the tile, its sizes in the family."""
        formulas = [when]
        for name, side in zip("xyz", self._family.grid, strict=True):
            program = terms.of(Symbol("program", name))
            formulas += [terms.at_most(terms.ZERO, program), terms.less(program, side)]
        for axis, extent in zip(AXES, access.shape, strict=False):
            formulas += [terms.at_most(terms.ZERO, terms.of(axis)), terms.less(terms.of(axis), terms.number(extent))]
        return [*formulas, *self._sizes()]

    def _sizes(self) -> Iterator[Formula]:
        for symbol in self.symbols():
            size = terms.of(symbol)
            yield terms.at_most(terms.number(1), size)
            yield terms.at_most(size, terms.number(self._limit))

    def symbols(self) -> list[Symbol]:
        """The sizes of the family."""
        polys = [*self._family.grid]
        for layout in self._family.layouts.values():
            polys += [*layout.dims, *layout.strides]
        atoms = (atom for poly in polys for atom in poly.atoms())
        return list(dict.fromkeys(atom for atom in atoms if isinstance(atom, Symbol)))

    def _facts(self) -> Iterator[Formula]:
        """No tensor spans too many elements, and its strides leave room for what lies inside of them."""
        for layout in self._family.layouts.values():
            yield terms.less(layout.last, terms.number(self._family.limit))
            inner = terms.ZERO
            for dim, stride in list(zip(layout.dims, layout.strides, strict=True))[::-1]:
                if any(isinstance(atom, Symbol) for atom in stride.atoms()):
                    yield terms.less(inner, stride)
                inner += (dim - terms.number(1)) * stride


def _place(access: Reached) -> Place:
    assert isinstance(access.place, Place)
    return access.place


def _other(value: _T) -> _T:
    """The same of a second program."""
    return value.replaced(_of_other)


def _of_other(symbol: Symbol) -> Poly:
    return terms.of(symbol if symbol.kind == "size" else replace(symbol, line=f"{symbol.line} of the other"))


def _widest(checks: Checks) -> list[Check]:
    return sorted(checks, key=lambda check: (check.line, len(check.value.terms)))


_Parts = dict[Monomial, tuple[Poly, Poly]]


def _coordinates(value: Poly, layout: Layout) -> _Parts | None:
    """For each stride (without its factor), what an offset has of it, and the most that lies inside the tensor.

    A monomial of the offset counts to the longest stride that divides it. None where a stride is a sum.
    """
    most = {terms.ONE: terms.ZERO}
    for dim, stride in zip(layout.dims, layout.strides, strict=True):
        if len(stride.terms) > 1:
            return None
        for unit, factor in stride.terms.items():
            most[unit] = most.get(unit, terms.ZERO) + (dim - terms.number(1)).times(factor)
    indices = dict.fromkeys(most, terms.ZERO)
    for monomial, coefficient in value.terms.items():
        unit = max((unit for unit in most if _divides(unit, monomial)), key=lambda unit: sum(p for _, p in unit))
        indices[unit] += Poly({terms.quotient(monomial, unit): coefficient})
    return {unit: (indices[unit], most[unit]) for unit in most}


def _divides(unit: Monomial, monomial: Monomial) -> bool:
    powers = dict(monomial)
    return all(powers.get(atom, 0) >= power for atom, power in unit)


def _outside(parts: _Parts) -> Formula:
    out = []
    for index, last in parts.values():
        out += [terms.less(index, terms.ZERO), terms.less(last, index)]
    return terms.any_of(out)
