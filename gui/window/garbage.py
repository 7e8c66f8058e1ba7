"""When, and on which thread, Python collects garbage while there is a window."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QTimer

_EVERY_MS = 100
"""Short, so that each collection is short: after half a second of importing the engine, one takes 35 ms."""

_BURST = 100_000
"""So many new objects are data that a thread has read, such as the tensors of a checkpoint, and not garbage. Looking
through them takes up to a second; they stay uncollected, and go when nothing refers to them."""


@contextmanager
def collected_on_gui_thread() -> Iterator[None]:
    """While active, and while an event loop runs, garbage is collected on this thread only.

    Python collects on the thread that happens to allocate, which is mostly the engine's. A Qt object that is deleted on
    that thread while Qt uses it crashes the process.
    """
    was_enabled = gc.isenabled()
    timer, collector = QTimer(interval=_EVERY_MS), _Collector()
    timer.timeout.connect(collector.collect_what_is_due)
    gc.disable()
    timer.start()
    try:
        yield
    finally:
        timer.stop()
        if was_enabled:
            gc.enable()


class _Collector:
    """Collects what Python itself would collect now, except bursts of data."""

    def __init__(self) -> None:
        self._new_objects = [0, 0, 0]  # per generation, at most: since it was collected, so they are looked through

    def collect_what_is_due(self) -> None:
        """Collect the oldest generation that Python itself would collect now, and with it the younger ones."""
        counts = gc.get_count()
        due = [generation for generation, limit in enumerate(gc.get_threshold()) if counts[generation] > limit]
        if not due:
            return
        self._new_objects = [new + counts[0] for new in self._new_objects]
        oldest = due[-1]
        if self._new_objects[oldest] > _BURST:
            gc.freeze()
            self._new_objects = [0, 0, 0]
        else:
            gc.collect(oldest)
            self._new_objects[: oldest + 1] = [0] * (oldest + 1)
