"""CPU time in units of a plain Python loop: a bound in these units means the same on a fast and on a slow machine."""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOP_STEPS = 1 << 16
"""About 2.5 ms on a core of 2024."""


def cpu_loops(work: Callable[[], object], rounds: int = 5) -> float:
    """The CPU time of `work` in loops of 65,536 steps: the best round of both, measured in turn, in this thread only.

    Neither waiting for a core nor a slower clock changes the ratio, since both sides feel it alike.
    """
    work_s = loop_s = float("inf")
    for _ in range(rounds):
        loop_s = min(loop_s, _thread_time_of(_loop))
        work_s = min(work_s, _thread_time_of(work))
    return work_s / loop_s


def _thread_time_of(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _loop() -> int:
    total = 0
    for number in range(_LOOP_STEPS):
        total += number % 7
    return total
