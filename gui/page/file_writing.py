"""Files that the user saves, written beside the GUI thread and with a deadline: a network folder may never answer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from gui.page.deadline import Deadline
from gui.widgets.thread_clock import ThreadClock

DEADLINE_MS = 10_000
THREAD_NAME = "file-writing"


class _Outbox(QObject):
    """Carries an answer to the GUI thread. A thread that still writes keeps it alive when its owner is gone."""

    answered = Signal(object, object)


@dataclass(frozen=True)
class _Request:
    file: str
    work: Callable[[], Any]
    on_done: Callable[[Any], None]


def _raise(error: Exception) -> None:
    """Errors that a slot raises reach the banner of the page."""
    raise error


class FileWriter(QObject):
    """Writes one file after the other, each in a daemon thread. `on_error` gets what the work raised, or that it took
    too long; a thread that does not answer is then left to itself, and holds up neither the next file nor quitting."""

    def __init__(self, parent: QObject | None = None, on_error: Callable[[Exception], None] = _raise) -> None:
        super().__init__(parent)
        self._on_error = on_error
        self._waiting: deque[_Request] = deque()
        self._current: _Request | None = None
        self._outbox = _Outbox()
        self._deadline = Deadline(self)
        self._deadline.expired.connect(self._give_up)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._current is not None

    def write(
        self, path: Path | str, work: Callable[[], Any], on_done: Callable[[Any], None] = lambda _value: None
    ) -> None:
        """Have `work`, which writes `path` and touches no widget, done in a thread. What it returns goes to `on_done`,
        here."""
        self._waiting.append(_Request(Path(path).name or str(path), work, on_done))
        self._start()

    def _start(self) -> None:
        if self._current is not None or not self._waiting:
            return
        self._current = self._waiting.popleft()
        self._outbox = _Outbox()
        self._outbox.answered.connect(self._finish)
        clock = ThreadClock()
        self._deadline.start(DEADLINE_MS, clock)
        arguments = (self._current.work, self._outbox, clock)
        threading.Thread(target=_do, args=arguments, name=THREAD_NAME, daemon=True).start()

    def _finish(self, value: Any, error: Exception | None) -> None:
        request = self._next()
        if error is not None:
            self._on_error(error)
        else:
            request.on_done(value)

    def _give_up(self) -> None:
        self._outbox.answered.disconnect(self._finish)
        self._on_error(
            TilescopeError(
                tr(
                    "{file} could not be written within {seconds} s: check the disk or the network that it is on, or "
                    "save it elsewhere.",
                    file=self._next().file,
                    seconds=DEADLINE_MS // 1000,
                )
            )
        )

    def _next(self) -> _Request:
        """Begin what waits; returns what has ended."""
        request, self._current = self._current, None
        assert request is not None
        self._deadline.stop()
        self._start()
        return request


def finish_writing(timeout_s: float) -> None:
    """Let files that are being written get whole before the program ends, for so long at most."""
    deadline = time.monotonic() + timeout_s
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join(max(0.0, deadline - time.monotonic()))


def _do(work: Callable[[], Any], outbox: _Outbox, clock: ThreadClock) -> None:
    clock.start()
    value, caught = None, None
    try:
        value = work()
    except Exception as error:
        caught = error
    outbox.answered.emit(value, caught)
