"""What the first run of a kernel watches for a second look, besides what is stored: casts and float conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Function, Operation, Type
from core.interpreter.noticed import all_finite, chosen_lanes
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.shadows.checks import access_kind
from core.interpreter.shadows.floats import CASTS, beyond
from core.interpreter.shadows.flow import Edge, reached
from core.interpreter.values import to_torch

_CAST, _COMPARISON = "shadow.watch.cast", "shadow.watch.comparison"
_NARROW = ("f16", "f8E4M3FN", "f8E5M2", "f8E4M3FNUZ", "f8E5M2FNUZ")
_MASK = {"load": 1, "store": 2, "atomic": 2}


class Watches:
    """The operations of one function that are watched."""

    def __init__(self, function: Function, edges: Sequence[Edge]) -> None:
        operations = list(function.body.walk())
        conditions = [op.operands[0] for op in operations if op.name in ("scf.if", "scf.condition", "cf.cond_br")]
        for operation in operations:
            kind = access_kind(operation)
            conditions += operation.operands[_MASK[kind] :][:1] if kind is not None else ()
        self._deciding = reached([(b.slot, a.slot) for a, b, _ in edges], [value.slot for value in conditions])

    def of(self, operation: Operation) -> list[Operation]:
        """The operations that watch an operation, to follow it."""
        name, attributes, location = operation.name, {"at": operation}, operation.location
        if name in CASTS and operation.result.type.element in _NARROW:
            operands = (*operation.operands, *operation.results)
            return [Operation(_CAST, (), operands, attributes, (), location)]
        if name == "arith.cmpf" and operation.result.slot in self._deciding and not asks_for_nan(operation):
            return [Operation(_COMPARISON, (), operation.operands, attributes, (), location)]
        return []


def asks_for_nan(operation: Operation) -> bool:
    """A comparison of a number with itself, or a function that asks whether it is finite."""
    symbol = str(operation.attributes.get("symbol", ""))
    if operation.name == "tt.extern_elementwise":
        return any(word in symbol for word in ("isnan", "isinf", "finite"))
    return operation.name == "arith.cmpf" and operation.operands[0].slot == operation.operands[1].slot


def _watching(operation: Operation, looks_good: Callable[..., bool], is_bad: Callable[..., torch.Tensor]) -> Step:
    """A step that notes the programs with bad elements. Both functions get the operands as tensors."""
    operands: list[tuple[int, Type]] = [(value.slot, value.type) for value in operation.operands]

    def run(frame: Frame) -> None:
        given: list[Any] = [to_torch(frame.values[slot], type_) for slot, type_ in operands]
        if not looks_good(*given):
            bad: np.ndarray[Any, Any] = is_bad(*given).cpu().numpy()
            frame.run.noticed.add(operation.location, chosen_lanes(frame.programs, bad))

    return run


@step(_CAST)
def _cast(operation: Operation, _planner: StepPlanner) -> Step:
    target = operation.operands[1].type
    if target.bits > 8:
        return _watching(
            operation, lambda a, made: all_finite(made), lambda a, made: torch.isinf(made) & torch.isfinite(a.double())
        )
    return _watching(
        operation,
        lambda a, made: not any(bool(beyond(end.double(), target)) for end in torch.aminmax(a)),
        lambda a, made: torch.as_tensor(beyond(a.double(), target)) & torch.isfinite(a.double()),
    )


@step(_COMPARISON)
def _comparison(operation: Operation, _planner: StepPlanner) -> Step:
    return _watching(
        operation,
        lambda a, b: not bool(torch.isnan(torch.aminmax(a)[0]) | torch.isnan(torch.aminmax(b)[0])),
        lambda a, b: torch.isnan(a) | torch.isnan(b),
    )
