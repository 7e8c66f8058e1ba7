"""Runs of the compare experiment that take a moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.contracts.events import Partial
from core.topics.compare.experiment import run
from core.topics.compare.params import CompareParams
from core.topics.compare.result import CompareResult

QUICKLY = {"rounds": 3, "budget_s": 0.1, "compiled": False}


def quick(**values: object) -> CompareParams:
    return CompareParams.parse({**QUICKLY, **values})


def steps_of(params: CompareParams) -> Iterator[CompareResult]:
    """Every Partial of a run, and its result."""
    steps = run(params, "cpu")
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            yield stop.value
            return
        if isinstance(event, Partial):
            assert isinstance(event.result, CompareResult)
            yield event.result


def result_of(params: CompareParams) -> CompareResult:
    *_, result = steps_of(params)
    return result


def own_file(folder: Path, text: str, name: str = "mine.py") -> CompareParams:
    """Parameters for a file with that text."""
    path = folder / name
    path.write_text(text)
    return quick(family="file", file=str(path), timed=False)
