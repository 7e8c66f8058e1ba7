"""ttng: wgmma, products of a warp group whose right side, and maybe the left, lies in shared memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation, Type, Value
from core.interpreter.ops.contractions import product
from core.interpreter.ops.gluon.units import issued, units_of, using
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.scratchpad import View
from core.interpreter.values import to_predicate, to_torch


@step("ttng.warp_group_dot")
def _dot(operation: Operation, _planner: StepPlanner) -> Step:
    """Operands: a, b, accumulator and maybe whether to add to it."""
    a, b, c, *rest = operation.operands
    keeps = rest[0] if rest else None
    is_async = operation.attributes.get("isAsync") is True
    multiply = product(registers(a.type), registers(b.type), c.type)

    def run(frame: Frame) -> None:
        values = frame.values
        units = units_of(frame)
        left, right = (operand(frame, value, operation) for value in (a, b))
        start = accumulator(frame, c, None if keeps is None else values[keeps.slot])
        values[operation.result.slot] = multiply(left, right, start)
        if is_async:
            for value in (a, b):
                if value.type.space:
                    view = values[value.slot]
                    units.products.open.append(issued(frame, "reads", view, operation.location))
            units.products.commit()

    return run


def registers(type_: Type) -> Type:
    """The type of what is loaded from a view."""
    return Type(type_.element, type_.shape)


def operand(frame: Frame, value: Value, operation: Operation) -> Any:
    """A side of a product: a value in registers, or what a view shows."""
    held = frame.values[value.slot]
    if not isinstance(held, View):
        return held
    using(frame, "reads", held, operation.location)
    return held.read(frame.programs)


def accumulator(frame: Frame, value: Value, keeps: Any) -> Any:
    """The accumulator, or zeros in the programs that begin anew."""
    held = frame.values[value.slot]
    start = held.read(frame.programs) if isinstance(held, View) else held
    kept = True if keeps is None else to_predicate(keeps)
    if isinstance(kept, bool):
        return start if kept else (0.0 if value.type.element.startswith(("f", "bf")) else 0)
    where = torch.from_numpy(np.ascontiguousarray(kept.array.reshape(-1, *(1,) * value.type.rank)))
    tile = to_torch(start, registers(value.type))
    return torch.where(where.to(tile.device), tile, torch.zeros((), dtype=tile.dtype, device=tile.device))


@step("ttng.warp_group_dot_wait")
def _wait(operation: Operation, _planner: StepPlanner) -> Step:
    left = int(operation.attributes["pendings"])

    def run(frame: Frame) -> None:
        units_of(frame).products.wait(left)
        for result, source in zip(operation.results, operation.operands, strict=True):
            frame.values[result.slot] = frame.values[source.slot]

    return run
