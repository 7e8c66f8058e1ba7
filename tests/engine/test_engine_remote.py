"""The same engine with a scheduler that Tilescope did not start."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import psutil
import pytest

from core.commands.scheduling import run_worker
from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.events import Cancelled, Failed, Progress, Started
from core.contracts.text import tr
from core.engine import Engine, credentials
from core.engine.addresses import SchedulerAddress, parse_address
from core.engine.remote_cluster import RemoteCluster
from tests.engine.helpers import TOPICS, StateLog, events_of, result_of, wait_for_event

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler with two workers that Tilescope did not start."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def remote(scheduler: str) -> Iterator[Engine]:
    engine = Engine(SchedulerAddress(scheduler), topics=TOPICS, grace_s=0.5, warm_up=False)
    engine.start()
    yield engine
    engine.close()


def test_that_a_run_finishes_on_a_remote_worker(remote: Engine) -> None:
    run = remote.submit("trouble", {"count": 4}, "cpu")
    events = events_of(run)
    assert isinstance(events[0], Started)
    assert result_of(run).params.count == 4


def test_that_two_workers_run_two_experiments_at_once(remote: Engine) -> None:
    first, second = (remote.submit("trouble", {"act": "wait"}, "cpu") for _ in range(2))
    workers = {wait_for_event(run, Started).worker for run in (first, second)}
    assert len(workers) == 2
    for run in (first, second):
        run.cancel()
        assert events_of(run)[-1] == Cancelled(tr("cancelled"))


def test_that_a_remote_worker_that_dies_is_one_failed_event(remote: Engine) -> None:
    run = remote.submit("trouble", {"act": "exit", "count": 3}, "cpu")
    failed = events_of(run)[-1]
    assert isinstance(failed, Failed)
    assert str(failed.sentence).startswith("The worker at tcp://127.0.0.1:")
    assert "disconnected while running trouble" in str(failed.sentence)
    result_of(remote.submit("trouble", {}, "cpu"))


def test_that_a_remote_run_that_does_not_stop_is_killed(remote: Engine) -> None:
    run = remote.submit("trouble", {"act": "hang"}, "cpu")
    wait_for_event(run, Progress)
    run.cancel()
    assert events_of(run)[-1] == Cancelled(tr("killed after {seconds:g} s: it did not stop by itself", seconds=0.5))
    result_of(remote.submit("trouble", {}, "cpu"))


def test_that_a_scheduler_without_workers_says_how_to_start_one() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster:
        engine = Engine(SchedulerAddress(cluster.scheduler_address), topics=TOPICS, patience_s=0.5)
        states = StateLog(engine)
        waiting = engine.submit("trouble", {}, "cpu")
        engine.start()
        state = states.wait_for("failed")
        assert "has had no worker for 0.5 s: start one with 'python main.py worker " in str(state.detail)
        assert events_of(waiting) == [Failed(state.detail)]
        engine.close()


def test_that_closing_the_engine_stops_its_run_on_the_remote_worker(scheduler: str, tmp_path: Path) -> None:
    engine = Engine(SchedulerAddress(scheduler), topics=TOPICS, grace_s=0.5, warm_up=False)
    engine.start()
    run = engine.submit("trouble", {"act": "wait", "folder": str(tmp_path)}, "cpu")
    wait_for_event(run, Progress)
    engine.close()
    assert events_of(run)[-1] == Cancelled(tr("stopped because the engine was closed"))

    successor = Engine(SchedulerAddress(scheduler), topics=TOPICS, warm_up=False)
    successor.start()
    both = [successor.submit("trouble", {"act": "wait"}, "cpu") for _ in range(2)]
    for next_run in both:  # both workers are free again
        wait_for_event(next_run, Started)
    successor.close()
    assert (tmp_path / "cleaned-up").exists()


def test_that_a_scheduler_that_goes_away_fails_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        engine = Engine(SchedulerAddress(cluster.scheduler_address), topics=TOPICS, warm_up=False)
        states = StateLog(engine)
        engine.start()
        run = engine.submit("trouble", {"act": "wait"}, "cpu")
        wait_for_event(run, Progress)
    state = states.wait_for("failed")
    assert isinstance(events_of(run)[-1], Failed)
    assert "no longer answers" in str(state.detail)
    engine.close()


def test_that_a_worker_whose_scheduler_is_gone_is_not_said_to_have_ended() -> None:
    """One sentence then, for every run and for the engine."""
    gateway = Mock()
    gateway.call = AsyncMock(return_value=(None, []))
    cluster = RemoteCluster(gateway, "tls://host:8786")
    with pytest.raises(TilescopeError, match="no longer answers"):
        asyncio.run(cluster.death("tls://host:1"))
    gateway.call.return_value = (["tls://host:2"], [])
    assert str(asyncio.run(cluster.death("tls://host:1"))) == "The worker at tls://host:1 disconnected"


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `python main.py ARGUMENTS` with a home of its own, and returns once it has printed a line."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "main.py", "--lang", "en", *arguments],
            cwd=ROOT,
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
        process.communicate(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening_ports(process: subprocess.Popen[str]) -> set[int]:
    family = psutil.Process(process.pid)
    return {
        connection.laddr.port
        for member in (family, *family.children(recursive=True))
        for connection in member.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_that_credentials_a_scheduler_and_a_worker_serve_a_run_encrypted_and_without_a_web_page(
    command: Callable[..., subprocess.Popen[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = command("credentials")
    assert made.wait(60) == 0
    folder = credentials.default_folder()
    assert folder.is_relative_to(tmp_path)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, *sorted(folder.iterdir()))] == [0o700, 0o600, 0o600]
    again = command("credentials")
    assert again.wait(60) == 2
    port = free_port()
    address = f"tls://127.0.0.1:{port}"
    scheduler = command("scheduler", "--host", "127.0.0.1", "--port", str(port))
    assert scheduler.stdout is not None
    assert "listens" in scheduler.stdout.readline()
    engine = Engine(SchedulerAddress(address), topics=TOPICS, warm_up=False)
    try:
        engine.start()
        run = engine.submit("trouble", {}, "cpu")
        (advised,) = re.findall(r"with 'python main.py (.+)'", str(RemoteCluster(Mock(), address).no_worker(30)))
        worker = command(*shlex.split(advised))
        result_of(run)
        assert listening_ports(scheduler) == {port}
        for open_port in listening_ports(scheduler) | listening_ports(worker):
            answer = b""
            with socket.create_connection(("127.0.0.1", open_port), timeout=5) as plain, suppress(ConnectionError):
                plain.sendall(b"GET /health HTTP/1.1\r\n\r\n")
                answer = plain.recv(100)
            assert b"HTTP" not in answer, "the port speaks TLS only"
    finally:
        engine.close()


def test_that_without_credentials_an_encrypted_address_says_how_to_make_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    engine = Engine(SchedulerAddress("tls://127.0.0.1:9"), topics=TOPICS)
    states = StateLog(engine)
    engine.start()
    assert "python main.py credentials" in str(states.wait_for("failed").detail)
    engine.close()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("tls://host:8786", "tls://host:8786"),
        ("host:8786", "tls://host:8786"),
        (" tls://10.0.0.1:1/ ", "tls://10.0.0.1:1"),
        ("tls://[::1]:8786", "tls://[::1]:8786"),
    ],
)
def test_that_an_address_is_encrypted_unless_it_says_otherwise(text: str, url: str) -> None:
    assert parse_address(text) == SchedulerAddress(url)


@pytest.mark.parametrize(
    "text",
    [
        "tls://",
        "tls://host",
        ":8786",
        "tls://host:0",
        "tls://host:99999",
        "http://host:80",
        "tls://a b:1",
        "tls://user@host:1",
        "x" * 5000 + ":1:2",
        "tls://host:１２",
        "\x1b[31m:8786:",
    ],
)
def test_that_a_bad_address_is_one_short_sentence(text: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        parse_address(text)
    assert len(caught.value.sentence) < 300
    assert caught.value.sentence.isprintable()


def test_that_an_address_without_encryption_needs_consent() -> None:
    with pytest.raises(InvalidParams, match=r"python main\.py scheduler"):
        parse_address("tcp://host:8786")
    assert not parse_address("tcp://host:8786", insecure=True).is_encrypted
    assert parse_address("tls://host:8786", insecure=True).is_encrypted


def test_that_a_worker_of_a_scheduler_that_does_not_answer_says_so_at_once() -> None:
    with pytest.raises(TilescopeError, match=r"does not answer \("):
        run_worker(SchedulerAddress(f"tcp://127.0.0.1:{free_port()}"), None)
