"""Products of unknowns as numbers of their own, with what is known about them: so that z3 has only sums to decide.

What cannot hold with any such numbers cannot hold. What is known: f * A - f * B is on the same side of f * d as A - B
of d, for a common factor f >= 0; and a product with a factor of few values is a multiple of its rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from core.proofs import terms
from core.proofs.terms import Applied, Atom, Monomial, Poly

_MOST_VALUES = 16
"""How many values a factor may have to be looked at one by one."""

_MOST_PAIRS = 160
"""Pairs of products that are compared."""


class Products:
    """The products in a question, as terms of SMT-LIB. `atom` gives the term of an atom, `declared` a new number."""

    def __init__(self, atom: Callable[[Atom], str], declared: Callable[[str], str]) -> None:
        self._atom = atom
        self._declared = declared
        self._terms: dict[Monomial, str] = {terms.ONE: "1"}
        self._coefficients: dict[Monomial, set[int]] = {}

    def of(self, monomial: Monomial, coefficient: int) -> str:
        """The term of a product, which occurs with `coefficient`."""
        if _degree(monomial) > 1:
            self._coefficients.setdefault(monomial, set()).add(abs(coefficient))
            for atom, _ in terms.factors(monomial):
                self._atom(atom)  # with what defines it, before the lemmas
        return self._term(monomial)

    @property
    def any(self) -> bool:
        return bool(self._coefficients)

    def lemmas(self) -> list[str]:
        """What is known about the products that were asked for."""
        found: list[str] = []
        most = 1
        for monomial in self._coefficients:
            for atom, _ in terms.factors(monomial):
                values = _most(atom)
                if values:
                    most = max(most, values)
                    found += self._cases(monomial, atom, values)
        for factor, one, two in itertools.islice(self._pairs(), _MOST_PAIRS):
            found += self._compared(factor, one, two, most)
        for first, second in itertools.islice(self._of_two(), _MOST_PAIRS):
            found += self._ordered(first, second)
        return found

    def _term(self, monomial: Monomial) -> str:
        if monomial not in self._terms:
            if _degree(monomial) == 1:
                ((atom, _),) = monomial
                self._terms[monomial] = self._atom(atom)
            else:
                self._terms[monomial] = self._declared("p")
        return self._terms[monomial]

    def _cases(self, monomial: Monomial, atom: Atom, values: int) -> Iterator[str]:
        whole, factor = self._term(monomial), self._atom(atom)
        rest = self._term(terms.quotient(monomial, frozenset({(atom, 1)})))
        for value in range(values + 1):
            yield f"(=> (= {factor} {value}) (= {whole} (* {value} {rest})))"

    def _pairs(self) -> Iterator[tuple[Atom, tuple[int, Monomial], tuple[int, Monomial]]]:
        """Products with a common factor, each as a multiple of the factor; and each alone."""
        by_factor: dict[Atom, list[tuple[int, Monomial]]] = {}
        for monomial, coefficients in self._coefficients.items():
            for atom, _ in terms.factors(monomial):
                rest = terms.quotient(monomial, frozenset({(atom, 1)}))
                by_factor.setdefault(atom, []).extend((each, rest) for each in sorted(coefficients))
        for factor, found in by_factor.items():
            yield from ((factor, one, (0, terms.ONE)) for one in found)
            yield from ((factor, one, two) for one, two in itertools.combinations(found, 2) if one[1] != two[1])

    def _of_two(self) -> Iterator[tuple[tuple[Atom, ...], tuple[Atom, ...]]]:
        """Products of two different factors each, none in common."""
        both = [
            tuple(atom for atom, _ in terms.factors(monomial))
            for monomial in self._coefficients
            if _degree(monomial) == 2
        ]
        for first, second in itertools.permutations([each for each in both if len(each) == 2], 2):
            if not set(first) & set(second):
                yield first, second

    def _ordered(self, first: tuple[Atom, ...], second: tuple[Atom, ...]) -> Iterator[str]:
        """If no factor of the first is more than one of the second, nor is the product."""
        wholes = [self._term(frozenset((atom, 1) for atom in each)) for each in (first, second)]
        a, b = (self._atom(atom) for atom in first)
        for pair in (second, second[::-1]):
            c, d = (self._atom(atom) for atom in pair)
            yield f"(=> (and (<= 0 {a} {c}) (<= 0 {b} {d})) (<= {wholes[0]} {wholes[1]}))"

    def _compared(self, factor: Atom, one: tuple[int, Monomial], two: tuple[int, Monomial], most: int) -> Iterator[str]:
        (a, first), (b, second) = one, two
        f, with_factor = self._atom(factor), frozenset({(factor, 1)})
        cofactors = f"(- (* {a} {self._term(first)}) (* {b} {self._term(second)}))"
        wholes = self._term(_times(first, with_factor)), self._term(_times(second, with_factor))
        products = f"(- (* {a} {wholes[0]}) (* {b} {wholes[1]}))"
        for d in range(-most, most + 1):
            number = str(d) if d >= 0 else f"(- {-d})"
            for side in (">=", "<="):
                yield f"(=> (and (>= {f} 0) ({side} {cofactors} {number})) ({side} {products} (* {number} {f})))"


def _degree(monomial: Monomial) -> int:
    return sum(power for _, power in monomial)


def _times(first: Monomial, second: Monomial) -> Monomial:
    ((monomial, _),) = (Poly({first: 1}) * Poly({second: 1})).terms.items()
    return monomial


def _most(atom: Atom) -> int:
    """The most that an atom can be, if that is little: the smaller of a number and something else."""
    if not isinstance(atom, Applied) or atom.function != "min":
        return 0
    numbers = [argument.constant for argument in atom.arguments if isinstance(argument, Poly)]
    return next((number for number in numbers if number is not None and 1 < number <= _MOST_VALUES), 0)
