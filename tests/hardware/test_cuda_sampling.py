"""The order of the calls by which a GPU is timed, on a torch.cuda that only writes them down."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core.hardware.timing import samplers
from core.hardware.timing.samplers import EventSampler, GraphSampler, Method, sampler_for

CUDA = torch.device("cuda")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls so far. Every pair of events is 3 ms apart."""
    calls: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            calls.append("record")

        def synchronize(self) -> None:
            calls.append("synchronize")

        def elapsed_time(self, end: Any) -> float:
            return 3.0

    class Stream:
        def wait_stream(self, other: Any) -> None:
            calls.append("wait")

    class Graph:
        def replay(self) -> None:
            calls.append("replay")

    @contextmanager
    def block(name: str) -> Any:
        calls.append(f"{name} begins")
        yield
        calls.append(f"{name} ends")

    fake = SimpleNamespace(
        Event=Event,
        Stream=Stream,
        CUDAGraph=Graph,
        current_stream=Stream,
        stream=lambda stream: block("side stream"),
        graph=lambda graph: block("capture"),
        get_device_properties=lambda device: SimpleNamespace(L2_cache_size=300 << 20),
        _sleep=lambda cycles: calls.append(f"spin {cycles}"),
    )
    cold = SimpleNamespace(zero_=lambda: calls.append("flush"))

    def empty(size: int, **options: Any) -> Any:
        assert size == 600 << 20  # twice the L2
        return cold

    monkeypatch.setattr(torch, "cuda", fake)
    monkeypatch.setattr(torch, "empty", empty)
    return calls


def test_that_the_cache_is_flushed_before_the_first_event_and_only_the_run_lies_between(calls: list[str]) -> None:
    sampler = EventSampler(CUDA)

    assert sampler.sample_ms("a", lambda: calls.append("run")) == 3.0

    assert calls == ["spin 2000000", "flush", "record", "run", "record", "synchronize"]


def test_that_the_gpu_spins_twice_as_long_as_the_candidate_takes_to_queue(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 0.004, 1.0, 1.5])
    monkeypatch.setattr(samplers, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    sampler = EventSampler(CUDA)

    for _ in range(2):
        sampler.sample_ms("slow to queue", lambda: None)
    monkeypatch.undo()
    spins = [call for call in calls if call.startswith("spin")]

    assert spins == ["spin 2000000", "spin 16000000"]  # 8 ms at 2 GHz
    assert sampler._spin_cycles == {"slow to queue": 40_000_000}  # half a second would be too long to wait


def test_that_a_graph_is_captured_once_and_then_replayed(calls: list[str]) -> None:
    sampler = GraphSampler(CUDA)

    for _ in range(2):
        sampler.sample_ms("a", lambda: calls.append("run"))

    captured = [
        "wait",
        "side stream begins",
        "run",
        "side stream ends",
        "wait",
        "capture begins",
        "run",
        "capture ends",
    ]
    sample = ["spin 2000000", "flush", "record", "replay", "record", "synchronize"]
    assert calls == [*captured, *sample, *sample]


def test_that_the_method_is_the_one_asked_for(calls: list[str]) -> None:
    assert sampler_for(torch.device("cpu"), None).method is Method.WALL_CLOCK
    assert sampler_for(CUDA, None).method is Method.EVENTS
    assert sampler_for(CUDA, Method.GRAPHS).method is Method.GRAPHS
