"""Turns blocks of operations into bodies of steps. Each operation is bound to slots once and runs for every chunk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.body import Body, Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Block, Operation
from core.interpreter.ops.registry import PURE, PURE_STEPS, STEPS, PureFunction


class Planner:
    """Builds bodies. Raises TilescopeError for an unknown operation before anything runs.

    `updating` are the stores of the function that change what was loaded (`updates`).
    """

    def __init__(self, updating: Set[Operation] = frozenset()) -> None:
        self.updating = updating

    def body(self, block: Block, *, hoist: bool = False) -> Body:
        """The block as a Body; with `hoist`, loop-invariant operations are hoisted."""
        operations = block.operations[:-1]
        invariant = _invariant(block, operations) if hoist else frozenset()
        inner = [op for op in operations if op not in invariant]
        outer = [op for op in operations if op in invariant]
        results = tuple(value.slot for value in block.terminator.operands)
        captured = _captured(block, inner)
        return Body(
            steps=tuple(zip(map(self.step, inner), _last_uses(inner, results), strict=True)),
            hoisted=tuple(map(self.step, outer)),
            arguments=tuple(value.slot for value in block.arguments),
            results=results,
            captured=captured,
        )

    def step(self, operation: Operation) -> Step:
        """One operation as a step."""
        if operation.name in STEPS:
            return STEPS[operation.name](operation, self)
        if operation.name in PURE:
            return _bound(operation, PURE[operation.name](operation))
        if operation.name.startswith(("ttg.", "ttng.", "gluon.", "amdg.", "amdgpu.")):
            raise TilescopeError(
                tr(
                    "{location} needs the Gluon operation {operation}, which Tilescope does not execute, so the kernel "
                    "was not run: trace a version of it without that operation.",
                    location=operation.location.label,
                    operation=operation.name,
                )
            )
        raise TilescopeError(
            tr(
                "{location} needs the operation {operation}, which Tilescope does not support, so the kernel "
                "was not run: rewrite the line without it.",
                location=operation.location.label,
                operation=operation.name,
            )
        )


def _invariant(block: Block, operations: Sequence[Operation]) -> frozenset[Operation]:
    """Pure operations that read none of the block's own values, themselves or in their regions."""
    varying = {value.slot for value in block.arguments}
    invariant = []
    for operation in operations:
        pure = operation.name in PURE or operation.name in PURE_STEPS
        if pure and not _uses(operation) & varying:
            invariant.append(operation)
        else:
            varying |= {value.slot for value in operation.results}
    return frozenset(invariant)


def _uses(operation: Operation) -> set[int]:
    """Slots that an operation reads, including its regions."""
    slots = {value.slot for value in operation.operands}
    for region in operation.regions:
        for inner in region.walk():
            slots |= {value.slot for value in inner.operands}
    return slots


def _defined(operations: Iterable[Operation]) -> set[int]:
    return {value.slot for operation in operations for value in operation.results}


def _captured(block: Block, operations: Sequence[Operation]) -> tuple[int, ...]:
    used = set().union(*(_uses(op) for op in (*operations, block.terminator)))
    inside = _defined(operations) | {value.slot for value in block.arguments}
    for operation in operations:
        for region in operation.regions:
            inside |= {value.slot for value in region.arguments} | _defined(region.walk())
            for inner in region.walk():
                for nested in inner.regions:
                    inside |= {value.slot for value in nested.arguments}
    return tuple(sorted(used - inside))


def _last_uses(operations: Sequence[Operation], results: tuple[int, ...]) -> list[tuple[int, ...]]:
    """For each operation, the slots defined here that nothing reads after it."""
    temporary = _defined(operations) - set(results)
    last_uses: list[tuple[int, ...]] = []
    for operation in reversed(operations):
        ending = (_uses(operation) | {value.slot for value in operation.results}) & temporary
        temporary -= ending
        last_uses.append(tuple(ending))
    return last_uses[::-1]


def _bound(operation: Operation, function: PureFunction) -> Step:
    """A pure function bound to the slots of its operands and results."""
    slots = tuple(value.slot for value in operation.operands)
    if len(operation.results) > 1:
        targets = tuple(value.slot for value in operation.results)

        def several(frame: Frame) -> None:
            values = frame.values
            for target, value in zip(targets, function(*(values[s] for s in slots)), strict=True):
                values[target] = value

        return several
    target = operation.results[0].slot if operation.results else 0
    if not operation.results:
        return lambda frame: function(*(frame.values[s] for s in slots))
    if len(slots) == 1:
        (only,) = slots

        def unary(frame: Frame) -> None:
            frame.values[target] = function(frame.values[only])

        return unary
    if len(slots) == 2:
        first, second = slots

        def binary(frame: Frame) -> None:
            values = frame.values
            values[target] = function(values[first], values[second])

        return binary

    def general(frame: Frame) -> None:
        values = frame.values
        values[target] = function(*[values[s] for s in slots])

    return general
