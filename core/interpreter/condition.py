"""The condition of a while loop: the place in memory that it asks for, and the number it compares that with."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

from core.interpreter.deciding import READS
from core.interpreter.ir import Operation, Value

Relation = Literal["eq", "ne", "lt", "le", "gt", "ge"]

_OPPOSITE: dict[Relation, Relation] = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_MIRRORED: dict[Relation, Relation] = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
_COMPARE: dict[Relation, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_SAME_NUMBER = ("arith.extsi", "arith.extui", "arith.trunci", "arith.index_cast", "tt.bitcast", "arith.bitcast")


@dataclass(frozen=True)
class Asked:
    """The loop goes on while what `read` returns has this relation to `bound`."""

    read: Operation
    relation: Relation
    bound: Value


def opposite(relation: Relation) -> Relation:
    """What holds where `relation` does not."""
    return _OPPOSITE[relation]


def mirrored(relation: Relation) -> Relation:
    """The relation with its sides exchanged."""
    return _MIRRORED[relation]


def compared(relation: Relation, left: float, right: float) -> bool:
    """Whether the relation holds."""
    return _COMPARE[relation](left, right)


@lru_cache(maxsize=256)
def asked_of(loop: Operation) -> Asked | None:
    """What an scf.while asks for; None if its condition is not one comparison of one scalar that it reads."""
    before, _ = loop.regions
    makers = {value.slot: op for region in loop.regions for op in region.walk() for value in op.results}
    comparison = makers.get(before.terminator.operands[0].slot)
    if comparison is None or comparison.name not in ("arith.cmpi", "arith.cmpf"):
        return None
    relation = cast(Relation, str(comparison.attributes["words"][0])[-2:])
    if relation not in _OPPOSITE:
        return None
    for side in (0, 1):
        read = _read(loop, makers, comparison.operands[side])
        if read is not None and read.operands[0].type.shape is None:
            return Asked(read, _MIRRORED[relation] if side else relation, comparison.operands[1 - side])
    return None


def _read(loop: Operation, makers: dict[int, Operation], value: Value) -> Operation | None:
    """The access that a value comes from unchanged, in this iteration or the one before."""
    before, after = loop.regions
    given = {a.slot: b for a, b in zip(before.arguments, after.terminator.operands, strict=True)}
    given |= {a.slot: b for a, b in zip(after.arguments, before.terminator.operands[1:], strict=True)}
    seen: set[int] = set()
    while value.slot not in seen:
        seen.add(value.slot)
        maker = makers.get(value.slot)
        if maker is not None and maker.name in READS:
            return maker
        if maker is not None and maker.name in _SAME_NUMBER:
            value = maker.operands[0]
        elif value.slot in given:
            value = given[value.slot]
    return None
