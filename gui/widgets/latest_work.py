"""Work on a thread of its own, of which only the newest result matters: decoding, rasterizing, counting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr
from gui.widgets.thread_clock import ThreadClock

THREAD_NAME = "latest-work"


class _Outbox(QObject):
    """Carries answers to the GUI thread. A thread that still works keeps it alive when its owner is gone."""

    answered = Signal(int, object, object)


class LatestWork(QObject):
    """Runs one piece of work at a time in a thread of its own, which lives as long as there is work.

    A request that comes during another one waits, and replaces one that is already waiting: the newest wins. `done`
    carries what the newest work returned; answers to older requests are dropped. `failed` carries a sentence (Text).
    """

    done = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._generation = 0
        self._waiting: Callable[[], Any] | None = None
        self._working = False
        self.clock = ThreadClock()
        """That of the thread at work."""
        # One for all answers: an answer on its way would be lost if its sender were deleted.
        self._outbox = _Outbox()
        self._outbox.answered.connect(self._answered)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._working

    @property
    def waiting(self) -> bool:
        """Whether the newest request has not begun, because an older one is still at work."""
        return self._waiting is not None

    def request(self, work: Callable[[], Any]) -> None:
        """Run `work`, which must not touch a widget."""
        self._generation += 1
        self._waiting = work
        if not self._working:
            self._start()

    def forget(self) -> None:
        """Drop the answer to what was requested."""
        self._generation += 1
        self._waiting = None

    def abandon(self) -> None:
        """Leave the thread that works to itself, and wait for its answer no more: it may never come."""
        self.forget()
        self._leave()

    def skip(self) -> None:
        """Begin what waits, and leave the thread that works to itself."""
        self._leave()
        self._start()

    def _leave(self) -> None:
        self._working = False
        self._outbox = _Outbox()
        self._outbox.answered.connect(self._answered)

    def _start(self) -> None:
        work, self._waiting = self._waiting, None
        if work is None:
            return
        self._working = True
        self.clock = ThreadClock()
        arguments = (work, self._generation, self._outbox, self.clock)
        threading.Thread(target=_do, args=arguments, name=THREAD_NAME, daemon=True).start()

    def _answered(self, generation: int, answer: Any, sentence: Text) -> None:
        self._working = False
        if generation == self._generation:
            if sentence:
                self.failed.emit(sentence)
            else:
                self.done.emit(answer)
        self._start()


def _do(work: Callable[[], Any], generation: int, outbox: _Outbox, clock: ThreadClock) -> None:
    clock.start()
    try:
        answer, sentence = work(), EMPTY
    except TilescopeError as error:
        answer, sentence = None, error.text
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        answer, sentence = None, tr("This could not be drawn: {reason}", reason=reason)
    with suppress(RuntimeError):  # the program is ending, and Qt with it: nobody waits for the answer
        outbox.answered.emit(generation, answer, sentence)
