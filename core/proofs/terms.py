"""Integers as polynomials over symbols, and conditions on them.

A symbol is a size (the same for all programs), a coordinate of the program, an axis of its tile, a step of a loop, or
something unknown. What is no sum and no product, such as a quotient, is an atom of its own: `Applied`. Nothing wraps.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Literal

SymbolKind = Literal["size", "program", "axis", "step", "unknown"]


@dataclass(frozen=True)
class Symbol:
    """A name for a number. `line` ('FILE:LINE') and `number` tell unknowns apart: the line is where it comes from."""

    kind: SymbolKind
    name: str
    number: int = 0
    line: str = ""

    @cached_property
    def key(self) -> str:
        """Tells symbols apart, and orders them the same in every run."""
        return f"{self.kind} {self.name} {self.number} {self.line}"


@dataclass(frozen=True)
class Applied:
    """A function of polynomials that is none: 'div' and 'rem' (towards zero), 'floordiv', 'min', 'max', 'select'.

    The first argument of 'select' is a condition.
    """

    function: str
    arguments: tuple[Poly | Formula, ...]

    @cached_property
    def _hash(self) -> int:
        return hash((self.function, self.arguments))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def key(self) -> str:
        """Tells functions apart, and orders them the same in every run."""
        arguments = "\n".join(argument.key for argument in self.arguments)
        return f"{self.function} {blake2b(arguments.encode(), digest_size=16).hexdigest()}"


Atom = Symbol | Applied
Monomial = frozenset[tuple[Atom, int]]
"""Atoms with their powers; empty for the number 1."""

ONE: Monomial = frozenset()


def factors(monomial: Monomial) -> list[tuple[Atom, int]]:
    """Atoms with their powers, in the same order in every run, which z3's time depends on."""
    return sorted(monomial, key=lambda factor: factor[0].key)


