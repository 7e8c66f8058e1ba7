"""The turns of a conversation as a list: role, text, and how much of each is learned. A text is edited in its place."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemDelegate, QAbstractItemView, QFrame, QListView, QWidget

from core.contracts.text import tr
from gui.pages.dialogue.turn_delegate import TurnDelegate
from gui.pages.dialogue.turn_model import TurnModel
from gui.pages.dialogue.turn_parts import Kind, Part
from gui.pages.dialogue.turn_text import TurnText
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of

HELP = tr(
    "Enter: edit · Insert: add a turn · Delete: remove · Alt+Up, Alt+Down: move · R: role · T: tool call · "
    "Ctrl+V: paste a conversation as JSON"
)


class TurnList(QListView):
    """`typed` carries (Part, text) while a text is edited, `picked` the Part that the user went to; the other signals
    ask for an edit of the current part."""

    typed = Signal(object, str)
    picked = Signal(object)
    add_requested = Signal()
    remove_requested = Signal()
    move_requested = Signal(int)
    role_requested = Signal()
    call_requested = Signal()
    copy_requested = Signal()
    paste_requested = Signal()
    editing_ended = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.turns = TurnModel()
        self.counts: tuple[tuple[int, int], ...] = ()
        """(tokens, targets) of each message."""
        self._selects = False
        self.setModel(self.turns)
        self.setItemDelegate(TurnDelegate(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed | triggers.SelectedClicked)
        self.verticalScrollBar().setSingleStep(18)
        show_text(self.setAccessibleName, tr("Turns of the conversation"))
        show_text(self.setToolTip, HELP)
        self.selectionModel().currentChanged.connect(self._on_current)

    def data_table(self) -> DataTable | None:
        """One row per line of the list."""
        parts = self.turns.parts
        return table_of(
            {
                "message": [part.message for part in parts],
                "kind": [part.kind.name.lower() for part in parts],
                "role": [part.role for part in parts],
                "text": [part.text for part in parts],
            }
        )

    @property
    def current(self) -> Part | None:
        row = self.currentIndex().row()
        return self.turns.parts[row] if 0 <= row < len(self.turns.parts) else None

    @property
    def editing(self) -> Part | None:
        """The part whose text is edited now."""
        return None if self.editor is None else self.current

    @property
    def editor(self) -> TurnText | None:
        """The control of the text that is edited now."""
        return next((editor for editor in self.viewport().findChildren(TurnText) if not editor.isHidden()), None)

    def set_parts(self, parts: Sequence[Part], *, is_echo: bool) -> None:
        """Show these parts. `is_echo` says that they are what was typed here: the text that is edited, which may be
        ahead, is then left alone."""
        if tuple(parts) == self.turns.parts:
            return
        place = None if self.current is None else self.current.place
        self.turns.set_parts(parts)
        if self.current is None and place is not None:
            self.go_to(place)
        editor, part = self.editor, self.editing
        if editor is not None and part is not None and not is_echo and editor.toPlainText() != part.text:
            editor.take(part.text)
        if editor is not None:
            self.fit_editor()

    def fit_editor(self) -> None:
        """Give the row of the open editor, and then the editor, the height that its text needs."""
        self.scheduleDelayedItemsLayout()
        self.executeDelayedItemsLayout()
        self.updateEditorGeometries()

    def set_counts(self, counts: Sequence[tuple[int, int]]) -> None:
        if tuple(counts) != self.counts:
            self.counts = tuple(counts)
            self.viewport().update()

    def go_to(self, place: tuple[Kind, int, int]) -> None:
        """Make a part current, or the first of its message; emits no signal."""
        rows = [row for row, part in enumerate(self.turns.parts) if part.place == place]
        rows = rows or [row for row, part in enumerate(self.turns.parts) if part.message == place[1]]
        if rows and rows[0] != self.currentIndex().row():
            self._selects = True
            self.setCurrentIndex(self.turns.index(rows[0]))
            self._selects = False

    def tell_typed(self, part: Part, text: str) -> None:
        """The text of a part was typed; it may have lost its place meanwhile."""
        now = next((each for each in self.turns.parts if each.place == part.place), None)
        if now is not None:
            self.typed.emit(now, text)

    def edit_current(self) -> None:
        """Open the text of the current part."""
        if self.currentIndex().isValid():
            self.scrollTo(self.currentIndex())
            self.edit(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, alt = Qt.Key(event.key()), bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.matches(QKeySequence.StandardKey.Paste):
            self.paste_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.copy_requested.emit()
        elif alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.move_requested.emit(-1 if key == Qt.Key.Key_Up else 1)
        elif plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.edit_current()
        elif plain and key == Qt.Key.Key_Insert:
            self.add_requested.emit()
        elif plain and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_requested.emit()
        elif plain and key == Qt.Key.Key_R:
            self.role_requested.emit()
        elif plain and key == Qt.Key.Key_T:
            self.call_requested.emit()
        else:
            super().keyPressEvent(event)

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        super().closeEditor(editor, hint)
        self.editing_ended.emit()

    def _on_current(self, current: QModelIndex) -> None:
        if current.isValid() and not self._selects and self.current is not None:
            self.picked.emit(self.current)
