"""Formulas as text in SMT-LIB, which z3 reads many times faster than it takes terms one by one from Python.

Quotients and remainders by a number are exact. By anything else they are exact for a dividend of 0 or more and a
positive divisor, and may be anything otherwise: what is shown holds all the same, and a counterexample is executed
anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.proofs import terms
from core.proofs.products import Products
from core.proofs.terms import Applied, Atom, Formula, Poly, Symbol

_COMPARED = {"lt": "<", "le": "<=", "eq": "="}


class Translation:
    """One question; `symbols` are the names of numbers in it. With `in_sums`, products are numbers of their own."""

    def __init__(self, *, in_sums: bool = False) -> None:
        self.in_sums = in_sums
        self._products = Products(self._atom, self._declared) if in_sums else None
        self.symbols: dict[Symbol, str] = {}
        self._lines: list[str] = []
        self._definitions: list[str] = []
        self._atoms: dict[Atom, str] = {}
        self._quotients: dict[tuple[Poly, Poly], tuple[str, str]] = {}

    def text(self, formulas: Sequence[Formula]) -> str:
        """The question whether formulas hold together."""
        asserted = [self._formula(formula) for formula in formulas]
        asserted += self._definitions
        if self._products is not None:
            asserted += self._products.lemmas()
        return "\n".join([*self._lines, *(f"(assert {each})" for each in asserted)])

    @property
    def has_products(self) -> bool:
        """Whether numbers stand for products."""
        return self._products is not None and self._products.any

    def _declared(self, prefix: str) -> str:
        name = f"{prefix}{len(self._lines)}"
        self._lines.append(f"(declare-const {name} Int)")
        return name

    def _defined(self, term: str) -> str:
        name = f"d{len(self._lines)}"
        self._lines.append(f"(define-fun {name} () Int {term})")
        return name

    def _poly(self, value: Poly) -> str:
        parts = []
        for monomial, coefficient in value.terms.items():
            if self._products is not None:
                factors = [self._products.of(monomial, coefficient)] if monomial else []
            else:
                factors = [self._atom(atom) for atom, power in terms.factors(monomial) for _ in range(power)]
            if coefficient != 1 or not factors:
                factors.insert(0, literal(coefficient))
            parts.append(_joined("*", factors))
        return _joined("+", parts) if parts else "0"

    def _formula(self, value: Formula) -> str:
        if value.kind == "true":
            return "true"
        if value.kind in ("and", "not"):
            parts = [self._formula(part) for part in value.parts if isinstance(part, Formula)]
            return _joined("and", parts) if value.kind == "and" else f"(not {parts[0]})"
        polys = [self._poly(part) for part in value.parts if isinstance(part, Poly)]
        if value.kind == "unknown":
            return f"(distinct {polys[0]} 0)"
        return f"({_COMPARED[value.kind]} {polys[0]} {polys[1]})"

    def _atom(self, atom: Atom) -> str:
        known = self._atoms.get(atom)
        if known is None:
            known = self._symbol(atom) if isinstance(atom, Symbol) else self._applied(atom)
            self._atoms[atom] = known
        return known

    def _symbol(self, symbol: Symbol) -> str:
        self.symbols[symbol] = self._declared("s")
        return self.symbols[symbol]

    def _applied(self, atom: Applied) -> str:
        if atom.function == "select":
            condition, yes, no = atom.arguments
            assert isinstance(condition, Formula)
            assert isinstance(yes, Poly)
            assert isinstance(no, Poly)
            return self._defined(f"(ite {self._formula(condition)} {self._poly(yes)} {self._poly(no)})")
        first, second = atom.arguments
        assert isinstance(first, Poly)
        assert isinstance(second, Poly)
        a, b = self._defined(self._poly(first)), self._poly(second)
        if atom.function in ("min", "max"):
            return self._defined(f"(ite ({'<=' if atom.function == 'min' else '>='} {a} {b}) {a} {b})")
        divisor = second.constant
        if divisor is not None and divisor > 0:
            if atom.function == "floordiv":
                return self._defined(f"(div {a} {b})")
            quotient = self._defined(f"(ite (>= {a} 0) (div {a} {b}) (- (div (- {a}) {b})))")
            return quotient if atom.function == "div" else self._defined(f"(- {a} (* {b} {quotient}))")
        quotient, rest = self._divided(first, second, a, self._defined(b))
        return rest if atom.function == "rem" else quotient

    def _divided(self, first: Poly, second: Poly, a: str, b: str) -> tuple[str, str]:
        key = first, second
        if key not in self._quotients:
            number = len(self._quotients)
            names = Symbol("unknown", "quotient", number), Symbol("unknown", "rest", number)
            quotient, rest = (self._atom(name) for name in names)
            whole = self._poly(second * terms.of(names[0]))
            exact = (
                f"(= {a} (+ {whole} {rest}))",
                f"(<= 0 {rest})",
                f"(< {rest} {b})",
                f"(<= {rest} {a})",
                f"(<= 0 {quotient})",
                f"(<= {quotient} {a})",
            )
            self._definitions.append(f"(=> (and (>= {a} 0) (> {b} 0)) {_joined('and', exact)})")
            self._quotients[key] = quotient, rest
        return self._quotients[key]


def literal(value: int) -> str:
    """A number in SMT-LIB."""
    return str(value) if value >= 0 else f"(- {-value})"


def _joined(operator: str, parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({operator} {' '.join(parts)})"