@dataclass(frozen=True)
class Poly:
    """A sum of monomials with integer coefficients, none of which is 0."""

    terms: Mapping[Monomial, int]

    @cached_property
    def _hash(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def key(self) -> str:
        """The polynomial as text, the same in every run."""
        parts = (f"{number} {[(atom.key, power) for atom, power in factors(m)]}" for m, number in self.terms.items())
        return " + ".join(sorted(parts))

    @property
    def constant(self) -> int | None:
        """The number, if it is one."""
        if not self.terms:
            return 0
        return self.terms.get(ONE) if len(self.terms) == 1 else None

    def __add__(self, other: Poly) -> Poly:
        terms = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Poly({monomial: coefficient for monomial, coefficient in terms.items() if coefficient})

    def __sub__(self, other: Poly) -> Poly:
        return self + other.times(-1)

    def __mul__(self, other: Poly) -> Poly:
        total = ZERO
        for monomial, coefficient in self.terms.items():
            for second, factor in other.terms.items():
                total += Poly({_product(monomial, second): coefficient * factor})
        return total

    def times(self, factor: int) -> Poly:
        return Poly({monomial: coefficient * factor for monomial, coefficient in self.terms.items() if factor})

    def atoms(self) -> Iterator[Atom]:
        """All atoms, also those inside of others."""
        for monomial in self.terms:
            for atom, _ in factors(monomial):
                yield atom
                if isinstance(atom, Applied):
                    for argument in atom.arguments:
                        yield from argument.atoms()

    def replaced(self, change: Callable[[Symbol], Poly]) -> Poly:
        """With each symbol as `change` gives it, also inside of other atoms."""
        total = ZERO
        for monomial, coefficient in self.terms.items():
            product = number(coefficient)
            for atom, power in factors(monomial):
                value = _changed(atom, change)
                for _ in range(power):
                    product = product * value
            total += product
        return total


def _product(first: Monomial, second: Monomial) -> Monomial:
    powers = dict(first)
    for atom, power in second:
        powers[atom] = powers.get(atom, 0) + power
    return frozenset(powers.items())


def quotient(monomial: Monomial, divisor: Monomial) -> Monomial:
    """`monomial` without the atoms of `divisor`, which divides it."""
    powers = dict(monomial)
    for atom, power in divisor:
        powers[atom] -= power
    return frozenset((atom, power) for atom, power in powers.items() if power)


def _changed(atom: Atom, change: Callable[[Symbol], Poly]) -> Poly:
    if isinstance(atom, Symbol):
        return change(atom)
    return applied(atom.function, *(argument.replaced(change) for argument in atom.arguments))


ZERO = Poly({})


def number(value: int) -> Poly:
    return Poly({ONE: value} if value else {})


def of(atom: Atom) -> Poly:
    return Poly({frozenset({(atom, 1)}): 1})


@dataclass(frozen=True)
class Formula:
    """A condition: 'lt', 'le', 'eq', 'ne' of two polynomials; 'and', 'or', 'not' of formulas; 'true'; 'unknown'.

    The argument of 'unknown' is the symbol that names it.
    """

    kind: str
    parts: tuple[Poly | Formula, ...] = ()

    @cached_property
    def _hash(self) -> int:
        return hash((self.kind, self.parts))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def key(self) -> str:
        """The condition as text, the same in every run."""
        return f"{self.kind}({', '.join(part.key for part in self.parts)})"

    def atoms(self) -> Iterator[Atom]:
        for part in self.parts:
            yield from part.atoms()

    def replaced(self, change: Callable[[Symbol], Poly]) -> Formula:
        return Formula(self.kind, tuple(part.replaced(change) for part in self.parts))


TRUE = Formula("true")
FALSE = Formula("not", (TRUE,))


_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


def decided(formula: Formula) -> Formula:
    """The condition; TRUE or FALSE where numbers decide it."""
    if formula.kind == "and":
        return all_of(part for part in formula.parts if isinstance(part, Formula))
    if formula.kind == "not" and isinstance(formula.parts[0], Formula):
        return negated(formula.parts[0])
    numbers = [part.constant for part in formula.parts if isinstance(part, Poly)]
    if formula.kind in _COMPARED and None not in numbers:
        a, b = numbers
        return TRUE if _COMPARED[formula.kind](a, b) else FALSE  # type: ignore[arg-type]
    return formula


def less(a: Poly, b: Poly) -> Formula:
    return Formula("lt", (a, b))


def at_most(a: Poly, b: Poly) -> Formula:
    return Formula("le", (a, b))


def equal(a: Poly, b: Poly) -> Formula:
    return Formula("eq", (a, b))


def negated(formula: Formula) -> Formula:
    if formula.kind == "not":
        inner = formula.parts[0]
        assert isinstance(inner, Formula)
        return inner
    return Formula("not", (formula,))


def all_of(formulas: Iterable[Formula]) -> Formula:
    parts = tuple(formula for formula in dict.fromkeys(formulas) if formula != TRUE)
    if FALSE in parts:
        return FALSE
    return parts[0] if len(parts) == 1 else Formula("and", parts) if parts else TRUE


def any_of(formulas: Iterable[Formula]) -> Formula:
    return negated(all_of(negated(formula) for formula in formulas))


_EXACT: dict[str, Callable[[int, int], int]] = {
    "div": lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    "rem": lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1),
    "floordiv": lambda a, b: a // b,
    "min": min,
    "max": max,
}


def applied(function: str, *arguments: Poly | Formula) -> Poly:
    """A function of polynomials: a number if all of them are, else an atom."""
    if function == "select":
        condition, yes, no = arguments
        assert isinstance(yes, Poly)
        assert isinstance(no, Poly)
        if condition == TRUE or yes == no:
            return yes
        return no if condition == FALSE else of(Applied(function, arguments))
    first, second = arguments
    assert isinstance(first, Poly)
    assert isinstance(second, Poly)
    a, b = first.constant, second.constant
    if a is not None and b is not None and (b or function in ("min", "max")):
        return number(_EXACT[function](a, b))
    if b == 1 and function in ("div", "floordiv"):
        return first
    return of(Applied(function, arguments))
