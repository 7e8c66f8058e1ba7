"""The focus of a picture that is made of several widgets, and the arrows that walk over it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QWidget

from gui.widgets.arrow_keys import STEPS, keeps_arrows


class ArrowPad(QWidget):
    """Holds the parts of a picture and has the focus for all of them.

    `walk(rows down, columns right)` is called for an arrow; it returns False for one that means nothing here.
    `focus_changed` is for whoever draws where the focus is.
    """

    focus_changed = Signal()

    def __init__(self, name: str, walk: Callable[[int, int], object]) -> None:
        super().__init__()
        self._walk = walk
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(name)

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
