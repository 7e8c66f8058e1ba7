from __future__ import annotations

import contextvars
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts.events import Progress
from core.contracts.text import tr
from core.engine.steps import ProgressCallback, stepwise

TIMEOUT_S = 10


def drained(steps):
    """What the generator yields, and what it returns."""
    progress = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as end:
            return progress, end.value


@settings(deadline=None)
@given(st.integers(0, 300))
def test_that_the_last_report_and_the_value_always_arrive_in_order(count: int) -> None:
    def work(progress: ProgressCallback) -> str:
        for done in range(count):
            progress(done + 1, count, tr("counting"))
        return f"{count} done"

    progress, value = drained(stepwise(work))
    assert value == f"{count} done"
    assert [p.done for p in progress] == sorted({p.done for p in progress})
    assert progress[-1:] == ([Progress(count, count, tr("counting"))] if count else [])


def test_that_a_flood_of_reports_is_thinned() -> None:
    def work(progress: ProgressCallback) -> None:
        for done in range(200_000):
            progress(done, 200_000, tr("flooding"))

    progress, _ = drained(stepwise(work))
    assert 1 <= len(progress) < 1000


def test_that_an_error_of_the_work_passes_through_with_its_place() -> None:
    def work(progress: ProgressCallback) -> None:
        progress(0, 1, tr("about to fail"))
        raise ZeroDivisionError("it cannot be divided")

    with pytest.raises(ZeroDivisionError, match="it cannot be divided") as caught:
        drained(stepwise(work))
    assert caught.traceback[-1].name == "work"


def test_that_closing_stops_the_work_at_its_next_report_and_waits_for_it() -> None:
    cleaned_up, swallowed = threading.Event(), threading.Event()

    def work(progress: ProgressCallback) -> None:
        try:
            while True:
                try:
                    progress(0, 0, tr("for ever"))
                except Exception:
                    swallowed.set()
        finally:
            cleaned_up.set()

    threads = threading.active_count()
    steps = stepwise(work)
    next(steps)
    steps.close()
    assert cleaned_up.is_set()
    assert not swallowed.is_set(), "`except Exception` in the work does not see the end"
    assert threading.active_count() == threads


def test_that_closing_before_the_first_step_starts_nothing() -> None:
    started = threading.Event()
    steps = stepwise(lambda progress: started.set())
    steps.close()
    assert not started.is_set()


def test_that_the_work_sees_the_context_of_the_caller_and_cannot_change_it() -> None:
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("caller's")

    def work(progress: ProgressCallback) -> str:
        seen = variable.get()
        variable.set("work's")
        return seen

    assert drained(stepwise(work))[1] == "caller's"
    assert variable.get() == "caller's"


def test_that_a_slow_reader_does_not_hold_up_the_work() -> None:
    finished = threading.Event()

    def work(progress: ProgressCallback) -> int:
        for done in range(1000):
            progress(done, 1000, tr("working"))
        finished.set()
        return 5

    steps = stepwise(work)
    next(steps)
    assert finished.wait(TIMEOUT_S)
    progress, value = drained(steps)
    assert value == 5
    assert len(progress) <= 1
