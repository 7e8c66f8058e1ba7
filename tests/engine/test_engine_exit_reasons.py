"""Workers that die under a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from core.contracts.events import TERMINAL, Failed, Progress, Started
from core.engine import Engine
from core.engine.exit_reason import exit_reason
from tests.engine.helpers import StateLog, Submit, events_of, result_of, wait_for_event, worker_pids


@pytest.mark.parametrize(
    ("act", "count", "sentence"),
    [
        ("segfault", 0, "The worker process crashed with a segmentation fault (SIGSEGV) while running trouble"),
        ("exit", 3, "The worker process exited with code 3 while running trouble"),
        ("exit", 0, "The worker process exited with code 0 while running trouble"),
    ],
)
def test_that_a_worker_that_dies_is_one_failed_event_and_the_next_run_works(
    submit: Submit, act: str, count: int, sentence: str
) -> None:
    run = submit(act, count=count)
    events = events_of(run)
    assert isinstance(events[0], Started)
    assert [event for event in events if isinstance(event, TERMINAL)] == [run.terminal]
    assert isinstance(run.terminal, Failed)
    assert str(run.terminal.sentence) == f"{sentence}; a new worker takes its place."
    result_of(submit("finish"))
    assert run.drain() == []


def test_that_a_crash_shows_where_the_experiment_was_and_what_it_had_printed(submit: Submit) -> None:
    events_of(submit("print", count=0))
    failed = events_of(submit("print", count=1))[-1]
    assert isinstance(failed, Failed)
    for fragment in ("noise on stdout", "noise on stderr", "noise on descriptor 1", "Segmentation fault", "in _print"):
        assert failed.detail.count(fragment) == 1, "only the output of this run, not of the one before"


def test_that_a_worker_killed_from_outside_says_so(submit: Submit, worker_pid: Callable[[], int]) -> None:
    pid = worker_pid()
    run = submit("hang")
    wait_for_event(run, Progress)
    os.kill(pid, signal.SIGKILL)
    failed = events_of(run)[-1]
    assert isinstance(failed, Failed)
    assert "killed from outside (SIGKILL), most likely because the machine ran out of memory" in str(failed.sentence)
    assert worker_pid() != pid


def test_that_an_idle_worker_that_is_killed_costs_no_run(engine: Engine, worker_pid: Callable[[], int]) -> None:
    pid, states = worker_pid(), StateLog(engine)
    os.kill(pid, signal.SIGKILL)
    states.wait_for("restarting")
    states.wait_for("ready")
    assert worker_pid() != pid


def test_that_only_the_run_that_crashed_fails(submit: Submit) -> None:
    crashing, queued = submit("segfault"), submit("finish")
    assert isinstance(events_of(crashing)[-1], Failed)
    result_of(queued)


def test_that_the_state_follows_the_worker(engine: Engine, submit: Submit) -> None:
    result_of(submit("finish"))
    states = StateLog(engine)
    states.wait_for("ready")
    events_of(submit("exit", count=2))
    result_of(submit("finish"))
    states.wait_for("ready")
    phases = [state.phase.value for state in states.states]
    assert [phase for i, phase in enumerate(phases) if phase not in phases[i - 1 : i]] == [
        "ready",
        "busy",
        "restarting",
        "ready",
        "busy",
        "ready",
    ]
    assert "The worker process exited with code 2" in {str(state.detail) for state in states.states}


def test_that_crashes_leave_one_worker_process(submit: Submit, worker_pid: Callable[[], int]) -> None:
    of_other_engines = worker_pids() - {worker_pid()}
    for _ in range(2):
        events_of(submit("segfault"))
    pid = worker_pid()
    assert worker_pids() - of_other_engines == {pid}


def test_that_exit_reasons_are_worded_for_users() -> None:
    assert str(exit_reason(None)) == "The worker process ended with an unknown exit code"
    assert str(exit_reason(-signal.SIGTERM)) == "The worker process was terminated by signal 15 (SIGTERM)"
    assert str(exit_reason(-250)) == "The worker process was terminated by signal 250"
    assert str(exit_reason(-signal.SIGABRT)) == "The worker process aborted (SIGABRT)"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
def test_that_a_worker_that_dies_leaves_no_descriptor_open(submit: Submit, worker_pid: Callable[[], int]) -> None:
    events_of(submit("segfault"))
    worker_pid()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        events_of(submit("segfault"))
    worker_pid()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
