"""ttg.warp_specialize: partitions of a program that run side by side, here in turns. A turn ends at a wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.interpreter.asynchronous import Units
from core.interpreter.body import Body, Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.gluon.units import units_of
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.ops.scopes import run_with
from core.interpreter.turns import Turns


class _Partition(Frame):
    """The frame of a partition: values of its own, and the whole program's count of accesses."""

    __slots__ = ("_whole",)

    def __init__(self, whole: Frame) -> None:
        self._whole = whole
        super().__init__(whole.run, 0, whole.programs)
        self.values = list(whole.values)
        self.iteration = whole.iteration

    @property
    def order(self) -> int:
        return self._whole.order

    @order.setter
    def order(self, value: int) -> None:
        if value:
            self._whole.order = value


@step("ttg.warp_specialize")
def _specialize(operation: Operation, planner: StepPlanner) -> Step:
    """The first region is the default partition; it has no arguments, and its values are the results."""
    bodies = [planner.body(region) for region in operation.regions]
    operands = [value.slot for value in operation.operands]
    results = [value.slot for value in operation.results]

    def run(frame: Frame) -> None:
        shared = units_of(frame).shared
        arguments = [frame.values[slot] for slot in operands]
        frames = [_Partition(frame) for _ in bodies]
        turns = Turns(
            [_function(f, b, arguments if i else []) for i, (f, b) in enumerate(zip(frames, bodies, strict=True))]
        )
        for partition in frames:
            partition.units = Units(shared=shared, scheduler=turns)
        kept = frame.run.advance
        frame.run.advance = lambda fraction: None
        try:
            turns.run(lambda: kept(0.0))
        finally:
            frame.run.advance = kept
        for result, slot in zip(results, bodies[0].results, strict=True):
            frame.values[result] = frames[0].values[slot]

    return run


def _function(frame: Frame, body: Body, arguments: Sequence[Any]) -> Callable[[], None]:
    return lambda: run_with(frame, body, arguments)
