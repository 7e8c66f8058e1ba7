"""Several trainings side by side, a step of each at a time. Workers only."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import torch

from core.contracts.errors import RunFailed
from core.contracts.events import Partial, Progress
from core.contracts.text import Text, tr
from core.topics.dialogue.experiment.board import Board
from core.topics.dialogue.experiment.training import Training

LANES = 2
"""Trainings that take a step at the same time, each with one thread: on two cores they take half as long, and the
figures are those of one core."""


def run_side_by_side(
    board: Board, trainings: Mapping[str, Training], step_s: float, show: Callable[[], None]
) -> Generator[Progress | Partial, None, dict[str, Text]]:
    """Run trainings to their ends. `show` puts their curves into the result, which is yielded twice per second.

    Returns why each training that stopped early did: a loss that became NaN. Its curve stays.
    """
    steps = {name: training.run() for name, training in trainings.items()}
    total, done = sum(training.steps for training in trainings.values()), 0
    stopped: dict[str, Text] = {}
    with ThreadPoolExecutor(min(LANES, os.cpu_count() or 1), initializer=_one_thread) as pool:
        while steps:
            ended = dict(zip(steps, pool.map(_advanced, steps.values()), strict=True))
            for name, outcome in ended.items():
                if outcome is not None:
                    del steps[name]
                    if isinstance(outcome, Text):
                        stopped[name] = outcome
            done += len(steps)
            yield board.progress(done * step_s, tr("training: {done:,} of {total:,} steps", done=done, total=total))
            if board.is_due():
                show()
                yield board.partial()
    board.done += total * step_s
    show()
    yield board.partial()
    return stopped


def _one_thread() -> None:
    torch.set_num_threads(1)


def _advanced(steps: Iterator[int]) -> Text | str | None:
    """None after a step, '' at the end, and the reason if the training stopped early."""
    try:
        next(steps)
    except StopIteration:
        return ""
    except RunFailed as error:
        return error.text
    return None
