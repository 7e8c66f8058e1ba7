"""arith on single bits. A structured i1 is a mask and stays a mask; integer arithmetic on it is logic, modulo 2."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

from core.interpreter.ir import Operation
from core.interpreter.ops.elementwise import tensor_arguments
from core.interpreter.ops.registry import PureFunction
from core.trace import mask

Logic = Callable[[Any, Any], Any]

ARITHMETIC: dict[str, Logic] = {
    "arith.addi": operator.xor,
    "arith.subi": operator.xor,
    "arith.muli": operator.and_,
    # A signed bit that is set is -1, the smaller one.
    "arith.minsi": operator.or_,
    "arith.maxsi": operator.and_,
    "arith.minui": operator.and_,
    "arith.maxui": operator.or_,
}
"""What operations on integers are on integers of one bit."""


def logic(operation: Operation, function: Logic) -> PureFunction:
    """`function` is an operator of logic, for operands of type i1."""
    types = tuple(value.type for value in operation.operands)

    def call(a: Any, b: Any) -> Any:
        arguments = tensor_arguments((a, b), types)
        if arguments is not None:
            return function(*(x.to(torch.bool) for x in arguments))
        if isinstance(a, bool) and isinstance(b, bool):
            return function(a, b)
        if function is operator.and_:
            return mask.both(a, b)
        for constant, other in ((a, b), (b, a)):
            if isinstance(constant, bool):
                if function is operator.or_:
                    return True if constant else other
                return mask.invert(other) if constant else other
        return mask.from_array(function(a.array, b.array))

    return call
