"""Finds kernels whose programs wait for each other, so that they cannot simply run all at once."""

from __future__ import annotations

from functools import lru_cache

from core.interpreter.deciding import deciding
from core.interpreter.ir import Function, Operation
from core.interpreter.shadows.flow import edges_of, reached

_WRITES = ("tt.store", "tt.atomic_")


@lru_cache(maxsize=256)
def reads_data(function: Function) -> bool:
    """True if a kernel is executed with its data even where only addresses are asked for.

    That is so if programs wait for values that others write, or if data passes through shared memory.
    """
    uses = any(value.type.space for operation in function.body.walk() for value in operation.operands)
    return uses or bool(waits(function))


@lru_cache(maxsize=256)
def waits(function: Function, shared: frozenset[frozenset[int]] = frozenset()) -> frozenset[Operation]:
    """The loops that may wait for another program: whether they go on depends on memory that the kernel writes to, on
    an atomic or on a volatile load. `shared` are the slots of arguments that are in one memory."""
    loops = [operation for operation in function.body.walk() if operation.name == "scf.while"]
    asked = {loop: deciding(loop).reads for loop in loops}
    if not any(asked.values()):
        return frozenset()
    written = _written(function, shared)
    return frozenset(loop for loop, reads in asked.items() if any(_may_change(read, written) for read in reads))


def _may_change(read: Operation, written: set[int]) -> bool:
    """Whether another program may change what an access reads."""
    asks = read.name != "tt.load" or read.attributes.get("isVolatile") is True
    return asks or read.operands[0].slot in written


def _written(function: Function, shared: frozenset[frozenset[int]]) -> set[int]:
    """The pointers into tensors that the kernel writes to. Those that are made of numbers may point anywhere."""
    edges = [(a.slot, b.slot) for a, b, _ in edges_of(function)]
    operations = list(function.body.walk())
    stores = {op.operands[0].slot for op in operations if op.name.startswith(_WRITES)}
    roots = [*shared, *({value.slot} for value in function.arguments if value.type.pointer)]
    roots.append({op.result.slot for op in operations if op.name == "tt.int_to_ptr"})
    pointers = [reached(edges, root) for root in roots if root]
    return set().union(*(slots for slots in pointers if slots & stores))
