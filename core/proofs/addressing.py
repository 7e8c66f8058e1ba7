"""The arithmetic of a kernel that its addresses depend on, without formulas that would be too large to write down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.interpreter.ir import Block, Function, Operation, Value
from core.interpreter.slice import needed_slots
from core.proofs.modelled import MODELLED

_UNKNOWN = "(unknown)"
"""The name of an operation whose result is not modelled."""

_MOST_SYMBOLS = 1000
"""In a formula. That of a sort doubles with each of its steps."""

_MOST_NESTED = 30
"""Quotients, choices and the like inside each other in a formula. Python's recursion ends at about three times that."""

_FLAT = {"arith.addi", "arith.subi", "arith.muli", "tt.addptr", "tt.splat", "tt.broadcast", "tt.expand_dims"}
"""Operations that nest nothing."""


def addressing(function: Function) -> Function:
    """`function` with what its addresses, masks, bounds and conditions do not depend on made unknown, and so the
    results whose formulas are too large."""
    return replace(function, body=_Reduced(needed_slots(function)).block(function.body))


class _Reduced:
    def __init__(self, needed: set[int]) -> None:
        self._needed = needed
        self._symbols: dict[int, int] = {}
        """In the formula of each slot; 1 where that is not said."""
        self._nested: dict[int, int] = {}
        """How deeply the formula of each slot is nested; 0 where that is not said."""

    def block(self, block: Block) -> Block:
        return replace(block, operations=tuple(self._operation(operation) for operation in block.operations))

    def _operation(self, operation: Operation) -> Operation:
        if operation.regions:
            return self._with_regions(operation)
        if operation.name not in MODELLED or len(operation.results) != 1:
            return operation
        slot, sizes = operation.result.slot, [self._symbols.get(value.slot, 1) for value in operation.operands]
        size = sizes[0] * sizes[1] if operation.name == "arith.muli" else sum(sizes)
        nested = self._most_nested(operation.operands) + (operation.name not in _FLAT)
        if slot not in self._needed or size > _MOST_SYMBOLS or nested > _MOST_NESTED:
            return replace(operation, name=_UNKNOWN)
        self._symbols[slot], self._nested[slot] = max(size, 1), nested
        return operation

    def _most_nested(self, values: Iterable[Value]) -> int:
        return max((self._nested.get(value.slot, 0) for value in values), default=0)

    def _with_regions(self, operation: Operation) -> Operation:
        """What enters a loop or a call goes on in its body, and what a body yields in the results."""
        skipped = 3 if operation.name == "scf.for" else 0
        for region in operation.regions:
            for slot, value in zip(reversed(region.arguments), reversed(operation.operands[skipped:]), strict=False):
                self._symbols[slot.slot] = self._symbols.get(value.slot, 1)
                self._nested[slot.slot] = self._most_nested((value,))
        regions = tuple(self.block(region) for region in operation.regions)
        for place, result in enumerate(operation.results):
            yielded = [region.terminator.operands[place : place + 1] for region in regions]
            self._symbols[result.slot] = 1 + sum(self._symbols.get(value.slot, 1) for one in yielded for value in one)
            self._nested[result.slot] = 1 + self._most_nested(value for one in yielded for value in one)
        return replace(operation, regions=regions)
