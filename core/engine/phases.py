"""The progress of a run of several phases, as one bar that never moves back."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from core.contracts.events import Progress
from core.contracts.text import Text
from core.engine.steps import ProgressCallback, stepwise

T = TypeVar("T")


def phase(start: float, end: float, work: Callable[[ProgressCallback], T]) -> Generator[Progress, None, T]:
    """Run `work` as the part from `start` to `end` of the whole run, both between 0 and 1."""
    steps = stepwise(work)
    reached = start
    try:
        while True:
            try:
                progress = next(steps)
            except StopIteration as stop:
                value: T = stop.value
                return value
            share = progress.done / progress.total if progress.total else 1.0
            reached = max(reached, start + (end - start) * share)
            yield Progress(reached, 1.0, progress.phase)
    finally:
        steps.close()


def in_parts(progress: ProgressCallback, parts: int) -> ProgressCallback:
    """A callback for work of `parts` phases, each of which counts from 0 to its own total."""
    phases: list[Text] = []

    def report(done: float, total: float, name: Text) -> None:
        if not phases or phases[-1] != name:
            phases.append(name)
        share = done / total if total else 1.0
        progress(min(len(phases), parts) - 1 + share, parts, name)

    return report
