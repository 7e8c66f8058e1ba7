"""Adds shadows to a function: operations that make them, move them, and look at them where they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from core.interpreter.ir import SHADOW, Block, Function, Location, Operation, Type, Value
from core.interpreter.ops.address_only import CHECKED
from core.interpreter.plan import Plan, plan
from core.interpreter.serial import waits
from core.interpreter.shadows.births import BIRTHS
from core.interpreter.shadows.checks import Checks, access_kind
from core.interpreter.shadows.clamps import CLAMP, CLAMPS
from core.interpreter.shadows.flow import ELEMENTWISE, SHAPES, Edge, edges_of, is_elementwise, moves, reached
from core.interpreter.shadows.following import ESCAPE, NOTE, SUSPECT
from core.interpreter.shadows.hints import checked_hints
from core.interpreter.shadows.movements import EXCHANGE, GATHER, HISTOGRAM, exchanged
from core.interpreter.shadows.operations import (
    ABSORB,
    ABSORBING,
    CLEAN,
    CONDITION,
    DOT,
    LOAD,
    MERGE,
    REDUCE,
    SCAN,
    SELECT,
    SINK,
)
from core.interpreter.shadows.vectors import Vectors
from core.interpreter.shadows.watches import Watches

Line = tuple[str, int]
"""A file, and a line of it."""

_VALUES = {"tt.store": 1, "tt.atomic_rmw": 1, "tt.atomic_cas": 2}
"""How many operands after the pointer are values; a mask may follow."""

_GLUON = ("ttg.", "ttng.", "gluon.", "amdg.", "amdgpu.")


@lru_cache(maxsize=256)
def with_shadows(original: Plan, suspects: frozenset[Line] = frozenset()) -> Plan:
    """The plan of the same function with shadows, or itself if there is nothing to check.

    With the lines of `suspects`, only what their loads read is followed.
    """
    function = original.function
    if not may_have_shadows(function):
        return original
    maker = Maker(function, suspects)
    if not maker.shadowed and not maker.vectors and not any(map(maker.asks, function.body.walk())):
        return original
    made = plan(maker.function())
    return replace(made, tile_bytes=original.tile_bytes, index_bytes=original.index_bytes)


def may_have_shadows(function: Function) -> bool:
    """Whether shadows can follow the values of a function: all but those that pass through shared memory, as those of
    most Gluon kernels do."""
    names = {operation.name for operation in function.body.walk()} - SHAPES
    return not any(name.startswith(_GLUON) for name in names)


def _has_undefined_lanes(operation: Operation) -> bool:
    """A masked load without `other`."""
    return operation.name in ("tt.load", CHECKED) and access_kind(operation) == "load" and len(operation.operands) == 2


class Maker:
    """Copies a function; `shadowed` are the slots that a doubt can reach."""

    def __init__(self, function: Function, suspects: frozenset[Line]) -> None:
        self._function = function
        self._suspects = suspects
        self._slots = function.slots
        self._shadows: dict[int, Value] = {}
        self._clean = self._value(Type("i32"))
        edges = edges_of(function)
        operations = list(function.body.walk())
        self._makers = {value.slot: operation for operation in operations for value in operation.results}
        self._names = {value.slot: value.name for value in function.arguments}
        self._names |= {v.slot: op.location.names[-1] for op in operations if op.location.names for v in op.results}
        self._watches = None if suspects else Watches(function, edges)
        self.vectors = None if suspects else Vectors(function, edges)
        self._misread: dict[Operation, Value] = {}
        if suspects:
            self._births = {}
            loads = [op.result.slot for op in operations if self._is_suspect(op)]
            self.shadowed = reached([(a.slot, b.slot) for a, b, _ in edges], loads)
            return
        checks = Checks(function, edges)
        self._births = {op: names for op in operations if (names := checks.of(op))}
        self.shadowed = self._reached(edges, operations)

    def _is_suspect(self, operation: Operation) -> bool:
        return operation.name == "tt.load" and (operation.location.file, operation.location.line) in self._suspects

    def _reached(self, edges: Sequence[Edge], operations: Sequence[Operation]) -> set[int]:
        slots: set[int] = set()
        for names, passed in (
            (("overflow",), ("offset",)),
            (("wrap", "sum"), ("offset", "wrapped")),
            (("divisor", "negative", "shift", "cast", "tf32"), ("offset", "wrapped", "doubt")),
        ):
            born = [op.result.slot for op, births in self._births.items() if not set(names).isdisjoint(births)]
            if "cast" in names:
                born += [op.result.slot for op in operations if _has_undefined_lanes(op)]
                born += [value.slot for value in self.vectors.read] if self.vectors else []
            slots |= reached([(a.slot, b.slot) for a, b, stays in edges if stays in passed], born)
        return slots

    def function(self) -> Function:
        first = Operation(CLEAN, (self._clean,), (), {}, (), Location())
        body = self._block(self._function.body)
        return replace(self._function, body=Block(body.arguments, (first, *body.operations)), slots=self._slots)

    def _value(self, type_: Type) -> Value:
        self._slots += 1
        return Value(self._slots - 1, SHADOW, type_)

    def _new(self, value: Value) -> Value:
        """The shadow that an operation is about to give to `value`."""
        shadow = self._shadows[value.slot] = self._value(Type("i32", value.type.shape))
        return shadow

    def _of(self, value: Value) -> Value:
        return self._shadows.get(value.slot, self._clean)

    def _all(self, values: Sequence[Value]) -> tuple[Value, ...]:
        return tuple(map(self._of, values))

    def _news(self, values: Sequence[Value]) -> tuple[Value, ...]:
        return tuple(self._new(value) for value in values if value.slot in self.shadowed)

    def _block(self, block: Block, extra: tuple[Value, ...] = (), yielded: Sequence[int] = ()) -> Block:
        """A block with its shadows. `extra` are more arguments; the shadows of terminator operands `yielded` follow."""
        operations: list[Operation] = []
        for operation in block.operations[:-1]:
            operations += self._operation(operation)
        end = block.terminator
        if end.name in ("cf.cond_br", "scf.condition"):
            operations += self._condition(end, end.operands[:1])
        end = replace(end, operands=(*end.operands, *(self._of(end.operands[index]) for index in yielded)))
        return Block((*block.arguments, *extra), (*operations, end))

    def _condition(self, operation: Operation, conditions: Sequence[Value]) -> list[Operation]:
        shadows = [self._of(value) for value in conditions if value.slot in self._shadows]
        return [Operation(CONDITION, (), tuple(shadows), {"at": operation}, (), operation.location)] if shadows else []

    def _operation(self, operation: Operation) -> list[Operation]:
        control = {"scf.for": self._for, "scf.if": self._if, "scf.while": self._while, "tt.call": self._call}
        if operation.name in control:
            return control[operation.name](operation)
        if operation.name == "lanes.blocks":
            return [replace(operation, regions=tuple(map(self._block, operation.regions)))]
        before = self._sinks(operation) + self._vector(operation) if access_kind(operation) is not None else []
        if self._suspects:
            before += self._followed(operation)
        return [*before, operation, *self.asks(operation), *self._shadow(operation)]

    def asks(self, operation: Operation) -> list[Operation]:
        """The operations that look at an operation without a shadow."""
        watching = [] if self._watches is None else self._watches.of(operation)
        return [*checked_hints(operation), *watching]

    def _followed(self, operation: Operation) -> list[Operation]:
        """What a launch that runs again does before an operation."""
        if self._is_suspect(operation):
            return [Operation(NOTE, (), (), {}, (), operation.location)]
        return self._escapes(operation) if not moves(operation) or operation.name == "tt.assert" else []

    def _escapes(self, operation: Operation) -> list[Operation]:
        inside = (value for region in operation.regions for each in region.walk() for value in each.operands)
        slots = dict.fromkeys(value.slot for value in (*operation.operands, *inside))
        shadows = tuple(self._shadows[slot] for slot in slots if slot in self._shadows)
        return [Operation(ESCAPE, (), shadows, {}, (), operation.location)] if shadows and self._suspects else []

    def _vector(self, operation: Operation) -> list[Operation]:
        """The check of an access of several elements at once. What a load reads gets a shadow by it."""
        check = self.vectors.check(operation) if self.vectors else None
        if check is None:
            return []
        marks = tuple(self._value(Type("i32", value.type.shape)) for value in operation.results)
        if marks:
            self._misread[operation] = marks[0]
        return [replace(check, results=marks)]

    def _sinks(self, operation: Operation) -> list[Operation]:
        pointer, *rest = operation.operands
        values = rest[: _VALUES.get(operation.attributes.get("operation", operation.name), 0)]
        mask = rest[len(values) : len(values) + 1]
        looked = (pointer, *values, *mask)
        if not any(value.slot in self._shadows for value in looked):
            return []
        attributes = {"at": operation, "values": len(values), "dims": pointer.type.dims}
        return [Operation(SINK, (), (*looked, *self._all(looked)), attributes, (), operation.location)]

    def _shadow(self, operation: Operation) -> list[Operation]:
        """The operations that make the shadows of an operation's results."""
        if not any(value.slot in self.shadowed for value in operation.results):
            return []
        operands, location = operation.operands, operation.location
        given, name = self._all(operands), operation.name

        def make(kind: str, values: Sequence[Value], **attributes: Any) -> list[Operation]:
            results = tuple(map(self._new, operation.results))
            return [Operation(kind, results, tuple(values), {"at": operation, **attributes}, (), location)]

        if self._is_suspect(operation):
            return make(SUSPECT, given[2:3])
        if access_kind(operation) == "load":
            loaded, misread = make(LOAD, (*operands[:2], *given[2:3])), self._misread.get(operation)
            return loaded if misread is None else [*loaded, *make(MERGE, (loaded[0].result, misread))]
        if name in SHAPES:
            results = tuple(map(self._new, operation.results))
            return [replace(operation, operands=given, results=results)]
        if name in ("tt.reduce", "tt.scan"):
            moved = make(REDUCE if name == "tt.reduce" else SCAN, given)
            return moved + self._born(operation, moved)
        if name == "tt.dot":
            product = make(DOT, given)
            return product + self._born(operation, product)
        if name == "tt.gather":
            return make(GATHER, (operands[1], *given))
        if name == "tt.histogram":
            return make(HISTOGRAM, (*operands, *given))
        if not name.startswith(ELEMENTWISE) or not is_elementwise(operation):
            return []
        pair = exchanged(operation, self._makers) if name == "arith.xori" else None
        if pair is not None:
            return make(EXCHANGE, (self._of(pair[0]),), axis=pair[1])
        if name == "arith.select":
            return make(SELECT, (operands[0], *given))
        made: list[Operation] = []
        if any(value.slot in self._shadows for value in operands):
            moving = ABSORB if name in ABSORBING else CLAMP if name in CLAMPS else MERGE
            made = make(moving, given if moving == MERGE else (*operands, *given))
        return made + self._born(operation, made)

    def _born(self, operation: Operation, made: Sequence[Operation]) -> list[Operation]:
        """The operations that check an operation, after those that move its shadow."""
        added: list[Operation] = []
        for birth in self._births.get(operation, ()):
            older = [each.result for each in (*made, *added)][-1:]
            names = tuple(self._name(value, operation) for value in operation.operands)
            operands = (*operation.operands, operation.result, *older)
            attributes, results = {"at": operation, "names": names}, (self._new(operation.result),)
            added.append(Operation(BIRTHS[birth], results, operands, attributes, (), operation.location))
        return added

    def _name(self, value: Value, operation: Operation) -> str:
        """The variable that holds an operand; '' for a part of the operation's own expression."""
        name = self._names.get(value.slot, "")
        return "" if name in operation.location.names[-1:] else name

    def _for(self, operation: Operation) -> list[Operation]:
        (body,) = operation.regions
        carried = [i for i, value in enumerate(body.arguments[1:]) if value.slot in self.shadowed]
        initial = tuple(self._of(operation.operands[3 + i]) for i in carried)
        conditions = self._condition(operation, operation.operands[:3])
        extra = tuple(self._new(body.arguments[1 + i]) for i in carried)
        inside = self._block(body, extra, carried)
        results = (*operation.results, *(self._new(operation.results[i]) for i in carried))
        operands = (*operation.operands, *initial)
        return [*conditions, replace(operation, operands=operands, results=results, regions=(inside,))]

    def _if(self, operation: Operation) -> list[Operation]:
        carried = [i for i, value in enumerate(operation.results) if value.slot in self.shadowed]
        regions = tuple(self._block(region, (), carried) for region in operation.regions)
        results = (*operation.results, *(self._new(operation.results[i]) for i in carried))
        return [*self._condition(operation, operation.operands), replace(operation, results=results, regions=regions)]

    def _while(self, operation: Operation) -> list[Operation]:
        if operation in waits(self._function):
            return [
                *self._escapes(operation),
                operation,
            ]  # what it asks comes from memory, and parking reads the loop as it is
        before, after = operation.regions
        first = [i for i, value in enumerate(before.arguments) if value.slot in self.shadowed]
        second = [i for i, value in enumerate(after.arguments) if value.slot in self.shadowed]
        initial = tuple(self._of(operation.operands[i]) for i in first)
        asked = self._block(before, tuple(self._new(before.arguments[i]) for i in first), [1 + i for i in second])
        done = self._block(after, tuple(self._new(after.arguments[i]) for i in second), first)
        results = (*operation.results, *(self._new(operation.results[i]) for i in second))
        operands = (*operation.operands, *initial)
        return [replace(operation, operands=operands, results=results, regions=(asked, done))]

    def _call(self, operation: Operation) -> list[Operation]:
        (callee,) = operation.regions
        given = [i for i, value in enumerate(callee.arguments) if value.slot in self.shadowed]
        returned = [i for i, value in enumerate(operation.results) if value.slot in self.shadowed]
        operands = (*operation.operands, *(self._of(operation.operands[i]) for i in given))
        inside = self._block(callee, tuple(self._new(callee.arguments[i]) for i in given), returned)
        results = (*operation.results, *(self._new(operation.results[i]) for i in returned))
        return [replace(operation, operands=operands, results=results, regions=(inside,))]
