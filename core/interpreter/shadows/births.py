"""Where doubts about integers begin: a result that wraps, a divisor of zero, a shift too far, a cast out of range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from core.contracts.text import Text, Value, tr
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.integers import bounds
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.shadows import marks
from core.interpreter.values import to_torch
from core.sanitizer import kinds
from core.trace import affine
from core.trace.affine import Integer
from core.trace.mask import BoolArray

BIRTHS = {name: f"shadow.{name}" for name in ("overflow", "divisor", "shift", "cast")}

_Numbers = dict[str, npt.NDArray[Any]]
_Check = Callable[..., tuple[BoolArray, _Numbers] | None]
"""Maps operands and result to the bad elements and their numbers, [lanes or 1, *dims or 1]; None if all are good."""


def _birth(operation: Operation, kind: str, repair: Text, check: _Check, **details: Value) -> Step:
    at: Operation = operation.attributes["at"]
    count, rank = len(at.operands), at.result.type.rank
    slots = [value.slot for value in operation.operands[: count + 1]]
    older_slot = operation.operands[count + 1].slot if len(operation.operands) > count + 1 else None
    result = operation.result.slot

    def run(frame: Frame) -> None:
        values = frame.values
        older: Integer = 0 if older_slot is None else values[older_slot]
        found = check(*(values[slot] for slot in slots))
        if found is None:
            values[result] = older
            return
        bad, numbers = found
        doubts = frame.run.doubts
        id_ = doubts.id(kind, at, repair)
        doubts[id_].details = details
        doubts.examples(id_, frame, bad, **numbers)
        values[result] = marks.first((older, marks.where(bad, id_, 0, rank)), rank)

    return run


def _array(value: Any, type_: Any) -> npt.NDArray[Any]:
    """A number of any representation on the host: integers as int64, floats as float64."""
    tensor = to_torch(value, type_).cpu()
    return (tensor.to(torch.int64) if type_.is_integer else tensor.to(torch.float64)).numpy()


_EXACT: dict[str, tuple[str, Callable[..., Integer], Callable[..., Any]]] = {
    "arith.addi": ("+", affine.add, np.add),
    "arith.subi": ("-", affine.subtract, np.subtract),
    "arith.muli": ("*", affine.multiply, np.multiply),
}


@step(BIRTHS["overflow"])
def _overflow(operation: Operation, _planner: StepPlanner) -> Step:
    at: Operation = operation.attributes["at"]
    rank, bits, types = at.result.type.rank, at.result.type.bits, [value.type for value in at.operands]
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    symbol, structured, dense = _EXACT.get(at.name, ("", None, None))

    def fits(*operands: Integer) -> bool:
        """Whether bounds show that nothing wraps."""
        if structured is None:
            low, high = bounds(operands[0])
        else:
            (a, b), (c, d) = (bounds(each) for each in operands)
            corners = [structured(x, y) for x in (a, b) for y in (c, d)]
            low, high = min(corners), max(corners)  # type: ignore[assignment, type-var]
        return lowest <= low and high <= highest

    def check(*values: Any) -> tuple[BoolArray, _Numbers] | None:
        *operands, result = values
        if any(isinstance(value, torch.Tensor) for value in values):
            arrays = [_array(value, type_) for value, type_ in zip(operands, types, strict=True)]
            exact = arrays[0] if dense is None else dense(*arrays)
        elif fits(*operands):
            return None
        else:
            exact = affine.dense(operands[0] if structured is None else structured(*operands), rank)
            arrays = [affine.dense(value, rank) for value in operands]
        bad = (exact < lowest) | (exact > highest)
        if not bad.any():
            return None
        wrapped = _array(result, at.result.type)
        return bad, {"value": exact, "wrapped": wrapped, "a": arrays[0], "b": arrays[-1]}

    repair = tr("Cast to int64 before: `tl.program_id(0).to(tl.int64)`, or an argument annotated as `tl.int64`.")
    names = dict(zip(("a_name", "b_name"), operation.attributes["names"], strict=False))
    return _birth(operation, kinds.ADDRESS_OVERFLOW, repair, check, symbol=symbol, bits=bits, **names)


@step(BIRTHS["divisor"])
def _divisor(operation: Operation, _planner: StepPlanner) -> Step:
    types = [value.type for value in operation.attributes["at"].operands]

    def check(a: Any, b: Any, _result: Any) -> tuple[BoolArray, _Numbers] | None:
        if not isinstance(b, torch.Tensor):
            low, high = bounds(b)
            if low > 0 or high < 0:
                return None
        bad = _array(b, types[1]) == 0
        return (bad, {"value": _array(a, types[0])}) if bad.any() else None

    repair = tr("Mask the division, or make the divisor at least 1: `tl.maximum(n, 1)`.")
    return _birth(operation, kinds.DIVISION_BY_ZERO, repair, check)


@step(BIRTHS["shift"])
def _shift(operation: Operation, _planner: StepPlanner) -> Step:
    type_ = operation.attributes["at"].operands[1].type

    def check(_a: Any, b: Any, _result: Any) -> tuple[BoolArray, _Numbers] | None:
        if not isinstance(b, torch.Tensor):
            low, high = bounds(b)
            if low >= 0 and high < type_.bits:
                return None
        amount = _array(b, type_)
        bad = (amount < 0) | (amount >= type_.bits)
        return (bad, {"value": amount}) if bad.any() else None

    repair = tr("Keep the shift below the width of the type, or cast to a wider one first.")
    return _birth(operation, kinds.UNDEFINED_SHIFT, repair, check, bits=type_.bits)


@step(BIRTHS["cast"])
def _cast(operation: Operation, _planner: StepPlanner) -> Step:
    at: Operation = operation.attributes["at"]
    source, bits = at.operands[0].type, at.result.type.bits
    signed = at.name == "arith.fptosi"
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1)) if signed else (0.0, 2.0**bits)

    def check(a: Any, _result: Any) -> tuple[BoolArray, _Numbers] | None:
        if isinstance(a, torch.Tensor):
            whole = a.to(torch.float64 if a.dtype == torch.float64 else torch.float32).trunc()
            if bool(((whole >= low) & (whole < high)).all()):
                return None
        number = _array(a, source)
        bad = ~((np.trunc(number) >= low) & (np.trunc(number) < high))
        return (bad, {"value": number}) if bad.any() else None

    prefix = "int" if signed else "uint"
    repair = tr("Clamp to the range of the type before the cast, or mask the elements that have no number.")
    return _birth(operation, kinds.UNDEFINED_CAST, repair, check, type=f"{prefix}{bits}")
