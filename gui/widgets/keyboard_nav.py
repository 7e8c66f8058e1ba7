"""The arrows as steps over rows and columns: for pictures that keep them while they have the focus.

A picture of one canvas asks `STEPS` and `keeps_arrows`; one made of several widgets stands in an `ArrowPad`.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QWidget

from core.contracts.text import Text
from gui.translation import show_text

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


class ArrowPad(QWidget):
    """Holds the parts of a picture and has the focus for all of them.

    `walk(rows down, columns right)` is called for an arrow; it returns False for one that means nothing here.
    `focus_changed` is for the view that draws the focus.
    """

    focus_changed = Signal()

    def __init__(self, name: Text | str, walk: Callable[[int, int], object]) -> None:
        super().__init__()
        self._walk = walk
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = STEPS.get(Qt.Key(event.key()))
        if step is None or self._walk(*step) is False:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.focus_changed.emit()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.focus_changed.emit()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
