"""The arrows as steps over rows and columns, for pictures that keep them while they have the focus."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}
"""(rows down, columns right) by key."""


def keeps_arrows(event: QEvent) -> bool:
    """Accepts an event that asks whether the arrows are the focused picture's, and says whether it was one.

    Elsewhere Left and Right step through what is played.
    """
    asks = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and not event.modifiers()
    if not asks or Qt.Key(event.key()) not in STEPS:  # type: ignore[attr-defined]
        return False
    event.accept()
    return True
