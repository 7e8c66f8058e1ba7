"""Accesses to global memory of an operation of a Gluon kernel: checked, recorded and executed like any other."""

from __future__ import annotations

from typing import Any

from core.interpreter.frame import Frame
from core.interpreter.ir import Operation, Type, Value
from core.interpreter.ops.registry import StepPlanner
from core.interpreter.values import Pointer
from core.trace.mask import Predicate

_POINTER, _VALUE, _MASK, _OTHER, _RESULT = range(5)


class TileAccess:
    """Loads and stores tiles of pointers of one type at the source line of an operation."""

    def __init__(self, operation: Operation, pointers: Type, planner: StepPlanner) -> None:
        tile = Type(pointers.element, pointers.shape)
        pointer, value = Value(_POINTER, "", pointers), Value(_VALUE, "", tile)
        mask, other = Value(_MASK, "", Type("i1", pointers.shape)), Value(_OTHER, "", tile)
        result = Value(_RESULT, "", tile)
        location = operation.location
        self._load = planner.step(Operation("tt.load", (result,), (pointer, mask, other), {}, (), location))
        self._store = planner.step(Operation("tt.store", (), (pointer, value, mask), {}, (), location))

    def load(self, frame: Frame, pointer: Pointer, keep: Predicate, other: Any) -> Any:
        inner = _inside(frame)
        inner.values = [pointer, None, keep, other, None]
        self._load(inner)
        frame.order = inner.order
        return inner.values[_RESULT]

    def store(self, frame: Frame, pointer: Pointer, value: Any, keep: Predicate) -> None:
        inner = _inside(frame)
        inner.values = [pointer, value, keep, None, None]
        self._store(inner)
        frame.order = inner.order


def _inside(frame: Frame) -> Frame:
    inner = Frame(frame.run, 0, frame.programs)
    inner.iteration, inner.order = frame.iteration, frame.order
    return inner
