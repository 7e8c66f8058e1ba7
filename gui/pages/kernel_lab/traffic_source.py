"""The files of a traced run, with the traffic per line. The user's file can be edited and saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, tr, tr_in
from core.outside import shown_label
from gui.pages.kernel_lab.editor import CodeEditor, LineNotes
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel


@dataclass(frozen=True)
class SourceFile:
    """The text of a file from `first_line` on. Read-only unless `editable`; a `shipped` file is an example."""

    path: str
    text: str
    first_line: int = 1
    editable: bool = False
    shipped: bool = False

    @property
    def name(self) -> str:
        return self.path.replace("\\", "/").rpartition("/")[2]


class TrafficSource(QWidget):
    """One tab per file. `line_picked` carries path and line, `save_requested` the path and the text to save there.

    `save_as_requested` carries the path and the text of a file to save under another name.
    """

    line_picked = Signal(str, int)
    save_requested = Signal(str, str)
    save_as_requested = Signal(str, str)
    modified_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._files: list[SourceFile] = []
        self._editors: list[CodeEditor] = []
        self._notes: Mapping[str, LineNotes] = {}
        self.tabs = QTabBar()
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        show_text(self.tabs.setAccessibleName, tr("File shown"))
        self.tabs.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.state = FittedLabel()
        self.state.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.save_button = QPushButton()
        show_text(self.save_button.setText, tr("Save and run"))
        show_text(self.save_button.setToolTip, tr("Save the file and trace it again (Ctrl+S in the editor)"))
        self.save_as_button = QPushButton()
        show_text(self.save_as_button.setText, tr("Save as…"))
        self._stack = QStackedWidget()
        self._lay_out()
        self.tabs.currentChanged.connect(self._show)
        self.save_button.clicked.connect(self.save)
        self.save_as_button.clicked.connect(self.save_as)
        self._show_state()

    @property
    def files(self) -> tuple[SourceFile, ...]:
        return tuple(self._files)

    @property
    def editor(self) -> CodeEditor | None:
        """The current editor."""
        index = self.tabs.currentIndex()
        return self._editors[index] if 0 <= index < len(self._editors) else None

    @property
    def modified(self) -> bool:
        """Whether any text differs from its file."""
        return any(editor.document().isModified() for editor in self._editors)

    @property
    def has_notes(self) -> bool:
        """Whether any line shows its traffic."""
        return any(editor.notes.texts for editor in self._editors)

    def set_files(self, files: Sequence[SourceFile]) -> None:
        """Show files. An editor whose file is unchanged stays, with its cursor and undo history."""
        if list(files) == self._files:
            return
        kept = dict(zip(self._files, self._editors, strict=True))
        front = self.front
        self._files, self._editors = list(files), [kept.pop(file, None) or self._make(file) for file in files]
        for editor in kept.values():
            self._stack.removeWidget(editor)
            editor.deleteLater()
        self.tabs.blockSignals(True)
        while self.tabs.count():
            self.tabs.removeTab(0)
        for file in files:
            show_text(self.tabs.setTabToolTip, self.tabs.addTab(shown_label(file.name)), file.path)
        self.tabs.blockSignals(False)
        self._annotate()
        self.bring_front(front)
        self._show()

    def set_notes(self, notes: Mapping[str, LineNotes]) -> None:
        """The traffic notes of each line, by path."""
        self._notes = notes
        self._annotate()

    def mark_saved(self, path: str, text: str) -> None:
        """Record that the file now holds `text`."""
        for index, (file, editor) in enumerate(zip(self._files, self._editors, strict=True)):
            if file.path == path:
                self._files[index] = SourceFile(path, text, file.first_line, file.editable, file.shipped)
                editor.document().setModified(editor.toPlainText() != text)

    def text_of(self, path: str) -> str | None:
        """The text in the editor of a file; None if it is not open."""
        editors = {file.path: editor for file, editor in zip(self._files, self._editors, strict=True)}
        return editors[path].toPlainText() if path in editors else None

    def revert(self) -> None:
        """Reset every text to its file's."""
        for file, editor in zip(self._files, self._editors, strict=True):
            if editor.document().isModified():
                editor.setPlainText(file.text)
                editor.document().setModified(False)
        self._annotate()

    @property
    def front(self) -> str:
        """The path of the current file, '' if there is none."""
        index = self.tabs.currentIndex()
        return self._files[index].path if 0 <= index < len(self._files) else ""

    def bring_front(self, path: str) -> None:
        paths = [file.path for file in self._files]
        if path in paths:
            self.tabs.setCurrentIndex(paths.index(path))

    def pick(self, path: str | None, line: int | None) -> None:
        """Show a line that another view selected. Emits nothing."""
        if path is not None and line is not None:
            self.bring_front(path)
        for file, editor in zip(self._files, self._editors, strict=True):
            picked = line if file.path == path else None
            if editor.picked_line != picked:
                editor.pick(picked)

    def save(self) -> None:
        """Request saving the current text: in place, or under another name for an example."""
        index = self.tabs.currentIndex()
        if index < 0:
            return
        file, text = self._files[index], self._editors[index].toPlainText()
        if file.editable and not file.shipped:
            self.save_requested.emit(file.path, text)
        elif file.shipped:
            self.save_as()

    def save_as(self) -> None:
        index = self.tabs.currentIndex()
        if index >= 0:
            self.save_as_requested.emit(self._files[index].path, self._editors[index].toPlainText())

    def sizeHint(self) -> QSize:
        return QSize(560, 320)

    def _make(self, file: SourceFile) -> CodeEditor:
        editor = CodeEditor(file.text, file.first_line, editable=file.editable)
        editor.line_picked.connect(lambda line: self.line_picked.emit(file.path, line))
        editor.save_requested.connect(self.save)
        editor.document().modificationChanged.connect(self._on_modified)
        self._stack.addWidget(editor)
        return editor

    def _annotate(self) -> None:
        for file, editor in zip(self._files, self._editors, strict=True):
            notes = self._notes.get(file.path, LineNotes())
            if editor.notes != notes and not editor.document().isModified():
                first_notes = bool(notes.texts) and not editor.notes.texts
                editor.set_notes(notes)
                if first_notes and editor.textCursor().atStart():
                    editor.bring_into_view(min(notes.texts), max(notes.texts))

    def _show(self) -> None:
        if self.editor is not None:
            self._stack.setCurrentWidget(self.editor)
        self._show_state()

    def _on_modified(self, _modified: bool) -> None:
        self._show_state()
        self.modified_changed.emit(self.modified)

    def _show_state(self) -> None:
        index, editor = self.tabs.currentIndex(), self.editor
        for tab, (file, each) in enumerate(zip(self._files, self._editors, strict=True)):
            name = shown_label(file.name)
            self.tabs.setTabText(tab, f"{name} ●" if each.document().isModified() else name)
        if editor is None:
            self.state.set_wordings()
            self.save_button.hide()
            self.save_as_button.hide()
            return
        file, modified = self._files[index], editor.document().isModified()
        is_users = file.editable and not file.shipped
        self.save_button.setVisible(is_users)
        self.save_button.setEnabled(modified)
        self.save_as_button.setVisible(file.editable)
        self.state.set_wordings(_state(file, modified=modified))

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(0, 0, 0, 0)
        bar.setSpacing(6)
        bar.addWidget(self.tabs)
        bar.addWidget(self.state, 1)
        bar.addWidget(self.save_button)
        bar.addWidget(self.save_as_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(bar)
        layout.addWidget(self._stack, 1)


def _state(file: SourceFile, *, modified: bool) -> Text:
    """What the user can do with a file, beside its buttons."""
    is_users = file.editable and not file.shipped
    if modified:
        return tr("unsaved: Ctrl+S saves and runs") if is_users else tr("edited example: save it as your own file")
    if file.shipped:
        return tr_in("file", "example")
    return EMPTY if is_users else tr("read-only")
