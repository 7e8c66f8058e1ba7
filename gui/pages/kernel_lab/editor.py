"""An editor for a source file that shows the traffic per line: bytes in the gutter, heat behind, faults in red."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QWidget

from core.contracts.text import tr
from gui import theme
from gui.translation import show_text
from gui.widgets.code_view import CodeView

_INDENT = 4
_LEAVES = (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
"""With Ctrl they leave the editor: without it, Tab indents."""
_HOTTEST = 0.34
"""Share of the heat colour behind the line that moves the most bytes."""


@dataclass(frozen=True)
class LineNotes:
    """By line number: a short text for the gutter, heat from 0 to 1, and the fault sentence."""

    texts: Mapping[int, str] = field(default_factory=dict)
    heat: Mapping[int, float] = field(default_factory=dict)
    faults: Mapping[int, str] = field(default_factory=dict)


class CodeEditor(CodeView):
    """A code editor, read-only unless `editable`. It emits `save_requested` on Ctrl+S; its owner saves the file.

    Notes move with their lines when text above them is inserted or deleted.
    """

    save_requested = Signal()

    def __init__(self, text: str, first_line: int = 1, *, editable: bool = True, parent: QWidget | None = None) -> None:
        self._notes = LineNotes()
        self._blocks = text.count("\n") + 1
        super().__init__(text, first_line, "python", parent, is_cleaned=not editable)
        self.setReadOnly(not editable)
        if editable:
            show_text(self.setAccessibleDescription, tr("Tab indents; Ctrl+Tab leaves the editor."))
        self.setTextInteractionFlags(
            self.textInteractionFlags() | Qt.TextInteractionFlag.TextSelectableByKeyboard  # a movable cursor
        )
        self.setTabStopDistance(_INDENT * self.fontMetrics().horizontalAdvance(" "))
        self.document().setModified(False)
        self._blocks = self.blockCount()
        self.document().contentsChange.connect(self._move_notes)

    @property
    def notes(self) -> LineNotes:
        return self._notes

    def set_notes(self, notes: LineNotes) -> None:
        """Replace the notes."""
        self._notes = notes
        self.set_annotations(notes.texts)
        self._highlight()

    def bring_into_view(self, first: int, last: int) -> None:
        """Scroll so that these lines are visible, or the first of them if they do not all fit."""
        fitting = max(1, self.viewport().height() // max(1, self.fontMetrics().lineSpacing()))
        spare = fitting - (last - first + 1)
        above = spare // 2 if spare > 0 else 2
        self.verticalScrollBar().setValue(max(0, first - self._first_line - above))

    def event(self, event: QEvent) -> bool:
        """Take Ctrl+S from the window while the editor has the focus, and show fault tooltips."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _saves(event):
            event.accept()
            return True
        if isinstance(event, QHelpEvent):
            block = self.cursorForPosition(self.viewport().mapFromGlobal(event.globalPos())).blockNumber()
            show_text(self.setToolTip, self._notes.faults.get(self._first_line + block, ""))
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if _saves(event):
            self.save_requested.emit()
        elif event.key() in _LEAVES and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._leave(is_forward=event.key() == Qt.Key.Key_Tab)
        elif self.isReadOnly() or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Tab:
            column = self.textCursor().positionInBlock()
            self.insertPlainText(" " * (_INDENT - column % _INDENT))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._break_line()
        else:
            super().keyPressEvent(event)

    def _leave(self, *, is_forward: bool) -> None:
        self.setTabChangesFocus(True)  # without it, Qt refuses to move the focus
        self.focusNextPrevChild(is_forward)
        self.setTabChangesFocus(False)

    def _break_line(self) -> None:
        """Keep the indentation of the previous line, one step deeper after a colon."""
        cursor = self.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        indent = len(before) - len(before.lstrip(" "))
        self.insertPlainText("\n" + " " * (indent + (_INDENT if before.rstrip().endswith(":") else 0)))
        self.ensureCursorVisible()

    def _move_notes(self, position: int, _removed: int, _added: int) -> None:
        delta, self._blocks = self.blockCount() - self._blocks, self.blockCount()
        if not delta:
            return
        edited = self._first_line + self.document().findBlock(position).blockNumber()

        def moved(by_line: Mapping[int, object]) -> dict[int, object]:
            return {line + delta if line > edited else line: note for line, note in by_line.items()}

        notes = self._notes
        self.set_notes(LineNotes(moved(notes.texts), moved(notes.heat), moved(notes.faults)))  # type: ignore[arg-type]

    def _line_colours(self) -> list[tuple[int, str]]:
        """Heat and faults, with the picked line on top."""
        colours = theme.current()
        background, hot, bad = colours.sunken, colours.warn, colours.bad
        heat = [(line, theme.mix(background, hot, _HOTTEST * share)) for line, share in self._notes.heat.items()]
        faults = [(line, theme.mix(background, bad, 0.4)) for line in self._notes.faults]
        return [*heat, *faults, *super()._line_colours()]


def _saves(event: QKeyEvent) -> bool:
    return event.matches(QKeySequence.StandardKey.Save)
