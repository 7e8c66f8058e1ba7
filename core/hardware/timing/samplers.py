"""One sample of a candidate's time: wall time on a CPU, the time between two events on a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import torch

_LEAST_CPU_SAMPLE_S = 2e-3
_LEAST_FLUSH_BYTES = 256 << 20
_LEAST_SPIN_CYCLES = 2_000_000
"""About a millisecond: longer than it takes to queue a few launches."""

_MOST_SPIN_CYCLES = 40_000_000
_CYCLES_PER_S = 2e9
"""Of a GPU at its boost clock, rounded up: a spin that is too long costs time, one that is too short is measured."""

Run = Callable[[], object]


class Method(StrEnum):
    """How a sample is taken. A graph replay has no launch overhead at all, but not everything can be captured."""

    WALL_CLOCK = "wall clock"
    EVENTS = "CUDA events"
    GRAPHS = "CUDA graph replays"


class Sampler(Protocol):
    """Takes samples of named candidates, always of the same `run` for a name."""

    method: Method

    def sample_ms(self, name: str, run: Run) -> float:
        """The time of one run, in ms."""
        ...


class CpuSampler:
    """The wall time of one run, averaged over several where one is shorter than 2 ms. The caches stay as the candidate
    before left them."""

    method = Method.WALL_CLOCK

    def __init__(self) -> None:
        self._repeats: dict[str, int] = {}

    def sample_ms(self, name: str, run: Run) -> float:
        count = self._repeats.setdefault(name, 1)
        started = time.perf_counter()
        for _ in range(count):
            run()
        elapsed_s = time.perf_counter() - started
        if elapsed_s < _LEAST_CPU_SAMPLE_S:
            self._repeats[name] = min(10_000, count * max(2, round(_LEAST_CPU_SAMPLE_S / max(elapsed_s, 1e-7))))
        return elapsed_s / count * 1e3


class EventSampler:
    """The time between two CUDA events, after the L2 was overwritten.

    The GPU spins while the CPU queues all of this, so that no launch latency falls between the events; it spins for
    twice as long as the candidate took to queue the last time.
    """

    method = Method.EVENTS

    def __init__(self, device: torch.device) -> None:
        l2_bytes = int(torch.cuda.get_device_properties(device).L2_cache_size)
        self._cold = torch.empty(max(_LEAST_FLUSH_BYTES, 2 * l2_bytes), dtype=torch.int8, device=device)
        self._spin_cycles: dict[str, int] = {}

    def sample_ms(self, name: str, run: Run) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda._sleep(self._spin_cycles.get(name, _LEAST_SPIN_CYCLES))  # type: ignore[no-untyped-call]
        self._cold.zero_()
        start.record()
        queued = time.perf_counter()
        run()
        queueing_s = time.perf_counter() - queued
        end.record()
        end.synchronize()
        wanted = int(2 * queueing_s * _CYCLES_PER_S)
        self._spin_cycles[name] = max(_LEAST_SPIN_CYCLES, min(_MOST_SPIN_CYCLES, wanted))
        return float(start.elapsed_time(end))


class GraphSampler(EventSampler):
    """The same for replays of a CUDA graph, which is captured at the first sample. Raises what torch raises for work
    that cannot be captured, such as one that waits for the GPU."""

    method = Method.GRAPHS

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._replays: dict[str, Run] = {}

    def sample_ms(self, name: str, run: Run) -> float:
        replay = self._replays.get(name)
        if replay is None:
            replay = self._replays[name] = _captured(run)
        return super().sample_ms(name, replay)


def _captured(run: Run) -> Run:
    """What replays the work of `run`. It runs once on a side stream first, as torch asks for."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def sampler_for(device: torch.device, method: Method | None) -> Sampler:
    """The sampler of a device; `method` None is the wall clock on a CPU, and events on a GPU."""
    if device.type != "cuda":
        return CpuSampler()
    return GraphSampler(device) if method is Method.GRAPHS else EventSampler(device)
