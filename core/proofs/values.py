"""What a value of a kernel is in a proof: an integer, a condition or a place in a tensor, for one element of a tile.

The element is a symbol of kind 'axis' for each axis of the tile: broadcasting changes nothing, and moving an axis
renames its symbol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from core.interpreter.ir import Operation, Type
from core.proofs import terms
from core.proofs.terms import Formula, Poly, Symbol

AXES = tuple(Symbol("axis", str(axis)) for axis in range(32))


@dataclass(frozen=True)
class Check:
    """A number that must fit `bits` (two's complement), computed at `line` ('FILE:LINE'): else it wraps. With 0 bits it
    must not be negative, because it is read as unsigned. `operation` is what computes it; None for a loop."""

    value: Poly
    bits: int
    line: str
    operation: Operation | None = field(default=None, compare=False, repr=False)


Checks = frozenset[Check]
NO_CHECKS: Checks = frozenset()


@dataclass(frozen=True)
class Int:
    value: Poly
    checks: Checks = NO_CHECKS


@dataclass(frozen=True)
class Bit:
    value: Formula
    checks: Checks = NO_CHECKS


@dataclass(frozen=True)
class Place:
    """An element of the tensor that argument `buffer` points to: `value` elements after its first."""

    buffer: int
    value: Poly
    checks: Checks = NO_CHECKS


@dataclass(frozen=True)
class Nowhere:
    """A pointer or another value of which nothing is known, because of `line`."""

    line: str
    checks: Checks = NO_CHECKS


Value = Int | Bit | Place | Nowhere


def replaced(value: Value, change: Callable[[Symbol], Poly]) -> Value:
    """With each symbol as `change` gives it."""
    checks = frozenset(replace(check, value=check.value.replaced(change)) for check in value.checks)
    if isinstance(value, Nowhere):
        return value
    return replace(value, value=value.value.replaced(change), checks=checks)  # type: ignore[arg-type]


def moved(value: Value, target: tuple[int, ...]) -> Value:
    """With axis i of the tile as its axis `target[i]`."""
    names = {AXES[axis]: terms.of(AXES[place]) for axis, place in enumerate(target)}
    return replaced(value, lambda symbol: names.get(symbol, terms.of(symbol)))


def reshaped(value: Value, source: Type, target: Type) -> Value:
    """The element of a row-major reshape."""
    flat, size = terms.ZERO, 1
    for axis in reversed(range(target.rank)):
        flat += terms.of(AXES[axis]).times(size if target.dims[axis] > 1 else 0)
        size *= target.dims[axis]
    names: dict[Symbol, Poly] = {}
    below = 1
    for axis in reversed(range(source.rank)):
        extent = source.dims[axis]
        kept = [i for i, dim in enumerate(target.dims) if dim > 1 and _below(target.dims, i) == below and dim == extent]
        if kept:
            names[AXES[axis]] = terms.of(AXES[kept[0]])
        else:
            names[AXES[axis]] = terms.applied(
                "rem", terms.applied("div", flat, terms.number(below)), terms.number(extent)
            )
        below *= extent
    return replaced(value, lambda symbol: names.get(symbol, terms.of(symbol)))


def _below(dims: tuple[int, ...], axis: int) -> int:
    size = 1
    for dim in dims[axis + 1 :]:
        size *= dim
    return size


def chosen(condition: Bit, yes: Value, no: Value) -> Value | None:
    """`yes` where a condition holds, else `no`; None if that cannot be said."""
    checks = condition.checks | yes.checks | no.checks
    if isinstance(yes, Bit) and isinstance(no, Bit):
        first = terms.all_of((condition.value, yes.value))
        second = terms.all_of((terms.negated(condition.value), no.value))
        return Bit(terms.any_of((first, second)), checks)
    if isinstance(yes, Int) and isinstance(no, Int):
        return Int(terms.applied("select", condition.value, yes.value, no.value), checks)
    if isinstance(yes, Place) and isinstance(no, Place) and yes.buffer == no.buffer:
        return Place(yes.buffer, terms.applied("select", condition.value, yes.value, no.value), checks)
    return None
