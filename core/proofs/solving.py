"""Asks z3 whether conditions can hold together, within a time limit.

Quotients and remainders by a number are exact. By anything else they are exact for a dividend of 0 or more and a
positive divisor, and may be anything otherwise: what is shown holds all the same, and a counterexample is executed
anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal

from core.proofs.terms import Applied, Atom, Formula, Poly, Symbol

Answer = Literal["never", "possible", "unknown"]


@dataclass
class Clock:
    """A limit of time, in seconds."""

    seconds: float
    began: float = field(default_factory=monotonic)

    @property
    def spent(self) -> float:
        return monotonic() - self.began

    @property
    def left_ms(self) -> int:
        return max(0, int((self.seconds - self.spent) * 1000))


@dataclass
class Solver:
    """Translates formulas to z3 and asks it."""

    clock: Clock
    query_ms: int = 700
    ran_out: bool = False
    """Whether an answer is unknown because of the time."""

    def possible(self, formulas: Sequence[Formula], query_ms: int = 0) -> tuple[Answer, Mapping[Symbol, int]]:
        """Whether formulas can hold together, and if so, sizes for which they do."""
        import z3

        translation = _Translation(z3)
        solver = z3.Solver()
        conditions = [translation.formula(formula) for formula in formulas]
        limit = min(query_ms or self.query_ms, self.clock.left_ms)
        if limit <= 0:
            self.ran_out = True
            return "unknown", {}
        solver.set("timeout", limit)
        solver.add(*conditions, *translation.definitions)
        answer = solver.check()
        if answer == z3.unsat:
            return "never", {}
        if answer != z3.sat:
            self.ran_out = True
            return "unknown", {}
        model = solver.model()
        sizes = {
            symbol: model.eval(variable, model_completion=True).as_long()
            for symbol, variable in translation.symbols.items()
            if symbol.kind == "size"
        }
        return "possible", sizes


class _Translation:
    """Formulas as terms of z3. `definitions` say what the variables of quotients are."""

    def __init__(self, z3: Any) -> None:
        self._z3 = z3
        self.symbols: dict[Symbol, Any] = {}
        self.definitions: list[Any] = []
        self._atoms: dict[Atom, Any] = {}
        self._quotients: dict[tuple[Poly, Poly], tuple[Any, Any]] = {}

    def poly(self, value: Poly) -> Any:
        parts = []
        for monomial, coefficient in value.terms.items():
            factors = [self._atom(atom) for atom, power in monomial for _ in range(power)]
            product = self._z3.IntVal(coefficient)
            for factor in factors:
                product = product * factor
            parts.append(product)
        return self._z3.Sum(parts) if parts else self._z3.IntVal(0)

    def formula(self, value: Formula) -> Any:
        z3 = self._z3
        if value.kind == "true":
            return z3.BoolVal(True)
        if value.kind in ("and", "or"):
            return z3.And([self.formula(part) for part in value.parts if isinstance(part, Formula)])
        if value.kind == "not":
            (part,) = value.parts
            assert isinstance(part, Formula)
            return z3.Not(self.formula(part))
        if value.kind == "unknown":
            (part,) = value.parts
            assert isinstance(part, Poly)
            return self.poly(part) != 0
        a, b = (self.poly(part) for part in value.parts if isinstance(part, Poly))
        compared: dict[str, Callable[[Any, Any], Any]] = {
            "lt": lambda x, y: x < y,
            "le": lambda x, y: x <= y,
            "eq": lambda x, y: x == y,
        }
        return compared[value.kind](a, b)

    def _atom(self, atom: Atom) -> Any:
        known = self._atoms.get(atom)
        if known is None:
            known = self._symbol(atom) if isinstance(atom, Symbol) else self._applied(atom)
            self._atoms[atom] = known
        return known

    def _symbol(self, symbol: Symbol) -> Any:
        if symbol not in self.symbols:
            self.symbols[symbol] = self._z3.Int(f"{symbol.kind}:{symbol.name}:{symbol.number}:{symbol.line}")
        return self.symbols[symbol]

    def _applied(self, atom: Applied) -> Any:
        z3 = self._z3
        if atom.function == "select":
            condition, yes, no = atom.arguments
            assert isinstance(condition, Formula)
            assert isinstance(yes, Poly)
            assert isinstance(no, Poly)
            return z3.If(self.formula(condition), self.poly(yes), self.poly(no))
        first, second = atom.arguments
        assert isinstance(first, Poly)
        assert isinstance(second, Poly)
        a, b = self.poly(first), self.poly(second)
        if atom.function == "min":
            return z3.If(a <= b, a, b)
        if atom.function == "max":
            return z3.If(a >= b, a, b)
        divisor = second.constant
        if divisor is not None and divisor > 0:
            if atom.function == "floordiv":
                return a / b
            quotient = z3.If(a >= 0, a / b, -((-a) / b))
            return quotient if atom.function == "div" else a - b * quotient
        quotient, rest = self._divided(first, second, a, b)
        return rest if atom.function == "rem" else quotient

    def _divided(self, first: Poly, second: Poly, a: Any, b: Any) -> tuple[Any, Any]:
        key = first, second
        if key not in self._quotients:
            z3 = self._z3
            quotient, rest = z3.FreshInt("quotient"), z3.FreshInt("rest")
            exact = z3.And(a == b * quotient + rest, rest >= 0, rest < b, quotient >= 0, quotient <= a, rest <= a)
            self.definitions.append(z3.Implies(z3.And(a >= 0, b > 0), exact))
            self._quotients[key] = quotient, rest
        return self._quotients[key]
