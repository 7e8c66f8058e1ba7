"""Spin locks: `while tl.atomic_cas(lock, FREE, TAKEN) == TAKEN` (or `!= FREE`), with an empty body.

What a program stores until it next writes to the lock is in turns with what others store under the same element of it.
That the lock is free at first is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.interpreter.ir import Operation
from core.proofs.modelled import line_of
from core.proofs.values import Int, Place, Value


@dataclass(frozen=True)
class Lock:
    """An element that is a lock, and where it is taken ('FILE:LINE')."""

    place: Place
    line: str


def taken(loop: Operation, values: Mapping[int, Value]) -> Lock | None:
    """The lock that a while loop waits for, if it is one. `values` are those of its operands."""
    before, after = loop.regions
    swaps = [each for each in before.operations if each.name == "tt.atomic_cas"]
    compared = [each for each in before.operations if each.name == "arith.cmpi"]
    is_empty = all(each.name == "scf.yield" for each in after.operations)
    if len(swaps) != 1 or len(compared) != 1 or not is_empty:
        return None
    (swap,), (comparison,) = swaps, compared
    place, free, held = (values[slot.slot] for slot in swap.operands[:3])
    old, bound = comparison.operands
    awaited = {"eq": held, "ne": free}.get(comparison.attributes["words"][0])
    goes_on = before.terminator.operands[0].slot == comparison.result.slot
    if old.slot != swap.result.slot or not goes_on or not isinstance(place, Place) or swap.operands[0].type.dims:
        return None
    known = isinstance(free, Int) and isinstance(held, Int) and free.value.constant != held.value.constant
    if not known or not isinstance(awaited, Int) or values[bound.slot] != awaited or awaited.value.constant is None:
        return None
    return Lock(place, line_of(swap.location))
