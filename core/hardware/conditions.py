"""The conditions under which times were taken: threads, cores, load, and what a GPU said of its clocks. No torch."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_TASKS = Path("/proc/self/task")
_TOPOLOGY = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class GpuClocks:
    """What NVML said in the course of a measurement; None or () for what it does not offer.

    `throttled` names the reasons for which the driver held the clocks down at any time, as nvidia-smi does.
    """

    lowest_sm_mhz: int | None = None
    highest_sm_mhz: int | None = None
    memory_mhz: int | None = None
    first_temperature_c: int | None = None
    highest_temperature_c: int | None = None
    highest_power_w: float | None = None
    throttled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conditions:
    """How a group of candidates was timed, all of them alike.

    `threads` is torch's number of threads on a CPU, `cores` those to which the process was held, () where it was not.
    The load is that of the whole machine over one minute, before and after. `rounds` counts the samples of a candidate,
    `warm_up_rounds` those before, which `is_settled` says were enough.
    """

    method: str = ""
    rounds: int = 0
    warm_up_rounds: int = 0
    is_settled: bool = False
    threads: int | None = None
    cores: tuple[int, ...] = ()
    load_before: float | None = None
    load_after: float | None = None
    clocks: GpuClocks | None = None


def load() -> float | None:
    """Runnable processes on this machine, averaged over a minute; None where the system does not count them."""
    with suppress(OSError, AttributeError):
        return os.getloadavg()[0]
    return None


@contextmanager
def held_to_cores(count: int) -> Iterator[tuple[int, ...]]:
    """All threads of this process on the same `count` cores until the block ends; yields them, or () where the system
    has no such calls, or offers no more than these cores anyway.

    One thread per physical core comes first: two threads of a core share its arithmetic.
    """
    cores = _chosen_cores(count)
    kept = _hold(cores) if cores else {}
    try:
        yield cores if kept else ()
    finally:
        for task, allowed in kept.items():
            with suppress(OSError):
                os.sched_setaffinity(task, allowed)


@contextmanager
def without_collections() -> Iterator[None]:
    """No pause of Python's garbage collector until the block ends."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _chosen_cores(count: int) -> tuple[int, ...]:
    if not hasattr(os, "sched_getaffinity"):
        return ()
    allowed = sorted(os.sched_getaffinity(0))
    if count >= len(allowed):
        return ()
    seen: dict[str, int] = {}
    ranked = []
    for core in allowed:
        siblings = _siblings(core)
        ranked.append((seen.get(siblings, 0), core))
        seen[siblings] = seen.get(siblings, 0) + 1
    return tuple(sorted(core for _, core in sorted(ranked)[:count]))


def _siblings(core: int) -> str:
    """The threads of the same physical core, as the system lists them; the core alone where it does not say."""
    try:
        return (_TOPOLOGY / f"cpu{core}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(core)


def _hold(cores: tuple[int, ...]) -> dict[int, set[int]]:
    """Move every thread of this process to `cores`; returns what each was allowed before."""
    kept: dict[int, set[int]] = {}
    with suppress(OSError):
        for task in [int(path.name) for path in _TASKS.iterdir()] if _TASKS.is_dir() else [0]:
            with suppress(OSError):
                allowed = os.sched_getaffinity(task)
                os.sched_setaffinity(task, cores)
                kept[task] = allowed
    return kept
