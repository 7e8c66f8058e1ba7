"""A block of TTIR made executable: the steps of its operations, and the slots that it takes, gives and captures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.interpreter.frame import Frame

Step = Callable[[Frame], None]
"""One operation, bound to the slots of its operands and results."""


@dataclass(frozen=True)
class Body:
    """A block that can be run: `steps` with the slots that nothing reads after each, and what it takes and gives.

    `hoisted` are steps of pure operations whose operands all come from outside: run once before a loop, they serve
    each of its iterations. `captured` are the slots from outside (or hoisted) that the block reads.
    """

    steps: tuple[tuple[Step, tuple[int, ...]], ...]
    hoisted: tuple[Step, ...]
    arguments: tuple[int, ...]
    results: tuple[int, ...]
    captured: tuple[int, ...]

    def run(self, frame: Frame) -> None:
        values = frame.values
        for step, ended in self.steps:
            step(frame)
            for slot in ended:
                values[slot] = None
