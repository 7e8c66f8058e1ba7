"""The control for a text of any length. Of a very long text only the beginning is shown, but all of it is kept."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, QObject, QSignalBlocker, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QGridLayout, QLabel, QPlainTextEdit, QPushButton, QWidget

from core.contracts.params import Scalar
from core.contracts.text import tr
from gui.page.form.field import Field
from gui.translation import show_text
from gui.zoom import Px

_SHOWN_UP_TO = 4_000
"""More characters than this are not laid out: 200,000 in one paragraph would block the window."""
_HEIGHT_PX = Px(62)
_REST_MS = 20


class _Editor(QPlainTextEdit):
    """Plain text. Its field sees what is pasted first."""

    def __init__(self, field: PassageField) -> None:
        super().__init__()
        self._field = field

    def insertFromMimeData(self, source: QMimeData) -> None:
        if not self._field.takes_paste(source.text()):
            super().insertFromMimeData(source)


class PassageField(Field):
    """Some lines of text below their label; what is typed takes effect at once.

    Of a text with more than _SHOWN_UP_TO characters the beginning is shown, read only, with the number of characters
    that follow. Such a text can be replaced by pasting, or cleared, but not edited.
    """

    def _body(self) -> QWidget:
        self._text = ""
        self.editor = _Editor(self)
        self.editor.setProperty("role", "passage")
        self.editor.setFixedHeight(_HEIGHT_PX)
        self.editor.setMinimumWidth(60)
        self.editor.setTabChangesFocus(True)
        self.editor.setUndoRedoEnabled(False)
        show_text(self.editor.setPlaceholderText, self.spec.if_empty)
        show_text(self.editor.setAccessibleName, self.spec.label)
        self.editor.installEventFilter(self)
        self.editor.textChanged.connect(self._typed)
        self._more = QLabel()
        self._more.setProperty("role", "small")
        self._more.setWordWrap(True)
        self.clear = QPushButton()
        show_text(self.clear.setText, tr("Clear"))
        self.clear.clicked.connect(lambda: self._take(""))
        # Keys typed faster than the window draws are one change.
        self._rest = QTimer(self, interval=_REST_MS, singleShot=True)
        self._rest.timeout.connect(lambda: self.edited.emit(self._text))
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.label, 0, 0)
        grid.addWidget(self.unit, 0, 1)
        grid.addWidget(self.editor, 1, 0, 1, 2)
        grid.addWidget(self._more, 2, 0)
        grid.addWidget(self.clear, 2, 1)
        grid.setColumnStretch(0, 1)
        self._show()
        return body

    def value(self) -> Scalar:
        return self._text

    def set_value(self, value: Scalar) -> None:
        self._rest.stop()
        self._text = str(value)
        self._show()

    def takes_paste(self, pasted: str) -> bool:
        """Take a paste that is too long to be edited here; False if it is short enough."""
        before = "" if self.editor.isReadOnly() else self.editor.toPlainText()
        if len(before) + len(pasted) <= _SHOWN_UP_TO and not self.editor.isReadOnly():
            return False
        cursor = self.editor.textCursor()
        start, end = (0, 0) if self.editor.isReadOnly() else (cursor.selectionStart(), cursor.selectionEnd())
        self._take(before[:start] + pasted + before[end:])
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ctrl+Z is the form's undo; a paste works although a long text is read only."""
        if isinstance(event, QKeyEvent):
            undo = any(event.matches(key) for key in (QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo))
            if event.type() == QEvent.Type.ShortcutOverride and undo:
                event.ignore()
                return True
            pastes = event.matches(QKeySequence.StandardKey.Paste) and self.editor.isReadOnly()
            if event.type() == QEvent.Type.KeyPress and pastes:
                self.takes_paste(QGuiApplication.clipboard().text())
                return True
        return super().eventFilter(watched, event)

    def _controls(self) -> list[QWidget]:
        return [self.editor]

    def _typed(self) -> None:
        self._text = self.editor.toPlainText()
        self._rest.start()

    def _take(self, text: str) -> None:
        self._rest.stop()
        self._text = text
        self._show()
        self.edited.emit(text)

    def _show(self) -> None:
        long = len(self._text) > _SHOWN_UP_TO
        shown = f"{self._text[:_SHOWN_UP_TO]}…" if long else self._text
        self.editor.setReadOnly(long)
        if self.editor.toPlainText() != shown:
            with QSignalBlocker(self.editor):
                self.editor.setPlainText(shown)
        hidden = len(self._text) - _SHOWN_UP_TO
        more = tr("and {count:,} more characters, which are kept. Paste to replace the text.", count=hidden)
        show_text(self._more.setText, more if long else "")
        self._more.setVisible(long)
        self.clear.setVisible(long)
