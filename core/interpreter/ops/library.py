"""Functions outside the dialects: libdevice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import quoted, tr
from core.interpreter.ir import Operation
from core.interpreter.ops.elementwise import float_function
from core.interpreter.ops.libdevice import library_function
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.values import to_torch, torch_dtype


def _converted(operation: Operation, function: Callable[..., Any]) -> PureFunction:
    """`function` on tensors of the operands' types, with its result converted to the operation's result type."""
    if operation.result.type.is_float and all(
        v.type.element == operation.result.type.element for v in operation.operands
    ):
        return float_function(operation, function)
    types = [value.type for value in operation.operands]
    target = torch_dtype(operation.result.type.element)
    return lambda *values: function(*(to_torch(v, t) for v, t in zip(values, types, strict=True))).to(target)


@pure("tt.extern_elementwise")
def _extern(operation: Operation) -> PureFunction:
    symbol = str(operation.attributes.get("symbol", ""))
    function = library_function(symbol.removeprefix("__nv_"))
    if function is None:
        raise TilescopeError(
            tr(
                "{location} calls the library function {name}, which Tilescope does not support: rewrite the "
                "line without it.",
                location=operation.location.label,
                name=quoted(symbol),
            )
        )
    return _converted(operation, function)
