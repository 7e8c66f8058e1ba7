"""The line of the palette: what is typed stays in it, the keys that move and choose go to the palette."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit

from core.contracts.text import tr
from gui.translation import show_text

PAGE_ROWS = 10
_STEPS = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_PageUp: -PAGE_ROWS,
    Qt.Key.Key_PageDown: PAGE_ROWS,
}
_OWN = (*_STEPS, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab)


class Line(QLineEdit):
    """`stepped` carries rows down; `completed` is the Tab key. `left` says that the focus went elsewhere in the window,
    or to another one."""

    stepped = Signal(int)
    chosen = Signal()
    completed = Signal()
    dismissed = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "palette")
        show_text(self.setPlaceholderText, tr("Search pages, actions, parameters, questions, notes, files and runs"))
        show_text(self.setAccessibleName, tr("Command palette"))

    def event(self, event: QEvent) -> bool:
        """Qt offers a key to shortcuts first, and Tab to the focus: both belong to the palette here."""
        if isinstance(event, QKeyEvent) and Qt.Key(event.key()) in _OWN and not self._has_modifier(event):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self._act(Qt.Key(event.key()))
                return True
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() is not Qt.FocusReason.PopupFocusReason:  # its own context menu
            self.left.emit()

    def _act(self, key: Qt.Key) -> None:
        if key in _STEPS:
            self.stepped.emit(_STEPS[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit()
        elif key is Qt.Key.Key_Escape:
            self.dismissed.emit()
        elif key is Qt.Key.Key_Tab:
            self.completed.emit()

    def _has_modifier(self, event: QKeyEvent) -> bool:
        return bool(event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier)
