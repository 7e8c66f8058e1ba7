"""Runs that are asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.contracts.events import TERMINAL, Cancelled, Failed, Finished, Progress, Started
from core.contracts.text import tr
from core.engine import Engine, RunCancelled
from tests.engine.helpers import TOPICS, Submit, events_of, result_of, wait_for_event


def test_that_cancel_is_honoured_at_the_next_yield_and_cleans_up(
    submit: Submit, worker_pid: Callable[[], int], tmp_path: Path
) -> None:
    pid = worker_pid()
    run = submit("wait", folder=str(tmp_path))
    wait_for_event(run, Progress)
    run.cancel()
    assert events_of(run)[-1] == Cancelled(tr("cancelled"))
    assert (tmp_path / "cleaned-up").exists()
    assert worker_pid() == pid, "a worker that stops when asked is kept"
    with pytest.raises(RunCancelled, match="was cancelled"):
        run.result(0)


def test_that_work_in_steps_is_cancelled_and_cleans_up(submit: Submit, tmp_path: Path) -> None:
    run = submit("step", count=0, folder=str(tmp_path))
    wait_for_event(run, Progress)
    run.cancel()
    assert events_of(run)[-1] == Cancelled(tr("cancelled"))
    assert (tmp_path / "cleaned-up").exists()


@pytest.mark.parametrize("act", ["hang", "hold-gil"])
def test_that_a_run_that_does_not_stop_is_killed_and_the_next_one_works(
    submit: Submit, worker_pid: Callable[[], int], act: str
) -> None:
    pid = worker_pid()
    run = submit(act)
    wait_for_event(run, Progress)
    run.cancel()
    assert events_of(run)[-1] == Cancelled(tr("killed after {seconds:g} s: it did not stop by itself", seconds=0.5))
    assert worker_pid() != pid


def test_that_a_queued_run_that_is_cancelled_never_runs(submit: Submit, tmp_path: Path) -> None:
    running, queued, third = submit("wait"), submit("step", count=1, folder=str(tmp_path)), submit("finish")
    wait_for_event(running, Started)
    queued.cancel()
    assert queued.drain() == [Cancelled(tr("cancelled before it started"))]
    running.cancel()
    result_of(third)
    assert not (tmp_path / "cleaned-up").exists()
    assert queued.drain() == []


def test_that_a_run_cancelled_before_the_engine_is_up_never_runs(tmp_path: Path) -> None:
    engine = Engine(topics=TOPICS, warm_up=False)
    cancelled = engine.submit("trouble", {"act": "step", "count": 1, "folder": str(tmp_path)}, "cpu")
    waiting = engine.submit("trouble", {}, "cpu")
    cancelled.cancel()
    engine.start()
    result_of(waiting)
    engine.close()
    assert cancelled.drain() == [Cancelled(tr("cancelled before it started"))]
    assert list(tmp_path.iterdir()) == []


def test_that_cancel_right_after_submit_ends_the_run_whatever_it_reached(submit: Submit) -> None:
    for _ in range(10):
        run = submit("wait")
        run.cancel()
        assert isinstance(events_of(run)[-1], Cancelled)
    result_of(submit("finish"))


def test_that_cancel_of_a_run_that_is_over_changes_nothing(submit: Submit) -> None:
    run = submit("finish")
    last = events_of(run)[-1]
    run.cancel()
    run.cancel()
    assert run.drain() == []
    assert run.terminal is last


def test_that_cancel_races_the_end_without_a_second_terminal_event(submit: Submit) -> None:
    for count in (1, 100, 5000):
        run = submit("flood", count=count)
        wait_for_event(run, Started)
        run.cancel()
        rest = events_of(run)
        assert sum(isinstance(event, TERMINAL) for event in rest) == 1
        assert isinstance(rest[-1], Finished | Cancelled)
        assert not isinstance(rest[-1], Failed)
