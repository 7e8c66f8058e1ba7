"""How much processor time a thread has used: one that waits for a disk uses none."""

from __future__ import annotations

import threading
import time


class ThreadClock:
    """Started in its thread, and read in any."""

    def __init__(self) -> None:
        self._clock: int | None = None

    def start(self) -> None:
        """To be called in the thread. The system then answers for it even when it is gone."""
        if hasattr(time, "pthread_getcpuclockid"):  # not on Windows and macOS
            self._clock = time.pthread_getcpuclockid(threading.get_ident())

    @property
    def used_s(self) -> float:
        """0 before the start, after the end, and where the system does not say."""
        try:
            return 0.0 if self._clock is None else time.clock_gettime(self._clock)
        except OSError:
            return 0.0
