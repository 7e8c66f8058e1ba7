"""The controls for a text and for the path of a file. A text takes effect with Return, or when the field is left."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QGridLayout, QLineEdit, QPushButton, QWidget

from core.contracts.params import Scalar
from core.contracts.text import tr
from gui.page.form.field import Field
from gui.translation import show_text
from gui.widgets.dragged_file import dragged_file


class TextField(Field):
    """One line of text under its label."""

    def _body(self) -> QWidget:
        self.line = QLineEdit()
        # What the user is told that an empty text stands for follows the language; a default is the same in all.
        show_text(self.line.setPlaceholderText, self.spec.if_empty or str(self.spec.default))
        self.line.editingFinished.connect(self._finished)
        self._shown = ""
        body = QWidget()
        self._grid = QGridLayout(body)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(6)
        self._grid.setVerticalSpacing(2)
        self._grid.addWidget(self.label, 0, 0)
        self._grid.addWidget(self.unit, 0, 1, Qt.AlignmentFlag.AlignRight)
        self._grid.addWidget(self.line, 1, 0, 1, 2)
        self._grid.setColumnStretch(0, 1)
        return body

    def value(self) -> Scalar:
        return self.line.text().strip()

    def set_value(self, value: Scalar) -> None:
        self._shown = str(value)
        if self.line.text() != self._shown:
            self.line.setText(self._shown)

    def _controls(self) -> list[QWidget]:
        return [self.line]

    def _finished(self) -> None:
        """Losing the focus finishes an edit, too. Only a changed text is emitted."""
        text = self.line.text().strip()
        if text != self._shown:
            self._shown = text
            self.edited.emit(text)


class PathField(TextField):
    """The path of a file: typed, browsed for, or dropped on the field."""

    def _body(self) -> QWidget:
        body = super()._body()
        self.browse = QPushButton()
        show_text(self.browse.setText, tr("Browse…"))
        show_text(self.browse.setAccessibleName, tr("Browse for {field}", field=self.spec.label))
        self.browse.clicked.connect(self._browse)
        self._grid.addWidget(self.browse, 1, 2)
        self.line.setAcceptDrops(False)  # a line edit would take the text of the URL
        self.line.textChanged.connect(lambda text: show_text(self.line.setToolTip, text))
        self.setAcceptDrops(True)
        return body

    def set_value(self, value: Scalar) -> None:
        super().set_value(value)
        if not self.line.hasFocus():
            self.line.setCursorPosition(len(self._shown))  # the end of a path says more than its beginning

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dragged_file(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = dragged_file(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self._take(path)

    def _browse(self) -> None:
        title, files = str(self.spec.label), str(self.spec.file_filter)
        path, _ = QFileDialog.getOpenFileName(self, title, self.line.text(), files)
        if path:
            self._take(path)

    def _take(self, path: str) -> None:
        self.line.setText(path)
        self._finished()
