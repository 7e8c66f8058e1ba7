"""Programs one after the other, except that others go on while one waits for a change in memory.

A program that waits keeps the stack of its loops, so each has a thread. Only one thread runs at a time: it passes the
turn on when its program waits, and when it finds no more programs. That is one of the orders that a GPU may choose.
"""

from __future__ import annotations

import _thread
import contextvars
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.changes import Changes
from core.interpreter.stuck import stopped, waits_forever
from core.interpreter.waiting import Waiting

_MOST_WAITING = 4096
"""Threads. An H100 holds 4,224 programs at most."""


class _Stopped(BaseException):
    """Ends a program whose turn does not come again."""


@dataclass
class _Waiter:
    """`waiting` is None for a program that waits for time to pass. `seen` is the number of the last change that it
    knows, `addresses` are those that it asks for (None: any)."""

    waiting: Waiting | None
    seen: int
    addresses: Sequence[int] | None = None
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


class ProgramTurns:
    """Runs `execute` for the numbers 0 to `count` - 1, in order."""

    def __init__(self, count: int, execute: Callable[[int], None], changes: Changes) -> None:
        self._count = count
        self._next = 0
        self._execute = execute
        self._changes = changes
        self._waiters: list[_Waiter] = []
        self._threads = 0
        self._over = threading.Semaphore(0)
        self._ended = threading.Semaphore(0)
        self._stopping = False
        self._failure: BaseException | None = None
        self._is_inference = torch.is_inference_mode_enabled()
        self._has_grad = torch.is_grad_enabled()

    def run(self) -> None:
        """Raises what a program raises, and NoProgress if all that have not ended wait."""
        with suppress(_Stopped):
            self._work()
        self._over.acquire()
        for _ in range(self._threads):
            self._ended.acquire()
        if self._failure is not None:
            raise self._failure

    def wait(self, waiting: Waiting, addresses: Sequence[int] | None) -> None:
        """Called by a program. Returns when another one has changed memory at the addresses (None: anywhere)."""
        self._let_others(_Waiter(waiting, self._changes.count, addresses))

    def give_way(self) -> None:
        """Called by a program that waits for time to pass: let others go on first."""
        self._let_others(_Waiter(None, 0))

    def _let_others(self, waiter: _Waiter) -> None:
        self._waiters.append(waiter)
        self._pass_on()
        waiter.turn.acquire()
        if self._stopping:
            raise _Stopped

    def _work(self) -> None:
        """Run programs until there are no more, or one fails."""
        try:
            while self._next < self._count and not self._stopping:
                number, self._next = self._next, self._next + 1
                self._execute(number)
            self._pass_on()
        except _Stopped:
            raise
        except BaseException as error:
            self._finish(error)

    def _pass_on(self) -> None:
        """Give the turn to a program that can go on, or to a new one."""
        since = self._changes.since
        ready = next((each for each in self._waiters if each.waiting and since(each.seen, each.addresses)), None)
        if ready is None and self._next < self._count:
            self._start()
            return
        ready = ready or next((each for each in self._waiters if each.waiting is None), None)
        if ready is not None:
            self._waiters.remove(ready)
            ready.turn.release()
        elif self._waiters:
            self._finish(self._stuck())
        else:
            self._finish(None)

    def _start(self) -> None:
        """Go on with the next programs in another thread, outside what modes that dispatch see."""
        if self._threads >= _MOST_WAITING:
            self._finish(
                TilescopeError(
                    tr("More than {count:,} programs wait at once: launch fewer programs.", count=_MOST_WAITING)
                )
            )
            return
        self._threads += 1  # before the start, since the thread may count the next one
        try:
            _thread.start_new_thread(contextvars.copy_context().run, (self._thread,))
        except RuntimeError:
            self._threads -= 1
            self._finish(
                TilescopeError(
                    tr(
                        "Each program that waits needs a thread, and the system starts no more threads: launch fewer "
                        "programs, or raise the limit on processes (ulimit -u)."
                    )
                )
            )

    def _thread(self) -> None:
        try:
            torch.set_num_threads(1)  # a setting of the thread, as the two below
            with torch.inference_mode(self._is_inference), torch.set_grad_enabled(self._has_grad), suppress(_Stopped):
                self._work()
        finally:
            self._ended.release()

    def _stuck(self) -> BaseException:
        """What ends programs that all wait."""
        waiting = sorted((each.waiting for each in self._waiters if each.waiting), key=lambda each: each.program)
        try:
            return stopped(waiting[0].frame.run, waits_forever(waiting))
        except BaseException as error:
            return error

    def _finish(self, failure: BaseException | None) -> None:
        self._failure = self._failure or failure
        self._stopping = True
        for waiter in self._waiters:
            waiter.turn.release()
        self._over.release()
