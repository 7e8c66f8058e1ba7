"""When, and on which thread, Python collects garbage while there is a window."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QTimer

_EVERY_MS = 100
"""Short, so that each collection is short: after half a second of importing the engine, one takes 35 ms."""

_BURST = 100_000
"""So many new objects since the last look are data that a thread has read, such as the tensors of a checkpoint, and not
garbage. Looking through them takes up to a second; they stay uncollected, and go when nothing refers to them."""


@contextmanager
def collected_on_gui_thread() -> Iterator[None]:
    """While active, and while an event loop runs, garbage is collected on this thread only.

    Python collects on the thread that happens to allocate, which is mostly the engine's. A Qt object that is deleted on
    that thread while Qt uses it crashes the process.
    """
    was_enabled = gc.isenabled()
    timer = QTimer(interval=_EVERY_MS)
    timer.timeout.connect(_collect_what_is_due)
    gc.disable()
    timer.start()
    try:
        yield
    finally:
        timer.stop()
        if was_enabled:
            gc.enable()


def _collect_what_is_due() -> None:
    """Collect the oldest generation that Python itself would collect now, and with it the younger ones."""
    if gc.get_count()[0] > _BURST:
        gc.freeze()
        return
    for generation, (count, limit) in reversed(list(enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True)))):
        if count > limit:
            gc.collect(generation)
            return
