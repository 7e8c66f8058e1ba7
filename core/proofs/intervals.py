"""Bounds of a polynomial whose symbols lie in intervals: cheap, never too narrow, and sometimes too wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.proofs import terms
from core.proofs.terms import Applied, Atom, Formula, Poly, Symbol

Interval = tuple[int, int]

_FAR = 1 << 80
"""Beyond what any kernel computes."""


def comparisons(condition: Formula) -> list[tuple[Poly, Poly]]:
    """The pairs of which the first is less than the second."""
    if condition.kind == "and":
        return [pair for part in condition.parts if isinstance(part, Formula) for pair in comparisons(part)]
    if condition.kind not in ("lt", "le"):
        return []
    left, right = (part for part in condition.parts if isinstance(part, Poly))
    return [(left, right + terms.number(condition.kind == "le"))]


class Bounds:
    """What is known of symbols, and of polynomials that a condition says to be less than others."""

    def __init__(self, known: Mapping[Symbol, Interval], conditions: Sequence[Formula]) -> None:
        self._known = dict(known)
        self._smaller = [pair for condition in conditions for pair in comparisons(condition)]
        for left, right in self._smaller:
            steps = {atom for atom in left.atoms() if isinstance(atom, Symbol) and atom.kind == "step"}
            for symbol in steps - self._known.keys():
                self._known[symbol] = (0, self._below(symbol, left, right))

    def last(self, symbol: Symbol) -> int:
        """The largest value of a symbol, at most."""
        return min([self._known.get(symbol, (0, 0))[1], *(self._below(symbol, *pair) for pair in self._smaller)])

    def most(self, value: Poly) -> int:
        """The largest value, at most."""
        best = self._interval(value)[1]
        for left, right in self._smaller:
            for factor in _factors(value, left):
                rest = value - left.times(factor)
                best = min(best, factor * (self._interval(right)[1] - 1) + self._interval(rest)[1])
        return best

    def least(self, value: Poly) -> int:
        """The smallest value, at least."""
        return -self.most(value.times(-1))

    def _below(self, symbol: Symbol, left: Poly, right: Poly) -> int:
        """The largest value of a symbol for which `left` can be less than `right`."""
        factor = left.terms.get(frozenset({(symbol, 1)}), 0)
        if factor <= 0:
            return _FAR
        rest = right - left + terms.of(symbol).times(factor)
        return (self._interval(rest)[1] - 1) // factor

    def _interval(self, value: Poly) -> Interval:
        low = high = 0
        for monomial, coefficient in value.terms.items():
            least = most = coefficient
            for atom, power in monomial:
                for _ in range(power):
                    least, most = _product((least, most), self._atom(atom))
            low, high = low + least, high + most
        return low, high

    def _atom(self, atom: Atom) -> Interval:
        if isinstance(atom, Symbol):
            return self._known.get(atom, (-_FAR, _FAR))
        first, second = (self._interval(part) for part in atom.arguments[-2:] if isinstance(part, Poly))
        return _applied(atom, first, second)


def _factors(value: Poly, part: Poly) -> set[int]:
    """The positive numbers of times that `part` may be contained in `value`."""
    shared = (
        (value.terms[monomial], coefficient)
        for monomial, coefficient in part.terms.items()
        if monomial != terms.ONE and monomial in value.terms
    )
    return {whole // each for whole, each in shared if whole % each == 0 and whole // each > 0}


def _product(first: Interval, second: Interval) -> Interval:
    corners = [x * y for x in first for y in second]
    return min(corners), max(corners)


def _applied(atom: Applied, first: Interval, second: Interval) -> Interval:
    if atom.function in ("min", "max"):
        choose = min if atom.function == "min" else max
        return choose(first[0], second[0]), choose(first[1], second[1])
    if atom.function == "select":
        return min(*first, *second), max(*first, *second)
    if second[0] < 1:
        return -_FAR, _FAR
    if atom.function == "rem":
        most = second[1] - 1
        return max(min(first[0], 0), -most), min(max(first[1], 0), most)
    corners = [x // y for x in first for y in second]
    return min(corners), max(corners) + (first[0] < 0)
