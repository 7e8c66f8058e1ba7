"""Addresses only: the part of a kernel that its addresses, masks and control flow depend on.

It is a backward slice of the IR from the pointers and masks of every access and from the bounds and conditions of loops
and branches. Everything else, the arithmetic of the kernel, is dropped. Stores and loads whose value is not needed
become accesses without data (`address_only.access`). A load that addresses depend on stays, and first checks whether a
store without data should have written what it reads (`address_only.checked`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from core.interpreter.ir import Block, Function, Operation, Value
from core.interpreter.ops.address_only import ACCESS, CHECKED
from core.interpreter.ops.products import COUNT
from core.interpreter.plan import Plan, plan
from core.interpreter.serial import reads_data

_ACCESSES = ("tt.load", "tt.store", "tt.atomic_", "tt.descriptor_")
"""Operations (by prefix) that are kept even if nothing uses their results."""

_WITHOUT_DATA = {"tt.load": 1, "tt.store": 2, "tt.atomic_rmw": 2}
"""Accesses that can be recorded without data, and the index of their mask operand."""

_KIND = {"tt.load": "load", "tt.store": "store", "tt.atomic_rmw": "atomic"}


@lru_cache(maxsize=256)
def addresses_of(full: Plan) -> Plan:
    """The plan that makes the same accesses as `full` and computes nothing else.

    If programs wait for values that others write, or data passes through shared memory, nothing can be dropped, and
    this is `full` itself.
    """
    return full if reads_data(full.function) else plan(sliced(full.function))


@lru_cache(maxsize=256)
def depends_on_data(full: Plan) -> bool:
    """Whether an address, a mask or a loop of the kernel may depend on values that it loads."""
    reduced = addresses_of(full).function
    return reduced is full.function or any(
        operation.name == CHECKED or operation.name.startswith(_ACCESSES) for operation in reduced.body.walk()
    )


def sliced(function: Function) -> Function:
    """`function` reduced to what addresses, masks, bounds and conditions depend on. Slots keep their numbers."""
    return replace(function, body=_Rebuilt(needed_slots(function)).block(function.body, ()))


def needed_slots(function: Function) -> set[int]:
    """The slots that addresses, masks, bounds and conditions depend on."""
    needs = _Needs()
    while needs.visit(function.body):
        pass
    return needs.slots


def _accesses_memory(operation: Operation) -> bool:
    inner = (op for region in operation.regions for op in region.walk())
    return any(op.name.startswith(_ACCESSES) for op in (operation, *inner))


class _Needs:
    """The slots that addresses depend on, found by backward passes over the IR until nothing is added."""

    def __init__(self) -> None:
        self.slots: set[int] = set()
        self._added = False

    def visit(self, block: Block) -> bool:
        """One pass over `block`; True if it added anything."""
        self._added = False
        self._block(block)
        return self._added

    def _need(self, values: Iterable[Value]) -> None:
        for value in values:
            if value.slot not in self.slots:
                self.slots.add(value.slot)
                self._added = True

    def _any(self, values: Iterable[Value]) -> bool:
        return any(value.slot in self.slots for value in values)

    def _block(self, block: Block) -> None:
        for operation in reversed(block.operations[:-1]):
            self._operation(operation)

    def _operation(self, operation: Operation) -> None:
        needed = self._any(operation.results)
        if operation.name in _WITHOUT_DATA and not needed:
            mask = _WITHOUT_DATA[operation.name]
            self._need((operation.operands[0], *operation.operands[mask : mask + 1]))
        elif operation.name in _CONTROL:
            if needed or _accesses_memory(operation):
                _CONTROL[operation.name](self, operation)
        elif needed or _accesses_memory(operation):
            self._need(operation.operands)
            for region in operation.regions:
                self._need(value for inner in region.walk() for value in inner.operands)

    def _carry(self, *groups: Sequence[Value]) -> None:
        """Values at the same index of each group are the same variable: all are needed, or none."""
        for same in zip(*groups, strict=True):
            if self._any(same):
                self._need(same)

    def _for(self, operation: Operation) -> None:
        (body,) = operation.regions
        self._need(operation.operands[:3])
        self._block(body)
        self._carry(operation.operands[3:], body.arguments[1:], body.terminator.operands, operation.results)
        self._block(body)

    def _if(self, operation: Operation) -> None:
        self._need(operation.operands)
        for region in operation.regions:
            for result, value in zip(operation.results, region.terminator.operands, strict=bool(operation.results)):
                if result.slot in self.slots:
                    self._need((value,))
            self._block(region)

    def _while(self, operation: Operation) -> None:
        before, after = operation.regions
        self._need(before.terminator.operands[:1])
        self._block(after)
        self._carry(before.terminator.operands[1:], after.arguments, operation.results)
        self._block(before)
        self._carry(operation.operands, before.arguments, after.terminator.operands)

    def _blocks(self, operation: Operation) -> None:
        """A call, or basic blocks: all values that pass between them are kept."""
        self._need(operation.operands)
        for region in operation.regions:
            self._need(region.terminator.operands)
            self._block(region)


_CONTROL = {
    "scf.for": _Needs._for,
    "scf.if": _Needs._if,
    "scf.while": _Needs._while,
    "tt.call": _Needs._blocks,
    "lanes.blocks": _Needs._blocks,
}


class _Rebuilt:
    """Rebuilds the IR with only the needed values."""

    def __init__(self, needed: set[int]) -> None:
        self._needed = needed

    def block(self, block: Block, dropped: Sequence[int], arguments: Sequence[Value] | None = None) -> Block:
        """`block` without the operands of its terminator whose positions are in `dropped`."""
        kept = [op for operation in block.operations[:-1] if (op := self._operation(operation)) is not None]
        end = block.terminator
        operands = tuple(value for index, value in enumerate(end.operands) if index not in dropped)
        return Block(
            tuple(block.arguments if arguments is None else arguments), (*kept, replace(end, operands=operands))
        )

    def _needed_of(self, values: Iterable[Value]) -> tuple[Value, ...]:
        return tuple(value for value in values if value.slot in self._needed)

    def _unneeded(self, values: Sequence[Value], first: int = 0) -> list[int]:
        """Positions of unneeded values, counted from `first`."""
        return [first + index for index, value in enumerate(values) if value.slot not in self._needed]

    def _operation(self, operation: Operation) -> Operation | None:
        needed = any(value.slot in self._needed for value in operation.results)
        if operation.name in _CONTROL:
            return self._control(operation) if needed or _accesses_memory(operation) else None
        if operation.name in _WITHOUT_DATA and not needed:
            mask = _WITHOUT_DATA[operation.name]
            operands = (operation.operands[0], *operation.operands[mask : mask + 1])
            kind = _KIND[operation.name]
            return replace(operation, name=ACCESS, results=(), operands=operands, attributes={"kind": kind})
        if operation.name == "tt.load" or operation.name.startswith("tt.atomic_"):
            return replace(operation, name=CHECKED, attributes={**operation.attributes, "operation": operation.name})
        return operation if needed or operation.name == COUNT or _accesses_memory(operation) else None

    def _control(self, operation: Operation) -> Operation:
        if operation.name in ("tt.call", "lanes.blocks"):
            return replace(operation, regions=tuple(self.block(region, ()) for region in operation.regions))
        results = self._needed_of(operation.results)
        dropped = self._unneeded(operation.results)
        if operation.name == "scf.for":
            (body,) = operation.regions
            arguments = (body.arguments[0], *self._needed_of(body.arguments[1:]))
            initial = (value for index, value in enumerate(operation.operands[3:]) if index not in dropped)
            operands = (*operation.operands[:3], *initial)
            return replace(
                operation, results=results, operands=operands, regions=(self.block(body, dropped, arguments),)
            )
        if operation.name == "scf.if":
            return replace(
                operation,
                results=results,
                regions=tuple(self.block(region, dropped) for region in operation.regions),
            )
        before, after = operation.regions
        carried = self._unneeded(before.arguments)
        return replace(
            operation,
            results=results,
            operands=tuple(value for index, value in enumerate(operation.operands) if index not in carried),
            regions=(
                self.block(before, [1 + index for index in dropped], self._needed_of(before.arguments)),
                self.block(after, carried, self._needed_of(after.arguments)),
            ),
        )
