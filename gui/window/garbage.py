"""When and where Python looks for garbage while there is a window."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QTimer

_EVERY_MS = 100
"""Often enough that little has come together: while the engine is imported, half a second's objects take 35 ms."""


@contextmanager
def collected_on_gui_thread() -> Iterator[None]:
    """While inside, and while there is an event loop, garbage is collected on this thread only.

    Python collects on whatever thread happens to allocate, which is mostly the engine's, and a Qt object that dies
    there while Qt is busy with it crashes the process.
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
    """The oldest generation that Python itself would collect by now, and with it the younger ones."""
    for generation, (count, limit) in reversed(list(enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True)))):
        if count > limit:
            gc.collect(generation)
            return
