"""Which arguments of a kernel decide nothing, so that they can only be strides.

A dimension is compared with an index somewhere: in a mask, as the bound of a loop, in the quotients of a program id.
"""

from __future__ import annotations

from functools import lru_cache

from core.interpreter.ir import Function
from core.interpreter.shadows.flow import edges_of, reached

_COMPARING = ("arith.cmpi", "arith.min", "arith.max", "arith.div", "arith.rem", "arith.ceildiv", "arith.floordiv")


@lru_cache(maxsize=256)
def uncompared(function: Function) -> frozenset[str]:
    """The names of the integer arguments that nothing is compared with, divided by or repeated for."""
    edges = [(source.slot, target.slot) for source, target, _ in edges_of(function)]
    compared: set[int] = set()
    for operation in function.body.walk():
        if operation.name.startswith(_COMPARING):
            compared.update(value.slot for value in operation.operands)
        elif operation.name == "scf.for":
            compared.update(value.slot for value in operation.operands[:3])
    return frozenset(
        value.name
        for value in function.arguments
        if value.type.is_integer and not value.type.pointer and not reached(edges, [value.slot]) & compared
    )
