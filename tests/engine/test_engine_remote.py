"""The same engine with a scheduler that Tilescope did not start."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.contracts.events import Cancelled, Failed, Progress, Started
from core.contracts.text import tr
from core.engine import Engine
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
    engine = Engine(scheduler, topics=TOPICS, grace_s=0.5, warm_up=False)
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
        engine = Engine(cluster.scheduler_address, topics=TOPICS, patience_s=0.5)
        states = StateLog(engine)
        waiting = engine.submit("trouble", {}, "cpu")
        engine.start()
        state = states.wait_for("failed")
        assert "has had no worker for 0.5 s: start one in Tilescope's folder with 'python -m " in str(state.detail)
        assert events_of(waiting) == [Failed(state.detail)]
        engine.close()


def test_that_closing_the_engine_stops_its_run_on_the_remote_worker(scheduler: str, tmp_path: Path) -> None:
    engine = Engine(scheduler, topics=TOPICS, grace_s=0.5, warm_up=False)
    engine.start()
    run = engine.submit("trouble", {"act": "wait", "folder": str(tmp_path)}, "cpu")
    wait_for_event(run, Progress)
    engine.close()
    assert events_of(run)[-1] == Cancelled(tr("stopped because the engine was closed"))

    successor = Engine(scheduler, topics=TOPICS, warm_up=False)
    successor.start()
    both = [successor.submit("trouble", {"act": "wait"}, "cpu") for _ in range(2)]
    for next_run in both:  # both workers are free again
        wait_for_event(next_run, Started)
    successor.close()
    assert (tmp_path / "cleaned-up").exists()


def test_that_a_scheduler_that_goes_away_fails_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.remote_cluster._ANSWER_TIMEOUT_S", 1.0)
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        engine = Engine(cluster.scheduler_address, topics=TOPICS, warm_up=False)
        states = StateLog(engine)
        engine.start()
        run = engine.submit("trouble", {"act": "wait"}, "cpu")
        wait_for_event(run, Progress)
    state = states.wait_for("failed")
    assert isinstance(events_of(run)[-1], Failed)
    assert "no longer answers" in str(state.detail)
    engine.close()


def test_that_the_command_advised_for_a_scheduler_without_workers_starts_one_that_runs() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster:
        sentence = str(RemoteCluster(None, cluster.scheduler_address).no_worker(30))
        (advised,) = re.findall(r"with '(.+)'", sentence)
        program, *arguments = shlex.split(advised)
        assert program == "python"
        worker = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        engine = Engine(cluster.scheduler_address, topics=TOPICS, warm_up=False)
        try:
            engine.start()
            result_of(engine.submit("trouble", {}, "cpu"))
        finally:
            engine.close()
            worker.terminate()
            worker.wait(timeout=30)
