"""Where doubts about integers begin: results that wrap, rounding, divisors of zero, shifts and casts out of range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from core.contracts.text import tr
from core.interpreter.body import Step
from core.interpreter.ir import Operation
from core.interpreter.ops.integers import bounds
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.shadows.birth import Numbers, birth, number_array
from core.interpreter.shadows.tf32 import TF32
from core.sanitizer import kinds
from core.trace import affine
from core.trace.affine import Integer
from core.trace.mask import BoolArray

BIRTHS = {name: f"shadow.{name}" for name in ("overflow", "wrap", "sum", "divisor", "negative", "shift", "cast")}
BIRTHS["tf32"] = TF32

CAST_TO_INT64 = tr("Cast to int64 before: `tl.program_id(0).to(tl.int64)`, or an argument annotated as `tl.int64`.")
"""The repair of an index that wraps."""

WIDER = tr("Cast to a wider type before, such as `tl.int64`, if the number is not meant to wrap.")

_EXACT: dict[str, tuple[str, Callable[..., Integer], Callable[..., Any]]] = {
    "arith.addi": ("+", affine.add, np.add),
    "arith.subi": ("-", affine.subtract, np.subtract),
    "arith.muli": ("*", affine.multiply, np.multiply),
}


@step(BIRTHS["overflow"], BIRTHS["wrap"])
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

    def check(*values: Any) -> tuple[BoolArray, Numbers] | None:
        *operands, result = values
        if any(isinstance(value, torch.Tensor) for value in values):
            arrays = [number_array(value, type_) for value, type_ in zip(operands, types, strict=True)]
            exact = arrays[0] if dense is None else dense(*arrays)
        elif fits(*operands):
            return None
        else:
            exact = affine.dense(operands[0] if structured is None else structured(*operands), rank)
            arrays = [affine.dense(value, rank) for value in operands]
        bad = (exact < lowest) | (exact > highest)
        if not bad.any():
            return None
        wrapped = number_array(result, at.result.type)
        return bad, {"value": exact, "wrapped": wrapped, "a": arrays[0], "b": arrays[-1]}

    kind, repair = kinds.INTEGER_OVERFLOW, WIDER
    if operation.name == BIRTHS["overflow"]:
        kind, repair = kinds.ADDRESS_OVERFLOW, CAST_TO_INT64
    names = dict(zip(("a_name", "b_name"), operation.attributes["names"], strict=False))
    return birth(operation, kind, repair, check, symbol=symbol, bits=bits, **names)


@step(BIRTHS["sum"])
def _sum(operation: Operation, _planner: StepPlanner) -> Step:
    at: Operation = operation.attributes["at"]
    type_, bits, axis = at.operands[0].type, at.result.type.bits, at.attributes["axis"] + 1
    count, half = type_.dims[axis - 1], 1 << (at.result.type.bits - 1)

    def check(given: Any, result: Any) -> tuple[BoolArray, Numbers] | None:
        if not isinstance(given, torch.Tensor):
            low, high = bounds(given)
            if low * count >= -half and high * count < half:
                return None
        tile = number_array(given, type_)
        exact = np.broadcast_to(tile, (*tile.shape[:axis], count, *tile.shape[axis + 1 :])).sum(axis=axis)
        bad = (exact < -half) | (exact >= half)
        return (bad, {"value": exact, "wrapped": number_array(result, at.result.type)}) if bad.any() else None

    return birth(operation, kinds.INTEGER_OVERFLOW, WIDER, check, bits=bits, summed=count)


@step(BIRTHS["divisor"])
def _divisor(operation: Operation, _planner: StepPlanner) -> Step:
    types = [value.type for value in operation.attributes["at"].operands]

    def check(a: Any, b: Any, _result: Any) -> tuple[BoolArray, Numbers] | None:
        if not isinstance(b, torch.Tensor):
            low, high = bounds(b)
            if low > 0 or high < 0:
                return None
        bad = number_array(b, types[1]) == 0
        return (bad, {"value": number_array(a, types[0])}) if bad.any() else None

    repair = tr("Mask the division, or make the divisor at least 1: `tl.maximum(n, 1)`.")
    return birth(operation, kinds.DIVISION_BY_ZERO, repair, check)


@step(BIRTHS["negative"])
def _negative(operation: Operation, _planner: StepPlanner) -> Step:
    """Where a kernel rounds in another way than Python: the signs differ, and something is left over."""
    at: Operation = operation.attributes["at"]
    types, is_rest = [value.type for value in at.operands], at.name == "arith.remsi"

    def check(a: Any, b: Any, result: Any) -> tuple[BoolArray, Numbers] | None:
        if _never_negative(a) and _never_negative(b):
            return None
        left, right = number_array(a, types[0]), number_array(b, types[1])
        divisor = np.where(right == 0, 1, right)
        rest = left % divisor
        bad = (rest != 0) & ((left < 0) != (right < 0)) & (right != 0)
        if not bad.any():
            return None
        value = number_array(result, at.result.type)
        return bad, {"a": left, "b": right, "value": value, "floor": rest if is_rest else left // divisor}

    repair = (
        tr("Write `(a % b + b) % b` for Python's remainder.")
        if is_rest
        else tr("Write `a // b - ((a % b != 0) & ((a < 0) != (b < 0)))` for Python's quotient.")
    )
    return birth(operation, kinds.NEGATIVE_DIVISION, repair, check, symbol="%" if is_rest else "//")


def _never_negative(number: Any) -> bool:
    return bool((number >= 0).all()) if isinstance(number, torch.Tensor) else bounds(number)[0] >= 0


@step(BIRTHS["shift"])
def _shift(operation: Operation, _planner: StepPlanner) -> Step:
    type_ = operation.attributes["at"].operands[1].type

    def check(_a: Any, b: Any, _result: Any) -> tuple[BoolArray, Numbers] | None:
        if not isinstance(b, torch.Tensor):
            low, high = bounds(b)
            if low >= 0 and high < type_.bits:
                return None
        amount = number_array(b, type_)
        bad = (amount < 0) | (amount >= type_.bits)
        return (bad, {"value": amount}) if bad.any() else None

    repair = tr("Keep the shift below the width of the type, or cast to a wider one first.")
    return birth(operation, kinds.UNDEFINED_SHIFT, repair, check, bits=type_.bits)


@step(BIRTHS["cast"])
def _cast(operation: Operation, _planner: StepPlanner) -> Step:
    at: Operation = operation.attributes["at"]
    source, bits = at.operands[0].type, at.result.type.bits
    signed = at.name == "arith.fptosi"
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1)) if signed else (0.0, 2.0**bits)

    def check(a: Any, _result: Any) -> tuple[BoolArray, Numbers] | None:
        if isinstance(a, torch.Tensor):
            whole = a.to(torch.float64 if a.dtype == torch.float64 else torch.float32).trunc()
            if bool(((whole >= low) & (whole < high)).all()):
                return None
        number = number_array(a, source)
        bad = ~((np.trunc(number) >= low) & (np.trunc(number) < high))
        return (bad, {"value": number}) if bad.any() else None

    prefix = "int" if signed else "uint"
    repair = tr("Clamp to the range of the type before the cast, or mask the elements that have no number.")
    return birth(operation, kinds.UNDEFINED_CAST, repair, check, type=f"{prefix}{bits}")
