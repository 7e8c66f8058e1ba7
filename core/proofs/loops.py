"""What a loop carries: a value that grows by the same in each iteration is its first one plus a multiple of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.proofs import terms
from core.proofs.terms import Poly, Symbol
from core.proofs.values import Check, Checks, Int, Place, Value


@dataclass(frozen=True)
class Growth:
    """By how much a value grows, and the numbers that this relies on: `firsts` in the first iteration, `lasts` when
    `count` iterations follow before the last one."""

    step: Poly
    firsts: Checks
    lasts: Checks
    count: Symbol

    def relied_on(self, times: Poly) -> Checks:
        """The numbers that must not wrap so that the value has grown that many times."""
        grew = terms.less(terms.ZERO, times)

        def lasting(symbol: Symbol) -> Poly:
            return times - terms.number(1) if symbol == self.count else terms.of(symbol)

        found = [*self.firsts, *(replace(each, value=each.value.replaced(lasting)) for each in self.lasts)]
        return frozenset(replace(each, value=terms.applied("select", grew, each.value, terms.ZERO)) for each in found)


def growths(
    initial: Sequence[Value], marks: Sequence[Symbol], after: Sequence[Value], first: int
) -> list[Growth | None]:
    """How each carried value grows; None if that varies, or is unknown. `marks` stand for the values at the beginning
    of an iteration, `after` are those at its end. Symbols from number `first` on belong to the iteration."""
    steps = [_step(*each, first) for each in zip(initial, marks, after, strict=True)]
    known = {
        mark: (value.value, step)
        for mark, value, step in zip(marks, initial, steps, strict=True)
        if step is not None and isinstance(value, Int | Place)
    }
    count = Symbol("step", "steps_before", first)

    def at(times: Poly) -> dict[Symbol, Poly]:
        return {mark: value + step * times for mark, (value, step) in known.items()}

    found: list[Growth | None] = []
    for step, value in zip(steps, after, strict=True):
        varying = {atom for check in value.checks for atom in _of_iteration(check.value, first)}
        if step is None or not varying <= known.keys():
            found.append(None)
        else:
            firsts, lasts = (_with(value.checks, at(times)) for times in (terms.ZERO, terms.of(count)))
            found.append(Growth(step, firsts, lasts, count))
    return found


def _step(value: Value, mark: Symbol, after: Value, first: int) -> Poly | None:
    if not isinstance(value, Int | Place) or not isinstance(after, Int | Place) or type(value) is not type(after):
        return None
    step = after.value - terms.of(mark)
    same = not isinstance(value, Place) or value.buffer == getattr(after, "buffer", -1)
    return step if same and not _of_iteration(step, first) else None


def _of_iteration(value: Poly, first: int) -> set[Symbol]:
    return {atom for atom in value.atoms() if isinstance(atom, Symbol) and atom.number >= first}


def _with(checks: Checks, values: dict[Symbol, Poly]) -> Checks:
    def change(symbol: Symbol) -> Poly:
        return values.get(symbol, terms.of(symbol))

    return frozenset(Check(check.value.replaced(change), check.bits, check.line) for check in checks)
