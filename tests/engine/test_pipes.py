"""The pipes between the engine and its processes, when an end of them misbehaves."""

from __future__ import annotations

import asyncio
import gc
import io
import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from core.contracts.errors import TilescopeError
from core.contracts.events import Failed, Started
from core.contracts.text import tr
from core.engine import Engine, frames, gateway, local_cluster, processes
from core.engine.addresses import parse_address
from core.engine.cluster import Cluster
from core.engine.pipe_server import PipeServer
from tests.engine.helpers import TIMEOUT_S, TOPICS, StateLog


@pytest.mark.parametrize("value", [object(), "x" * (frames.MAX_HEADER_BYTES + 1)])
def test_that_an_answer_that_cannot_be_sent_is_an_error_and_not_silence(value: object) -> None:
    async def function() -> tuple[object, list[bytes]]:
        return value, []

    sent = io.BytesIO()
    server = PipeServer(io.BytesIO(), sent, {"function": function})
    asyncio.run(server._answer({"id": 7, "call": "function", "arguments": []}))
    header, payload = frames.read(io.BytesIO(sent.getvalue()).read)
    assert header["id"] == 7
    assert "Error" in header["error"]
    assert payload == []


def test_that_the_frames_of_a_message_are_bounded_together() -> None:
    (_, head) = frames.pack({})
    many = head.replace(b"[]", str([frames.MAX_FRAMES_BYTES // 2] * 3).encode())
    with pytest.raises(ValueError, match="too large"):
        frames.read(io.BytesIO(len(many).to_bytes(8, "big") + many).read)


@pytest.mark.parametrize("events", [[1 << 40], ["text"], [bytearray(3)], [None]])
def test_that_the_gateway_passes_on_bytes_only(events: list[Any]) -> None:
    with pytest.raises(TypeError, match="not an event"):
        gateway._checked(events)


def test_that_a_worker_is_started_again_once_the_system_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    start, attempts = processes.start, []

    async def refused(module: str, environment: Mapping[str, str], *arguments: str) -> Any:
        attempts.append(time.monotonic())
        if 1 < len(attempts) < 5:
            raise BlockingIOError(11, "no process")
        return await start(module, environment, *arguments)

    async def usable(cluster: Cluster, other_than: frozenset[str]) -> frozenset[str]:
        while not (addresses := await cluster.addresses() - other_than):
            await asyncio.sleep(0.01)
        return addresses

    async def kill_and_wait() -> None:
        async with local_cluster.local_cluster({}) as cluster:
            first = await usable(cluster, frozenset())
            await cluster.kill(min(first))
            await usable(cluster, first)

    monkeypatch.setattr(processes, "start", refused)
    asyncio.run(asyncio.wait_for(kill_and_wait(), TIMEOUT_S))
    pauses = [later - earlier for earlier, later in itertools.pairwise(attempts[1:])]
    assert len(attempts) == 5
    assert min(pauses) > 0.1


def test_that_an_engine_that_still_connects_is_closed_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(TIMEOUT_S)
        engine = Engine(parse_address(f"tcp://127.0.0.1:{silent.getsockname()[1]}", insecure=True))
        engine.start()
        with silent.accept()[0]:  # the gateway connects, and will wait for an answer
            closed_at = time.monotonic()
            engine.close()
            assert time.monotonic() - closed_at < 5
    assert not [child for child in psutil.Process().children(recursive=True) if "gateway" in " ".join(child.cmdline())]


def test_that_a_run_of_an_engine_that_fails_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was not cancelled: nobody closed the engine."""
    lost = False
    real = local_cluster.local_cluster

    @asynccontextmanager
    async def losing(wanted_first: Mapping[str, str]) -> AsyncIterator[Cluster]:
        async with real(wanted_first) as cluster:
            addresses = cluster.addresses

            async def fail_once_lost() -> frozenset[str]:
                if lost:
                    raise TilescopeError(tr("The scheduler at {address} no longer answers.", address="tls://a:1"))
                return await addresses()

            monkeypatch.setattr(cluster, "addresses", fail_once_lost)
            yield cluster

    monkeypatch.setattr("core.engine.engine.local_cluster", losing)
    engine = Engine(topics=TOPICS, warm_up=False)
    log = StateLog(engine)
    engine.start()
    try:
        run = engine.submit("trouble", {"act": "wait", "count": 1_000_000}, "cpu")
        for event in run.stream(TIMEOUT_S):
            lost = lost or isinstance(event, Started)
        assert isinstance(run.terminal, Failed)
        assert "no longer answers" in str(run.terminal.sentence)
        log.wait_for("failed")
    finally:
        engine.close()


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="POSIX signals")
def test_that_starting_a_process_leaves_the_signals_of_its_thread_as_they_were() -> None:
    async def started() -> set[int]:
        process = await processes.start("core.engine.gateway", os.environ)
        assert process.stdin is not None
        process.stdin.close()
        await processes.end(process, 10)
        return set(signal.pthread_sigmask(signal.SIG_BLOCK, set()))

    before = set(signal.pthread_sigmask(signal.SIG_BLOCK, set()))
    assert asyncio.run(started()) == before


def test_that_a_process_whose_output_another_one_keeps_open_is_let_go_with_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    async def left() -> int:
        process = await processes.start("tests.engine.leaver", os.environ)
        assert process.stdin is not None
        assert process.stdout is not None
        pid = int(await process.stdout.readline())
        process.stdin.close()
        await processes.end(process, TIMEOUT_S)
        return pid

    started_at = time.monotonic()
    pid = asyncio.run(left())
    try:
        assert time.monotonic() - started_at < TIMEOUT_S
        gc.collect()
        assert unraisable == []
    finally:
        processes.kill_with_children(pid)
