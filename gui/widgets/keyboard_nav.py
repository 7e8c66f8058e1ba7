"""Arrow keys as steps over rows and columns, for pictures that use them while they have the focus.

A picture that is one canvas uses `STEPS` and `keeps_arrows`; one made of several widgets is placed in an `ArrowPad`.
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
PICKS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
"""The keys that pick what the arrows have reached, as a click does: Return, and Enter beside the digits."""


def keeps_arrows(event: QEvent) -> bool:
    """Claim the arrow keys for the focused picture: accept the event by which Qt offers them, if it is one.

    Where nothing claims them, Left and Right step the player of the page.
    """
    is_plain_key = (
        event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and not event.modifiers()
    )
    if not is_plain_key or Qt.Key(event.key()) not in STEPS:  # type: ignore[attr-defined]
        return False
    event.accept()
    return True


class ArrowPad(QWidget):
    """Holds the parts of a picture, and takes the focus for all of them.

    `walk(rows down, columns right)` is called for an arrow; it returns False for one that it does not use.
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
