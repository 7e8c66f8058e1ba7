"""Counts the FLOPs of matrix products, whether or not they are computed: a multiplication and an addition per element.

A step before each product counts the programs that reach it. It has no operands, so it also stays in an addresses-only
slice, where the product itself is dropped; only a branch that makes no access is dropped there with its products.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Function, Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.rewriting import rewritten

COUNT = "products.count"


def counted(function: Function) -> Function:
    """The function with a counting step before every product."""
    if not any(operation.name in _PRODUCTS for operation in function.body.walk()):
        return function
    return rewritten(function, _with_count)


def _with_count(operation: Operation) -> Sequence[Operation]:
    if operation.name not in _PRODUCTS:
        return (operation,)
    return Operation(COUNT, (), (), {"flops": _flops(operation)}, (), operation.location), operation


def _flops(operation: Operation) -> int:
    """Of one program."""
    summed = operation.operands[0].type.dims[-1]
    if operation.attributes.get("lhs") == "e2m1" and operation.attributes.get("lhs_k_pack", True):
        summed *= 2  # two 4-bit numbers per byte
    total = operation.operands[2] if operation.name in _IN_TENSOR_MEMORY else operation.result
    return 2 * math.prod(total.type.dims) * summed


_IN_TENSOR_MEMORY = ("ttng.tc_gen5_mma", "ttng.tc_gen5_mma_scaled")
_PRODUCTS = ("tt.dot", "tt.dot_scaled", "ttng.warp_group_dot", *_IN_TENSOR_MEMORY)


@step(COUNT)
def _count(operation: Operation, _planner: StepPlanner) -> Step:
    flops: int = operation.attributes["flops"]

    def run(frame: Frame) -> None:
        frame.run.product_flops += flops * frame.count

    return run
