"""Work that opens files, beside the GUI thread and with a deadline: a disk or a network mount may never answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from gui.page.deadline import Deadline
from gui.widgets.latest_work import LatestWork

DEADLINE_MS = 10_000


class FileWork(QObject):
    """Only the newest request matters. `on_error` gets what the work raised, or that it took too long."""

    def __init__(self, on_error: Callable[[Exception], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._on_error = on_error
        self._on_done: Callable[[Any], None] | None = None
        self._work = LatestWork(self)
        self._work.done.connect(self._finish)
        self._deadline = Deadline(self)
        self._deadline.expired.connect(self._give_up)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._work.busy

    def read(self, work: Callable[[], Any], on_done: Callable[[Any], None]) -> None:
        """Have `work` done in a thread, and give what it returns to `on_done`, here. It must touch no widget."""
        self._on_done = on_done
        self._work.request(lambda: _outcome(work))
        self._wait()

    def forget(self) -> None:
        """Drop the answer to what was requested."""
        self._deadline.stop()
        self._work.forget()

    def _wait(self) -> None:
        self._deadline.start(DEADLINE_MS, self._work.clock)

    def _finish(self, outcome: tuple[Any, Exception | None]) -> None:
        self._deadline.stop()
        value, error = outcome
        if error is not None:
            self._on_error(error)
        elif self._on_done is not None:
            self._on_done(value)

    def _give_up(self) -> None:
        if self._work.waiting:  # an older file does not answer: that says nothing about this one
            self._work.skip()
            self._wait()
            return
        self._work.abandon()
        seconds = DEADLINE_MS // 1000
        self._on_error(
            TilescopeError(
                tr(
                    "The file has not answered for {seconds} s: check the disk or the network that it is on, or choose "
                    "another.",
                    seconds=seconds,
                )
            )
        )


def telling(tell: Callable[[Text], object]) -> Callable[[Exception], None]:
    """An `on_error` that gives `tell` the sentence of a TilescopeError. Any other error is raised: errors that a slot
    raises reach the banner of the page."""

    def on_error(error: Exception) -> None:
        if not isinstance(error, TilescopeError):
            raise error
        tell(error.text)

    return on_error


def _outcome(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except Exception as error:
        return None, error
