"""Turns a function's IR into an executable kernel, and computes the memory per lane."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.interpreter.body import Body
from core.interpreter.ir import Function, Value
from core.interpreter.planner import Planner
from core.interpreter.updates import updating_stores


@dataclass(frozen=True, eq=False)
class Plan:
    """An executable kernel. `tile_bytes` are the sizes of one lane's float tiles, one entry per SSA value.

    `index_bytes` is the size of all its integer, pointer and mask tiles if none of them stayed structured, and of its
    shared memory.
    """

    function: Function
    body: Body
    tile_bytes: tuple[int, ...]
    index_bytes: int = 0


def plan(function: Function) -> Plan:
    """Bind every operation of `function`. Raises TilescopeError for the first operation that the TTIR interpreter does
    not execute."""
    values = [value for operation in function.body.walk() for value in operation.results if not value.type.space]
    sizes = tuple(_tile_bytes(value) for value in values if value.type.is_float)
    index_bytes = sum(
        math.prod(value.type.dims) * (1 if value.type.element == "i1" and not value.type.pointer else 8)
        for value in values
        if not value.type.is_float
    )
    index_bytes += sum(
        _tile_bytes(operation.result) for operation in function.body.walk() if operation.name in _ALLOCATIONS
    )
    return Plan(function, Planner(updating_stores(function)).body(function.body), sizes, index_bytes)


_ALLOCATIONS = ("ttg.local_alloc", "ttng.tmem_alloc")


def _tile_bytes(value: Value) -> int:
    return math.prod(value.type.dims) * max(value.type.bits, 8) // 8
