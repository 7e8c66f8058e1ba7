"""The operations on shadows: they move as the values do, and are looked at where a value is accessed or decides."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.contracts.text import tr
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import PureFunction, StepPlanner, pure, step
from core.interpreter.shadows import marks
from core.interpreter.shadows.flow import stays
from core.interpreter.shadows.wording import Sink
from core.interpreter.values import Pointer, to_predicate
from core.sanitizer import kinds
from core.trace import affine
from core.trace.affine import Integer
from core.trace.mask import Mask

CLEAN, MERGE, ABSORB, SELECT = "shadow.clean", "shadow.merge", "shadow.absorb", "shadow.select"
REDUCE, SCAN, DOT, LOAD = "shadow.reduce", "shadow.scan", "shadow.dot", "shadow.load"
SINK, CONDITION = "shadow.sink", "shadow.condition"

ABSORBING: dict[str, tuple[float, int]] = {
    "arith.andi": (0, 0),
    "arith.muli": (0, 0),
    "arith.ori": (1, -1),
}
"""Operations of which one operand decides the result alone, if it is this number (of one bit, of more)."""


@pure(CLEAN)
def _clean(_operation: Operation) -> PureFunction:
    return lambda: 0


@pure(MERGE)
def _merge(operation: Operation) -> PureFunction:
    rank, kept = operation.result.type.rank, stays(operation.attributes["at"])

    def call(*given: Integer) -> Integer:
        return marks.staying(marks.first(given, rank), kept)

    return call


@pure(ABSORB)
def _absorb(operation: Operation) -> PureFunction:
    """Of two operands: one that is certain, and decides alone, makes the result certain."""
    at: Operation = operation.attributes["at"]
    type_, kept = at.operands[0].type, stays(at)
    number = ABSORBING[at.name][type_.bits > 1]

    def call(a: Any, b: Any, left: Integer, right: Integer) -> Integer:
        if marks.is_clean(left) and marks.is_clean(right):
            return 0
        mark = marks.first((left, right), type_.rank)
        for value, own in ((a, left), (b, right)):
            decides = marks.equals(value, number, type_) & (affine.dense(own, type_.rank) == 0)
            if decides.any():
                mark = marks.where(decides, 0, mark, type_.rank)
        return marks.staying(mark, kept)

    return call


@pure(SELECT)
def _select(operation: Operation) -> PureFunction:
    rank = operation.result.type.rank

    def call(condition: Any, decides: Integer, a: Integer, b: Integer) -> Integer:
        if marks.is_clean(decides) and marks.is_clean(a) and marks.is_clean(b):
            return 0
        chosen = to_predicate(condition)
        if isinstance(chosen, Mask):
            mark = marks.where(chosen.array, a, b, rank)
        else:
            mark = a if chosen else b
        if isinstance(decides, affine.Affine) and decides.rank < rank:
            decides = affine.reshaped(decides, rank, ())
        return marks.first((marks.staying(decides, "wrapped"), mark), rank)

    return call


@pure(REDUCE)
def _reduce(operation: Operation) -> PureFunction:
    at: Operation = operation.attributes["at"]
    rank, axis, results = at.operands[0].type.rank, at.attributes["axis"] + 1, len(operation.results)

    def call(*given: Integer) -> Any:
        mark = marks.staying(marks.first(given, rank), "wrapped")
        if isinstance(mark, affine.Affine):
            mark = marks.tidy(mark.dense().max(axis=axis), rank - 1)
        return mark if results == 1 else (mark,) * results

    return call


@pure(SCAN)
def _scan(operation: Operation) -> PureFunction:
    at: Operation = operation.attributes["at"]
    type_, axis, results = at.operands[0].type, at.attributes["axis"] + 1, len(operation.results)
    backwards = bool(at.attributes.get("reverse", False))

    def call(*given: Integer) -> Any:
        mark = marks.staying(marks.first(given, type_.rank), "wrapped")
        if isinstance(mark, affine.Affine):
            array = mark.dense()
            array = np.flip(array, axis) if backwards else array
            array = np.maximum.accumulate(array, axis=axis)
            mark = marks.tidy(np.flip(array, axis) if backwards else array, type_.rank)
        return mark if results == 1 else (mark,) * results

    return call


@pure(DOT)
def _dot(operation: Operation) -> PureFunction:
    """An undefined element spoils its row or column of the product, also against zeros: it may be NaN."""
    rank = operation.result.type.rank

    def call(left: Integer, right: Integer, total: Integer) -> Integer:
        given = (marks.along(left, rank - 1), marks.along(right, rank - 2), total)
        return marks.staying(marks.first(given, rank), "wrapped")

    return call


@step(LOAD)
def _load(operation: Operation, _planner: StepPlanner) -> Step:
    """Elements that the mask leaves out: undefined without `other`."""
    at: Operation = operation.attributes["at"]
    slots, result, rank = [value.slot for value in operation.operands], operation.result.slot, at.result.type.rank

    def run(frame: Frame) -> None:
        values = frame.values
        other = marks.staying(values[slots[2]], "wrapped") if len(slots) > 2 else None
        masked = len(slots) > 1 and not (other is not None and marks.is_clean(other))
        left = marks.off(to_predicate(values[slots[1]]), rank) if masked else None
        if left is None:
            values[result] = 0
            return
        if other is None:
            doubts = frame.run.doubts
            other = doubts.id(kinds.UNDEFINED_LANES, at, tr("Pass `other` to the load, or mask what it gives."))
            pointer: Pointer = values[slots[0]]
            doubts[other].access = "load"
            doubts[other].buffer = -1 if isinstance(pointer.buffer, affine.Affine) else pointer.buffer
        values[result] = marks.where(left, other, 0, rank)

    return run


@step(SINK)
def _sink(operation: Operation, _planner: StepPlanner) -> Step:
    """Before an access: what is doubtful of its address, of the values it writes, and of its mask."""
    at: Operation = operation.attributes["at"]
    looked = [value.slot for value in operation.operands[: len(operation.operands) // 2]]
    shadows = [value.slot for value in operation.operands[len(looked) :]]
    dims, written = operation.attributes["dims"], operation.attributes["values"]
    sinks: tuple[Sink, ...] = ("address", "value", "value", "condition")
    sinks = (*sinks[: 1 + written], "condition")
    mask_slot = looked[1 + written] if len(looked) > 1 + written else None

    def run(frame: Frame) -> None:
        values = frame.values
        if all(marks.is_clean(values[slot]) for slot in shadows):
            return
        keep = True if mask_slot is None else to_predicate(values[mask_slot])
        active = keep.array if isinstance(keep, Mask) else np.bool_(keep)
        pointer: Pointer = values[looked[0]]
        known = not isinstance(pointer.buffer, affine.Affine)
        buffer = frame.run.memories[pointer.buffer].buffer if known else None  # type: ignore[index]
        tensor = str(tr("a tensor")) if buffer is None else buffer.name
        for operand, (slot, sink) in enumerate(zip(shadows, sinks, strict=False)):
            if not marks.is_clean(values[slot]):
                found = marks.full(values[slot], frame.count, dims)
                found = found if sink == "condition" else np.where(active, found, 0)
                if buffer is not None and buffer.dtype.startswith("uint"):
                    found = np.where(found < marks.WRAPPED, found, 0)  # unsigned numbers wrap by definition
                frame.run.doubts.reach(frame, at, sink, found, tensor, operand)

    return run


@step(CONDITION)
def _condition(operation: Operation, _planner: StepPlanner) -> Step:
    at: Operation = operation.attributes["at"]
    slots = [value.slot for value in operation.operands]

    def run(frame: Frame) -> None:
        for slot in slots:
            if not marks.is_clean(frame.values[slot]):
                frame.run.doubts.reach(frame, at, "condition", marks.full(frame.values[slot], frame.count, ()), "")

    return run
