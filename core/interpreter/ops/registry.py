"""Operations by name: pure operations are functions of their operands, the others are steps on a frame."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, Protocol

from core.interpreter.body import Body, Step
from core.interpreter.ir import Block, Operation


class StepPlanner(Protocol):
    """Builds the bodies of an operation's regions. `updating` are stores that change what was loaded."""

    updating: Set[Operation]

    def body(self, block: Block, *, hoist: bool = False) -> Body:
        """A block as a body; with `hoist`, loop-invariant operations are hoisted."""

    def step(self, operation: Operation) -> Step:
        """One operation as a step."""


PureFunction = Callable[..., Any]
PureBuilder = Callable[[Operation], PureFunction]
StepBuilder = Callable[[Operation, StepPlanner], Step]

PURE: dict[str, PureBuilder] = {}
"""Name to a builder of the function that maps operand values to the result (a tuple for several results)."""

STEPS: dict[str, StepBuilder] = {}
"""Name to a builder of the step that executes the operation: memory, control flow, and others that need the frame."""

PURE_STEPS: set[str] = set()
"""Names of steps whose results depend only on their operands and on what their regions capture."""


def pure(*names: str) -> Callable[[PureBuilder], PureBuilder]:
    """Register a builder of pure functions."""

    def register(builder: PureBuilder) -> PureBuilder:
        PURE.update(dict.fromkeys(names, builder))
        return builder

    return register


def step(*names: str, pure: bool = False) -> Callable[[StepBuilder], StepBuilder]:
    """Register a builder of steps; `pure` ones may run once before a loop."""

    def register(builder: StepBuilder) -> StepBuilder:
        STEPS.update(dict.fromkeys(names, builder))
        if pure:
            PURE_STEPS.update(names)
        return builder

    return register
