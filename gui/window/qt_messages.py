"""What Qt says on stderr, without what tells the user nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QMessageLogContext, QtMsgType, qFormatLogMessage, qInstallMessageHandler

_SIZE_HINTS = "This plugin does not support propagateSizeHints()"
"""Printed for every window without a display, where nobody can change its size anyway."""


@contextmanager
def size_hint_warnings_dropped() -> Iterator[None]:
    """While inside, Qt does not say that a window without a display has no size hints. All else is passed on."""
    before: Callable[[QtMsgType, QMessageLogContext, str], object] | None = None

    def hear(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
        if message == _SIZE_HINTS:
            return
        if before is not None:
            before(kind, context, message)
        else:
            print(qFormatLogMessage(kind, context, message), file=sys.stderr)

    before = qInstallMessageHandler(hear)
    try:
        yield
    finally:
        qInstallMessageHandler(before)
