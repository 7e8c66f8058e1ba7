"""Turns a function that reports by callback into the generator that an experiment must be."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Generator
from time import monotonic
from typing import Generic, TypeVar

from core.contracts.events import Progress

T = TypeVar("T")
ProgressCallback = Callable[[float, float, str], None]
"""`progress(done, total, phase)`: says how far the work is; raises to stop it. Cheap, call it often."""

_TICKS_PER_S = 60


class _WorkAbandoned(BaseException):
    """Ends the work from inside its progress. Not an Exception: `except Exception` in the work must not swallow it."""


def stepwise(work: Callable[[ProgressCallback], T]) -> Generator[Progress, None, T]:
    """Run `work(progress)` in a thread and yield its ticks as Progress, the latest when they come too fast.

    Returns what `work` returns and raises what it raises. Closing the generator makes the next progress raise and
    waits for the thread, so that nothing of the work goes on afterwards. The work sees a copy of the caller's
    context variables; state that belongs to a thread (torch.no_grad, the current CUDA device) is its own to set.
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
    """A function in a thread of its own, and the latest of what it ticked."""

    def __init__(self, work: Callable[[ProgressCallback], T]) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._latest: Progress | None = None
        self._next_tick_at = 0.0
        self._over = False
        self._abandoned = False
        self._results: list[T] = []
        self._error: BaseException | None = None
        context = contextvars.copy_context()
        # A daemon: work that never ticks again must not keep the process alive.
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
        """Make the next progress raise, and wait until the work has ended."""
        self._abandoned = True
        self._thread.join()

    def _tick(self, done: float, total: float, phase: str) -> None:
        if self._abandoned:
            raise _WorkAbandoned
        now = monotonic()
        if now < self._next_tick_at and done < total:
            return
        self._next_tick_at = now + 1 / _TICKS_PER_S
        with self._changed:
            self._latest = Progress(done, total, phase)
            self._changed.notify()

    def _run(self) -> None:
        try:
            self._results.append(self._work(self._tick))
        except _WorkAbandoned:
            pass
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify()
