"""Starting, closing, and what is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.contracts.events import Cancelled, Failed, Partial, Progress
from core.contracts.text import tr
from core.engine import Engine, Phase
from core.engine.addresses import SchedulerAddress
from core.engine.local_cluster import local_cluster
from tests.engine.helpers import TIMEOUT_S, TOPICS, StateLog, Submit, events_of, result_of, wait_for_event, worker_pids

ROOT = Path(__file__).resolve().parents[2]

# Runs in a fresh process: a guard, because the worker is spawned and imports the main module of its parent.
SCRIPT = """
import sys
from core.engine import Engine
if __name__ == "__main__":
    engine = Engine(topics={"trouble": "tests.engine.trouble"}, warm_up=False)
    engine.start()
    %s
"""


def run_script(tmp_path: Path, body: str) -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT % body.replace("\n", "\n    "))
    return subprocess.Popen(
        [sys.executable, str(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(autouse=True)
def the_shared_engine_is_settled(submit: Submit) -> None:
    """Its worker is not on its way when a test compares processes before and after."""
    result_of(submit("finish"))


def engine_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob(f"tilescope-engine-{os.getpid()}-*"))


def test_that_start_and_submit_do_not_wait_for_the_cluster_and_close_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processes, threads, folders = worker_pids(), set(threading.enumerate()), engine_folders()
    may_start_cluster = threading.Event()

    def held_local_cluster(wanted_first: Any) -> Any:
        assert may_start_cluster.wait(TIMEOUT_S)
        return local_cluster(wanted_first)

    monkeypatch.setattr("core.engine.engine.local_cluster", held_local_cluster)
    engine = Engine(topics=TOPICS, warm_up=False)
    engine.start()
    run = engine.submit("trouble", {}, "cpu")
    assert engine.state.phase is Phase.STARTING
    assert not run.done
    may_start_cluster.set()
    result_of(run)
    assert worker_pids() > processes

    engine.close()

    assert worker_pids() == processes
    assert engine_folders() == folders
    assert set(threading.enumerate()) <= threads
    assert engine.state.phase is Phase.CLOSED


@pytest.mark.parametrize("act", ["wait", "hang"])
def test_that_close_in_the_middle_of_a_run_ends_it_and_the_queued_ones(act: str) -> None:
    processes = worker_pids()
    engine = Engine(topics=TOPICS, warm_up=False)
    engine.start()
    run = engine.submit("trouble", {"act": act}, "cpu")
    queued = engine.submit("trouble", {}, "cpu")
    wait_for_event(run, Progress)
    begin = time.monotonic()
    engine.close()
    assert time.monotonic() - begin < 5
    assert events_of(run)[-1] == Cancelled(tr("stopped because the engine was closed"))
    assert queued.drain() == [Cancelled(tr("stopped because the engine was closed"))]
    assert run.drain() == []
    assert worker_pids() == processes


def test_that_close_while_starting_and_twice_is_safe() -> None:
    processes, folders = worker_pids(), engine_folders()
    engine = Engine(topics=TOPICS)
    run = engine.submit("trouble", {}, "cpu")
    engine.start()
    engine.close()
    engine.close()
    assert run.drain() == [Cancelled(tr("stopped because the engine was closed"))]
    assert worker_pids() == processes
    assert engine_folders() == folders


def test_that_an_engine_that_never_started_closes_and_stays_closed() -> None:
    engine = Engine(topics=TOPICS)
    engine.close()
    engine.start()
    assert engine.state.phase is Phase.CLOSED
    assert engine.submit("trouble", {}, "cpu").drain() == [Failed(tr("The engine is closed."))]


def test_that_an_engine_that_cannot_start_says_why_and_fails_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = worker_pids()

    def no_process(*args: object, **kwargs: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("asyncio.create_subprocess_exec", no_process)
    engine = Engine(topics=TOPICS)
    states = StateLog(engine)
    early = engine.submit("trouble", {}, "cpu")
    engine.start()
    state = states.wait_for("failed")
    assert str(state.detail).startswith("The worker process cannot be started: ")
    assert events_of(early) == [Failed(state.detail)]
    assert engine.submit("trouble", {}, "cpu").drain() == [Failed(state.detail)]
    engine.close()
    assert worker_pids() == processes


def test_that_a_scheduler_that_does_not_answer_is_a_sentence() -> None:
    engine = Engine(SchedulerAddress("tcp://127.0.0.1:9"), topics=TOPICS)
    states = StateLog(engine)
    engine.start()
    state = states.wait_for("failed")
    assert str(state.detail).startswith("The scheduler at tcp://127.0.0.1:9 does not answer")
    assert engine.submit("trouble", {}, "cpu").drain() == [Failed(state.detail)]
    engine.close()


def test_that_a_listener_that_fails_harms_no_run() -> None:
    engine = Engine(topics=TOPICS, warm_up=False)
    engine.on_state(lambda state: 1 / 0)
    engine.start()
    result_of(engine.submit("trouble", {}, "cpu"))
    engine.close()


def test_that_a_local_engine_opens_no_port(submit: Submit) -> None:
    result_of(submit("finish"))
    listening = [
        connection.laddr
        for process in (psutil.Process(), *psutil.Process().children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == []


def test_that_the_worker_has_neither_qt_nor_the_window(submit: Submit) -> None:
    modules = wait_for_event(submit("modules"), Partial).result.modules
    assert "core" in modules
    assert not {"PySide6", "pyqtgraph", "gui"} & set(modules)


def test_that_a_window_process_stays_quiet_free_of_torch_and_clean_without_close(tmp_path: Path) -> None:
    body = """
assert "distributed" not in sys.modules
for act in ("finish", "print", "segfault", "raise", "finish"):
    list(engine.submit("trouble", {"act": act, "count": 0}, "auto").stream(60))
print(sorted({"torch", "triton", "PySide6"} & set(sys.modules)))
"""
    process = run_script(tmp_path, body)
    stdout, stderr = process.communicate(timeout=60)
    assert stdout == "[]\n"
    assert stderr == ""
    assert process.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


@pytest.mark.parametrize("moment", ["with a worker on its way", "in a run"])
def test_that_a_window_that_ends_without_close_leaves_nothing(tmp_path: Path, moment: str) -> None:
    body = {
        "with a worker on its way": """
import glob, os, tempfile
while not glob.glob(os.path.join(tempfile.gettempdir(), "tilescope-engine-*")):
    pass
""",
        "in a run": 'next(engine.submit("trouble", {"act": "hang"}, "cpu").stream(60))',
    }[moment]
    process = run_script(tmp_path, body)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


@pytest.mark.parametrize("act", ["hang", "hold-gil"])
def test_that_a_window_that_is_killed_leaves_no_worker(tmp_path: Path, act: str) -> None:
    body = f"""
run = engine.submit("trouble", {{"act": "{act}"}}, "cpu")
stream = run.stream(60)
next(event for event in stream if type(event).__name__ == "Progress")
print("running", flush=True)
next(stream)
"""
    process = run_script(tmp_path, body)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "running\n", process.stderr.read()
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


def test_that_the_folder_of_a_killed_engine_is_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    leftover, in_use = tmp_path / "tilescope-engine-999999999-x", tmp_path / f"tilescope-engine-{os.getpid()}-x"
    leftover.mkdir()
    in_use.mkdir()
    engine = Engine(topics=TOPICS, warm_up=False)
    engine.start()
    result_of(engine.submit("trouble", {}, "cpu"))
    engine.close()
    assert list(tmp_path.iterdir()) == [in_use]
