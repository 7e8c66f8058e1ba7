"""Puts numbers in the place of symbols, for many polynomials and conditions at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.proofs import terms
from core.proofs.terms import Applied, Atom, Formula, Monomial, Poly, Symbol


class Filling:
    """Replaces symbols by `numbers`, the others stay. Each quotient and the like is computed once."""

    def __init__(self, numbers: Mapping[Symbol, int]) -> None:
        self._numbers = numbers
        self._known: dict[Applied, Poly] = {}

    def formulas(self, formulas: Sequence[Formula]) -> list[Formula]:
        return [self.formula(formula) for formula in formulas]

    def formula(self, formula: Formula) -> Formula:
        """TRUE or FALSE where numbers decide it."""
        return terms.decided(Formula(formula.kind, tuple(map(self._part, formula.parts))))

    def poly(self, value: Poly) -> Poly:
        sums: dict[Monomial, int] = {}
        for monomial, coefficient in value.terms.items():
            product = Poly({terms.ONE: coefficient})
            kept: list[tuple[Atom, int]] = []
            for atom, power in monomial:
                filled = self._atom(atom)
                if isinstance(filled, int):
                    product = product.times(filled**power)
                elif filled is atom:
                    kept.append((atom, power))
                else:
                    for _ in range(power):
                        product = product * filled  # type: ignore[operator]
            if kept:
                product = product * Poly({frozenset(kept): 1})
            for each, factor in product.terms.items():
                sums[each] = sums.get(each, 0) + factor
        return Poly({monomial: coefficient for monomial, coefficient in sums.items() if coefficient})

    def _part(self, part: Poly | Formula) -> Poly | Formula:
        return self.poly(part) if isinstance(part, Poly) else self.formula(part)

    def _atom(self, atom: Atom) -> Atom | Poly | int:
        """A number, the atom itself, or what a quotient becomes."""
        if isinstance(atom, Symbol):
            return self._numbers.get(atom, atom)
        if atom not in self._known:
            self._known[atom] = terms.applied(atom.function, *map(self._part, atom.arguments))
        value = self._known[atom]
        return value if value.constant is None else value.constant
