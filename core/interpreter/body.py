"""A block of TTIR made executable: the steps of its operations, and its argument, result and captured slots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.interpreter.frame import Frame

Step = Callable[[Frame], None]
"""One operation, bound to the slots of its operands and results."""


@dataclass(frozen=True)
class Body:
    """An executable block: its `steps`, each with the slots that no later step reads, its arguments and results.

    `hoisted` are steps of pure operations whose operands all come from outside: they run once, before the loop.
    `captured` are the slots from outside (or hoisted) that the block reads.
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
