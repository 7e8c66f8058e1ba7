"""While loops that count: `while i < n: ... i += step`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

from core.interpreter.condition import Relation, mirrored
from core.interpreter.ir import Operation, Value
from core.trace.affine import IntArray
from core.trace.mask import BoolArray


@dataclass(frozen=True)
class Counter:
    """The loop goes on while its carried value number `argument` has this relation to `bound`. Each iteration adds
    `step`, or subtracts it (`sign` -1). Both are made outside the loop."""

    argument: int
    relation: Relation
    bound: Value
    step: Value
    sign: int

    def misses(self, start: IntArray, bound: IntArray, step: IntArray) -> BoolArray:
        """Per lane, whether it could only reach its end by wrapping around. `step` has its sign; 0 does not count."""
        way = bound - start
        if self.relation == "ne":
            beside = way % np.where(step == 0, 1, step) != 0
            return np.asarray((step != 0) & (way != 0) & ((way * step < 0) | beside))
        if self.relation in ("gt", "ge"):
            way, step = -way, -step
        return np.asarray((step < 0) & ((way > 0) | ((way == 0) & (self.relation in ("le", "ge")))))


@lru_cache(maxsize=256)
def counter_of(loop: Operation) -> Counter | None:
    """How an scf.while counts; None if its condition is not one signed comparison of a counter."""
    before, after = loop.regions
    makers = {value.slot: op for region in loop.regions for op in region.operations for value in op.results}
    inside = {value.slot for region in loop.regions for value in region.arguments} | set(makers)
    comparison = makers.get(before.terminator.operands[0].slot)
    if comparison is None or comparison.name != "arith.cmpi":
        return None
    word = str(comparison.attributes["words"][0])
    relation = cast(Relation, word[-2:])
    if word not in ("ne", "slt", "sle", "sgt", "sge"):
        return None
    for side in (0, 1):
        counted, bound = comparison.operands[side], comparison.operands[1 - side]
        argument = next((i for i, value in enumerate(before.arguments) if value.slot == counted.slot), None)
        if argument is None or bound.slot in inside:
            continue
        again = {
            value.slot
            for value, given in zip(after.arguments, before.terminator.operands[1:], strict=True)
            if given.slot == counted.slot
        }
        update = makers.get(after.terminator.operands[argument].slot)
        if update is None or update.name not in ("arith.addi", "arith.subi"):
            return None
        first, second = update.operands
        if second.slot in again and update.name == "arith.addi":
            first, second = second, first
        if first.slot not in again or second.slot in inside:
            return None
        sign = -1 if update.name == "arith.subi" else 1
        return Counter(argument, mirrored(relation) if side else relation, bound, second, sign)
    return None
