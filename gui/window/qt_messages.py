"""Filters the messages that Qt prints to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QMessageLogContext, QtMsgType, qFormatLogMessage, qInstallMessageHandler

_SIZE_HINTS = "This plugin does not support propagateSizeHints()"
"""Printed for every window without a display, where its size cannot be changed anyway."""


@contextmanager
def size_hint_warnings_dropped() -> Iterator[None]:
    """While active, Qt's warning that a window without a display has no size hints is dropped, and no other message."""
    previous: Callable[[QtMsgType, QMessageLogContext, str], object] | None = None

    def handle(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
        if message == _SIZE_HINTS:
            return
        if previous is not None:
            previous(kind, context, message)
        else:
            print(qFormatLogMessage(kind, context, message), file=sys.stderr)

    previous = qInstallMessageHandler(handle)
    try:
        yield
    finally:
        qInstallMessageHandler(previous)
