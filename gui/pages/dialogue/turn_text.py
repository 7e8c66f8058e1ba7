"""The control in which the text of one turn is edited in its place."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from core.contracts.text import tr
from gui.translation import show_text

_REST_MS = 0
"""Keys that wait while the window draws are one change."""


class TurnText(QPlainTextEdit):
    """The text of one part. `rested` carries it shortly after the last key."""

    rested = Signal(str)
    add_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "passage")
        self.setUndoRedoEnabled(False)
        show_text(self.setAccessibleName, tr("Text of the turn"))
        self.document().setDocumentMargin(2)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._takes = False
        self._rest = QTimer(self, interval=_REST_MS, singleShot=True)
        self._rest.timeout.connect(lambda: self.rested.emit(self.toPlainText()))
        self.textChanged.connect(lambda: None if self._takes else self._rest.start())

    def take(self, text: str) -> None:
        """Show another text, with the cursor where it was; emits nothing."""
        self._rest.stop()
        cursor = self.textCursor()
        position = cursor.position()
        self._takes = True
        self.setPlainText(text)
        self._takes = False
        cursor = self.textCursor()
        cursor.setPosition(min(position, len(self.toPlainText())))
        self.setTextCursor(cursor)

    def flush(self) -> None:
        """Emit what waits."""
        if self._rest.isActive():
            self._rest.stop()
            self.rested.emit(self.toPlainText())

    def event(self, event: QEvent) -> bool:
        """Ctrl+Z is the form's undo."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            keys = QKeySequence.StandardKey
            if event.matches(keys.Undo) or event.matches(keys.Redo):
                self.flush()
                event.ignore()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_return = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_return and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.flush()
            self.add_requested.emit()
            return
        super().keyPressEvent(event)
