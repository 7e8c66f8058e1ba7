"""Operations by name: pure ones are functions of their operands, the others steps on a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from core.interpreter.body import Body, Step
from core.interpreter.ir import Block, Operation


class StepPlanner(Protocol):
    """What the step of an operation with regions is built with."""

    def body(self, block: Block, *, hoist: bool = False) -> Body:
        """A block as a body; with `hoist`, loop-invariant operations are taken out of it."""

    def step(self, operation: Operation) -> Step:
        """One operation as a step."""


PureFunction = Callable[..., Any]
PureBuilder = Callable[[Operation], PureFunction]
StepBuilder = Callable[[Operation, StepPlanner], Step]

PURE: dict[str, PureBuilder] = {}
"""Name to a builder of the function that maps operand values to the result (a tuple where there are several)."""

STEPS: dict[str, StepBuilder] = {}
"""Name to a builder of the step that executes the operation: memory, control flow, whatever needs the frame."""


def pure(*names: str) -> Callable[[PureBuilder], PureBuilder]:
    """Register a builder of pure functions."""

    def register(builder: PureBuilder) -> PureBuilder:
        PURE.update(dict.fromkeys(names, builder))
        return builder

    return register


def step(*names: str) -> Callable[[StepBuilder], StepBuilder]:
    """Register a builder of steps."""

    def register(builder: StepBuilder) -> StepBuilder:
        STEPS.update(dict.fromkeys(names, builder))
        return builder

    return register
