"""Between which numbers an index of a kernel stays, by interval arithmetic and the conditions of its access."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from core.proofs.terms import ONE, Applied, Atom, Formula, Poly, Symbol, number, of

Range = tuple[float, float]
"""The least and the greatest number; infinite where nothing is known. It may be wider than what is reached."""

_ALL: Range = (-math.inf, math.inf)


class Ranges:
    """The ranges of numbers without sizes, where the condition `when` holds.

    `symbols` are the ranges of the program's coordinates and of the tile's axes. Those of the steps of loops follow
    from `when`, and unknown numbers may be anything.
    """

    def __init__(self, symbols: Mapping[Symbol, Range], when: Formula) -> None:
        self._symbols = dict(symbols)
        self._functions: dict[Applied, Range] = {}
        self._high = _limits(when)
        self._open: set[Symbol] = set()

    def of(self, value: Poly) -> Range:
        """The range of a number."""
        return _cut(value, self._sum(value), self._high)

    def limit(self, value: Poly) -> float:
        """The greatest number that a condition on `value` itself allows."""
        varying, shift, scale = _normal(value)
        return self._high.get(varying, math.inf) * scale + shift

    def _sum(self, value: Poly) -> Range:
        low = high = 0.0
        for monomial, coefficient in value.terms.items():
            product: Range = (coefficient, coefficient)
            for atom, power in monomial:
                for _ in range(power):
                    product = _times(product, self._atom(atom))
            low, high = low + product[0], high + product[1]
        return low, high

    def _atom(self, atom: Atom) -> Range:
        if isinstance(atom, Applied):
            return self._function(atom)
        if atom.kind == "step" and atom not in self._symbols and atom not in self._open:
            self._open.add(atom)
            self._symbols[atom] = self._step(atom)
            self._open.discard(atom)
        return self._symbols.get(atom, _ALL)

    def _function(self, atom: Applied) -> Range:
        known = self._functions.get(atom)
        if known is None:
            known = self._applied(atom)
            if not self._open:  # otherwise more will be known
                self._functions[atom] = known
        return known

    def _step(self, symbol: Symbol) -> Range:
        """What the conditions that a symbol occurs in leave for it."""
        low, high, alone = -math.inf, math.inf, frozenset({(symbol, 1)})
        for value, bound in self._high.items():
            factor = value.terms.get(alone, 0)
            if factor:
                rest = self._sum(value - of(symbol).times(factor))[0]
                room = (bound - rest) / factor
                low, high = (low, min(high, room)) if factor > 0 else (max(low, room), high)
        return (math.ceil(low) if math.isfinite(low) else low), (math.floor(high) if math.isfinite(high) else high)

    def _applied(self, atom: Applied) -> Range:
        if atom.function == "select":
            condition, yes, no = atom.arguments
            assert isinstance(condition, Formula)
            assert isinstance(yes, Poly)
            assert isinstance(no, Poly)
            kept, other = _cut(yes, self.of(yes), _limits(condition)), self.of(no)
            return min(kept[0], other[0]), max(kept[1], other[1])
        first, second = atom.arguments
        assert isinstance(first, Poly)
        assert isinstance(second, Poly)
        (low, high), (low_2, high_2) = self.of(first), self.of(second)
        if atom.function == "min":
            return min(low, low_2), min(high, high_2)
        if atom.function == "max":
            return max(low, low_2), max(high, high_2)
        if low < 0 or low_2 < 1:
            return _ALL
        if atom.function == "rem":
            return (low, high) if high < low_2 else (0, min(high, high_2 - 1))
        return (low // high_2 if math.isfinite(high_2) else 0), (high // low_2 if math.isfinite(high) else high)


def _limits(condition: Formula) -> dict[Poly, float]:
    """What numbers without constant and common factor are at most, where a condition holds."""
    limits: dict[Poly, float] = {}
    for value, bound in _facts(condition):
        varying, shift, scale = _normal(value)
        limits[varying] = min(limits.get(varying, math.inf), (bound - shift) // scale)
    return limits


def _cut(value: Poly, known: Range, limits: Mapping[Poly, float]) -> Range:
    """The range of a number, cut where it is limited."""
    varying, shift, scale = _normal(value)
    low = -limits.get(varying.times(-1), math.inf) * scale + shift
    return max(known[0], low), min(known[1], limits.get(varying, math.inf) * scale + shift)


def _facts(formula: Formula, *, holds: bool = True) -> Iterator[tuple[Poly, int]]:
    """Numbers and what they are at most, if a condition holds, or does not."""
    if formula.kind == "not":
        assert isinstance(formula.parts[0], Formula)
        yield from _facts(formula.parts[0], holds=not holds)
    elif formula.kind == "and" and holds:
        for part in formula.parts:
            assert isinstance(part, Formula)
            yield from _facts(part)
    elif formula.kind in ("lt", "le", "eq"):
        first, second = formula.parts
        assert isinstance(first, Poly)
        assert isinstance(second, Poly)
        if formula.kind == "eq":
            if holds:
                yield first - second, 0
                yield second - first, 0
        elif holds:
            yield first - second, -1 if formula.kind == "lt" else 0
        else:
            yield second - first, 0 if formula.kind == "lt" else -1


def _normal(value: Poly) -> tuple[Poly, int, int]:
    """`varying`, `shift` and `scale` > 0 with value = varying * scale + shift."""
    shift = value.terms.get(ONE, 0)
    rest = value - number(shift)
    scale = math.gcd(*rest.terms.values()) or 1
    return Poly({monomial: coefficient // scale for monomial, coefficient in rest.terms.items()}), shift, scale


def _times(a: Range, b: Range) -> Range:
    corners = [0.0 if 0 in (x, y) else x * y for x in a for y in b]
    return min(corners), max(corners)
