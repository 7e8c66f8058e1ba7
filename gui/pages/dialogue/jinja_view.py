"""The source of a chat template: what wrote the selected token, how many tokens each line wrote, and its error."""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QMouseEvent, QShowEvent, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from core.contracts.text import tr
from gui import theme as themes
from gui.theme import mix
from gui.translation import show_text
from gui.widgets.code_view import CodeView

_REST_MS = 0
"""Keys that wait while the window draws are one change."""
Range = tuple[int, int]


class JinjaView(CodeView):
    """Read-only unless `set_editable`. `position_picked` carries the character of the source that was clicked, `typed`
    the text shortly after the last key. Ranges count characters as Python does."""

    position_picked = Signal(int)
    typed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._range: Range | None = None
        self._error: int | None = None
        self._takes = False
        self.source = ""
        super().__init__("", language="jinja", parent=parent, is_cleaned=False)
        self.setUndoRedoEnabled(False)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        show_text(self.setAccessibleName, tr("Source of the template"))
        self._rest = QTimer(self, interval=_REST_MS, singleShot=True)
        self._rest.timeout.connect(self._tell)
        self.document().contentsChanged.connect(self._on_changed)

    def set_source(self, source: str, *, is_echo: bool = False) -> None:
        """Show another template. `is_echo`: it is what was typed here, and what was typed since stays."""
        self._range = None if source != self.source else self._range
        self.source = source
        if is_echo or self.toPlainText() == source:
            return
        self._rest.stop()
        position = self.textCursor().position()
        self._takes = True
        self.setPlainText(source)
        self._takes = False
        cursor = self.textCursor()
        cursor.setPosition(min(position, self.document().characterCount() - 1))
        self.setTextCursor(cursor)

    def set_editable(self, on: bool) -> None:
        self.setReadOnly(not on)

    def set_range(self, start: int, end: int) -> None:
        """Highlight the characters [start, end) and bring them into view; an empty range removes the highlight. Emits
        no signal."""
        wanted = (start, end) if 0 <= start < end else None
        if wanted == self._range:
            return
        self._range = wanted
        self._highlight()
        if not self.hasFocus():
            self._go_to_range()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._go_to_range()

    def _go_to_range(self) -> None:
        if self._range is not None:
            cursor = self._cursor(*self._range)
            cursor.setPosition(cursor.selectionStart())
            self.setTextCursor(cursor)
            self.centerCursor()

    def set_error(self, line: int | None) -> None:
        """Mark the line that does not compile or failed."""
        if line != self._error:
            self._error = line
            self._highlight()

    def set_counts(self, template_start: NDArray[np.integer]) -> None:
        """Write beside each line how many tokens it wrote, from the first character of the template that wrote each
        token, -1 where that is unknown."""
        starts = line_starts(self.source)
        known = template_start[template_start >= 0]
        lines = np.searchsorted(starts, known, side="right")
        numbers, counts = np.unique(lines, return_counts=True)
        notes = dict(zip(numbers.tolist(), (f"{count:,}" for count in counts.tolist()), strict=True))
        if notes != self._annotations:
            self.set_annotations(notes)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if not self.textCursor().hasSelection():
            position = self.cursorForPosition(event.position().toPoint()).position()
            self.position_picked.emit(_python_offset(self.toPlainText(), position))

    def event(self, event: QEvent) -> bool:
        """Ctrl+Z is the form's undo."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            keys = QKeySequence.StandardKey
            if event.matches(keys.Undo) or event.matches(keys.Redo):
                if self._rest.isActive():
                    self._tell()
                event.ignore()
                return True
        return super().event(event)

    def _line_colours(self) -> list[tuple[int, str]]:
        """The broken line alone: a click selects a place, and no line."""
        theme = themes.current()
        return [] if self._error is None else [(self._error, mix(theme.surface, theme.bad, 0.30))]

    def _highlight(self) -> None:
        super()._highlight()
        if self._range is None:
            return
        theme = themes.current()
        selection = QTextEdit.ExtraSelection()
        selection.format.setBackground(QColor(mix(theme.sunken, theme.accent, 0.45)))
        selection.cursor = self._cursor(*self._range)
        self.setExtraSelections([*self.extraSelections(), selection])

    def _cursor(self, start: int, end: int) -> QTextCursor:
        cursor = QTextCursor(self.document())
        last = self.document().characterCount() - 1
        cursor.setPosition(min(last, _qt_offset(self.source, start)))
        cursor.setPosition(min(last, _qt_offset(self.source, end)), QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def _on_changed(self) -> None:
        if not self._takes and not self.isReadOnly() and self.toPlainText() != self.source:
            self._rest.start()

    def _tell(self) -> None:
        self._rest.stop()
        self.source = self.toPlainText()
        self.typed.emit(self.source)


def line_starts(source: str) -> list[int]:
    """The first character of each line."""
    starts = [0]
    while (end := source.find("\n", starts[-1])) >= 0:
        starts.append(end + 1)
    return starts


def line_of(source: str, character: int) -> int:
    """The line of a character, from 1."""
    return bisect.bisect_right(line_starts(source), character)


def _qt_offset(text: str, characters: int) -> int:
    """Qt counts characters beyond U+FFFF as two."""
    return len(text[:characters].encode("utf-16-le", "surrogatepass")) // 2


def _python_offset(text: str, units: int) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "ignore"))
