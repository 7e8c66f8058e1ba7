"""Adds the shadows of a second look: each float gets one, which says what made it NaN or infinite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from core.interpreter.ir import Block, Function, Operation, Value
from core.interpreter.plan import Plan, plan
from core.interpreter.shadows.checks import access_kind
from core.interpreter.shadows.floats import ALONG, ELEMENTS, KEPT, PRODUCT, READ
from core.interpreter.shadows.flow import SHAPES, Edge, is_elementwise, reached
from core.interpreter.shadows.instrument import Maker
from core.interpreter.shadows.watches import asks_for_nan


@lru_cache(maxsize=64)
def with_float_shadows(original: Plan) -> Plan:
    """The plan of the same function for a second look."""
    made = plan(FloatMaker(original.function, frozenset()).function())
    return replace(made, tile_bytes=original.tile_bytes, index_bytes=original.index_bytes)


class FloatMaker(Maker):
    """Shadows floats, and what depends on them."""

    def _reached(self, edges: Sequence[Edge], operations: Sequence[Operation]) -> set[int]:
        floats = [value.slot for value in self._function.arguments if value.type.is_float]
        floats += [value.slot for op in operations for value in op.results if value.type.is_float]
        return super()._reached(edges, operations) | reached([(a.slot, b.slot) for a, b, _ in edges], floats)

    def function(self) -> Function:
        given = [value for value in self._function.arguments if value.type.is_float]
        read = [self._read(value) for value in given]
        made = super().function()
        first, *others = made.body.operations
        return replace(made, body=Block(made.body.arguments, (first, *read, *others)), slots=self._slots)

    def asks(self, operation: Operation) -> list[Operation]:
        return []

    def _read(self, value: Value, *others: Value) -> Operation:
        return Operation(READ, (self._new(value),), (value, *others), {}, (), self._function.location)

    def _shadow(self, operation: Operation) -> list[Operation]:
        name, results, operands = operation.name, operation.results, operation.operands
        floats = [value for value in results if value.type.is_float]
        if name == "arith.constant" or asks_for_nan(operation):
            return []
        if not floats or name in SHAPES:
            return super()._shadow(operation)
        given, attributes = self._all(operands), {"at": operation}

        def make(kind: str, values: Sequence[Value]) -> list[Operation]:
            return [Operation(kind, tuple(map(self._new, results)), tuple(values), attributes, (), operation.location)]

        if access_kind(operation) == "load":
            moved = super()._shadow(operation)
            mask = operands[1:2]
            return [*moved, self._read(results[0], *mask, self._of(results[0]))]
        if name == "arith.select":
            moved = super()._shadow(operation)
            return moved + make(KEPT, (*results, self._of(results[0])))
        if name in ("tt.reduce", "tt.scan"):
            return make(ALONG, (*operands, *results, *given))
        if name == "tt.dot":
            return make(PRODUCT, (*operands[:3], *results, *given[:3]))
        if is_elementwise(operation) and not name.endswith("bitcast") and len(results) == 1:
            return make(ELEMENTS, (*operands, *results, *given))
        return [self._read(value) for value in floats]
