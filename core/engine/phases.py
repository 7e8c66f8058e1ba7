"""The progress of a run made of phases, as one bar that never goes back."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from core.contracts.events import Progress
from core.engine.steps import ProgressCallback, stepwise

T = TypeVar("T")


def phase(start: float, end: float, work: Callable[[ProgressCallback], T]) -> Generator[Progress, None, T]:
    """Run `work` as the part of the whole run from `start` to `end`, both between 0 and 1."""
    steps = stepwise(work)
    reached = start
    try:
        while True:
            try:
                progress = next(steps)
            except StopIteration as finished:
                outcome: T = finished.value
                return outcome
            share = progress.done / progress.total if progress.total else 1.0
            reached = max(reached, start + (end - start) * share)
            yield Progress(reached, 1.0, progress.phase)
    finally:
        steps.close()


def in_parts(progress: ProgressCallback, parts: int) -> ProgressCallback:
    """A progress for work that goes through `parts` phases, each counting from nothing to its own total."""
    begun: list[str] = []

    def part_of(done: float, total: float, name: str) -> None:
        if not begun or begun[-1] != name:
            begun.append(name)
        share = done / total if total else 1.0
        progress(min(len(begun), parts) - 1 + share, parts, name)

    return part_of
