"""Turns a function that reports its progress by callback into a generator, as an experiment must be."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Generator
from time import monotonic
from typing import Generic, TypeVar

from core.contracts.events import Progress
from core.contracts.text import Text, as_text

T = TypeVar("T")
ProgressCallback = Callable[[float, float, Text], None]
"""`progress(done, total, phase)` reports how far the work is, and raises to stop it. It is cheap: call it often."""

_REPORTS_PER_S = 60


class _WorkAbandoned(BaseException):
    """Raised by `progress` to end the work. Not an Exception, so that `except Exception` in the work misses it."""


def stepwise(work: Callable[[ProgressCallback], T]) -> Generator[Progress, None, T]:
    """Run `work(progress)` in a thread and yield its reports as Progress: only the latest where they are too frequent.

    Returns what `work` returns and raises what it raises. Closing the generator makes the next call of `progress` raise
    and waits for the thread, so that no work continues afterwards. The work sees a copy of the caller's context
    variables; it has to set state that belongs to a thread (torch.no_grad, the current CUDA device) itself.
    """
    worker = _Work(work)
    worker.start()
    try:
        while (event := worker.next_progress()) is not None:
            yield event
        return worker.outcome()
    finally:
        worker.abandon()


class _Work(Generic[T]):
    """A function in its own thread, and the latest progress that it reported."""

    def __init__(self, work: Callable[[ProgressCallback], T]) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._latest: Progress | None = None
        self._next_report_at = 0.0
        self._over = False
        self._abandoned = False
        self._results: list[T] = []
        self._error: BaseException | None = None
        context = contextvars.copy_context()
        # A daemon, so that work that never reports again does not keep the process alive.
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="stepwise", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next_progress(self) -> Progress | None:
        """Wait for the next progress; None when the work is over."""
        with self._changed:
            while self._latest is None and not self._over:
                self._changed.wait()
            event, self._latest = self._latest, None
            return event

    def outcome(self) -> T:
        """What the work returned; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def abandon(self) -> None:
        """Make the next report raise, and wait until the work has ended."""
        self._abandoned = True
        self._thread.join()

    def _report(self, done: float, total: float, phase: Text) -> None:
        if self._abandoned:
            raise _WorkAbandoned
        now = monotonic()
        if now < self._next_report_at and done < total:
            return
        self._next_report_at = now + 1 / _REPORTS_PER_S
        with self._changed:
            self._latest = Progress(done, total, as_text(phase))
            self._changed.notify()

    def _run(self) -> None:
        try:
            self._results.append(self._work(self._report))
        except _WorkAbandoned:
            pass
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify()
