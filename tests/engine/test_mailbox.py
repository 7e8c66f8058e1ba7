from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts.events import TERMINAL, Cancelled, Event, Failed, Partial, Progress, Started
from core.contracts.text import verbatim
from core.engine.mailbox import Mailbox
from core.engine.runs import Run
from tests.engine.trouble import TroubleParams, TroubleResult


def partial(count: int) -> Partial:
    return Partial(TroubleResult(params=TroubleParams(count=count)))


EVENTS = st.sampled_from(
    [
        Started("worker", "cpu"),
        Progress(1, 2, verbatim("one")),
        Progress(2, 2, verbatim("two")),
        partial(1),
        partial(2),
        Failed(verbatim("It failed.")),
        Cancelled(),
    ]
)


@settings(deadline=None)
@given(st.lists(EVENTS | st.none(), max_size=40))
def test_that_whatever_is_put_the_reader_sees_a_valid_run(puts: list[Event | None]) -> None:
    """None means that the reader drains the mailbox."""
    box, seen = Mailbox(), []
    for event in puts:
        if event is None:
            seen += box.drain()
        else:
            box.put(event)
        assert len(box._waiting) <= 4
    seen += box.drain()
    assert sum(isinstance(event, Started) for event in seen) <= 1
    terminal = [i for i, event in enumerate(seen) if isinstance(event, TERMINAL)]
    assert terminal in ([], [len(seen) - 1])
    first_terminal = next((e for e in puts if isinstance(e, TERMINAL)), None)
    assert seen[-1:] == [first_terminal] or first_terminal is None


def test_that_a_newer_partial_replaces_the_unread_one_and_not_the_progress() -> None:
    box = Mailbox()
    for event in (
        Progress(1, 9, verbatim("")),
        partial(1),
        Progress(2, 9, verbatim("")),
        partial(2),
    ):
        box.put(event)
    assert box.drain() == [Progress(2, 9, verbatim("")), partial(2)]


def test_that_a_blocked_reader_is_woken() -> None:
    box, seen = Mailbox(), []
    reader = threading.Thread(target=lambda: seen.append(box.get(10)))
    reader.start()
    box.put(Progress(1, 2, verbatim("half")))
    reader.join(10)
    assert seen == [Progress(1, 2, verbatim("half"))]


def test_that_threads_that_race_to_end_a_run_end_it_once() -> None:
    for _ in range(50):
        run, barrier, ends = Run("trouble", {}, "cpu"), threading.Barrier(4), []
        run.attach(on_cancel=lambda run: None, on_over=ends.append)

        def finish(number: int, run: Run = run, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(10)
            run.finish(Failed(verbatim(number)))

        threads = [threading.Thread(target=finish, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert ends == [run]
        assert run.drain() == [run.terminal]
