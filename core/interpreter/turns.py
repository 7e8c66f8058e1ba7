"""Runs functions in turns: one at a time, each until it waits for another or ends."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence

import torch

from core.trace.record import Fault

_LOOK_SECONDS = 0.2
"""How often the thread that started them looks whether it is asked to stop."""


class Deadlock(Exception):
    """All that have not ended wait: what each of them waits for."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.faults = faults


class _Stopped(BaseException):
    """Ends a function whose turn does not come again."""


class _Task:
    """A function with a thread of its own, which runs only while it has the turn."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function
        self.turn = threading.Semaphore(0)
        self.ended = False
        self.ready: Callable[[], bool] = lambda: True
        self.reason: Fault | None = None
        self.thread: threading.Thread | None = None


class Turns:
    """Functions that call `wait` for what another of them does. The first begins."""

    def __init__(self, functions: Sequence[Callable[[], None]]) -> None:
        self._tasks = [_Task(function) for function in functions]
        self._current = self._tasks[0]
        self._over = threading.Event()
        self._stopping = False
        self._failure: BaseException | None = None

    def run(self, look: Callable[[], None]) -> None:
        """Run all to their ends. Passes on what one of them raises, and what `look` raises to cancel them.

        Raises Deadlock if all that have not ended wait, with the reasons.
        """
        for task in self._tasks:
            task.thread = threading.Thread(
                target=contextvars.copy_context().run, args=(self._run, task), name="partition", daemon=True
            )
            task.thread.start()
        try:
            self._give(self._current)
            while not self._over.wait(_LOOK_SECONDS):
                look()
        finally:
            self._stopping = True
            for task in self._tasks:
                task.turn.release()
                if task.thread is not None:
                    task.thread.join()
        if self._failure is not None:
            raise self._failure

    def wait(self, ready: Callable[[], bool], reason: Fault) -> None:
        """Called by one of the functions: let the others run until `ready`."""
        task = self._current
        task.ready, task.reason = ready, reason
        self._pass_on(task)
        self._take(task)

    def _run(self, task: _Task) -> None:
        torch.set_num_threads(1)  # a setting of the thread
        try:
            self._take(task)
            task.function()
            task.ended = True
            self._pass_on(task)
        except _Stopped:
            pass
        except BaseException as error:
            self._failure = error
            self._over.set()

    def _take(self, task: _Task) -> None:
        task.turn.acquire()
        if self._stopping:
            raise _Stopped

    def _give(self, task: _Task) -> None:
        self._current = task
        task.turn.release()

    def _pass_on(self, task: _Task) -> None:
        """Give the turn to the next that can go on."""
        place = self._tasks.index(task)
        going = [other for other in (*self._tasks[place + 1 :], *self._tasks[: place + 1]) if not other.ended]
        for other in going:
            if other.ready():
                self._give(other)
                return
        if going:
            reasons = (other.reason for other in self._tasks if not other.ended and other.reason is not None)
            self._failure = Deadlock(tuple(reasons))
        self._over.set()
