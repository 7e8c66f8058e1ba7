"""Stores of a sum with what was loaded: a second one of the same place must not load before the first has stored."""

from __future__ import annotations

from core.interpreter.ir import Function, Operation

_CHANGES = frozenset(f"arith.{name}" for name in ("addf", "addi", "subf", "subi", "mulf", "muli", "divf", "xori"))
"""Of numbers that change by it, twice is another change than once. A maximum, a clamp or a bit mask is not listed:
twice is once."""

_MOVES = frozenset(f"arith.{name}" for name in ("extf", "truncf", "extsi", "extui", "trunci")) | {"tt.fp_to_fp"}


def updating_stores(function: Function) -> frozenset[Operation]:
    """The stores whose value is something loaded, plus, minus or times something."""
    operations = list(function.body.walk())
    producer = {value.slot: operation for operation in operations for value in operation.results}
    return frozenset(op for op in operations if op.name == "tt.store" and _updates(op, producer))


def _updates(store: Operation, producer: dict[int, Operation]) -> bool:
    waiting, seen = [(store.operands[1].slot, False)], set[tuple[int, bool]]()
    while waiting:
        slot, changed = place = waiting.pop()
        operation = producer.get(slot)
        if operation is None or place in seen:
            continue
        seen.add(place)
        if operation.name == "tt.load" and changed:
            return True
        if operation.name in _CHANGES | _MOVES:
            changed = changed or operation.name in _CHANGES
            waiting += [(value.slot, changed) for value in operation.operands]
    return False
