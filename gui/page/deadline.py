"""How long one waits for a file: until the thread that works on it has done nothing for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

if TYPE_CHECKING:
    from gui.widgets.thread_clock import ThreadClock

_LOOKS = 10
"""How often one looks at the thread until it is given up."""


class Deadline(QObject):
    """`expired` once a thread has used no processor time for so long: it waits for a disk or a network mount.

    The time of day alone does not say that: on a busy machine a file that was read at once may be parsed for many
    seconds. And a thread that waits for the GUI thread is idle while that one is at work, so one looks several times,
    from the GUI thread: a look that is late is still only one.
    """

    expired = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._clock: ThreadClock | None = None
        self._used_s = 0.0
        self._idle_looks = 0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)

    def start(self, within_ms: int, clock: ThreadClock) -> None:
        """Begin to wait for the thread of that clock."""
        self._clock, self._used_s, self._idle_looks = clock, 0.0, 0
        self._timer.start(within_ms // _LOOKS)

    def stop(self) -> None:
        self._timer.stop()

    def _look(self) -> None:
        assert self._clock is not None
        used_s = self._clock.used_s
        self._idle_looks = self._idle_looks + 1 if used_s == self._used_s else 0
        self._used_s = used_s
        if self._idle_looks >= _LOOKS:
            self._timer.stop()
            self.expired.emit()
