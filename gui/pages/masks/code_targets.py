"""The same thing as code for several libraries, highlighted, and copied with one click."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.widgets.code_view import CodeView
from gui.widgets.switcher import Switcher


class CodeTargets(QWidget):
    """One text a target, in the order of `titles`."""

    def __init__(self, titles: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.views = [CodeView("") for _ in titles]
        self._titles = tuple(titles)
        self.switcher = Switcher(list(zip(titles, self.views, strict=True)))
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy the code that is shown to the clipboard")
        self.copy_button.clicked.connect(self.copy)
        self._caption = QLabel("Runs as it stands: lengths, pads and documents are written into it.")
        self._caption.setProperty("role", "small")
        foot = QHBoxLayout()
        foot.addWidget(self._caption, 1)
        foot.addWidget(self.copy_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.switcher, 1)
        column.addLayout(foot)

    @property
    def text(self) -> str:
        """The code that is shown."""
        return self.views[self.switcher.index].toPlainText()

    def set_texts(self, texts: Sequence[str]) -> None:
        """Show other code, one text a target."""
        for view, text in zip(self.views, texts, strict=True):
            if view.toPlainText() != text:
                view.setPlainText(text)

    def copy(self) -> None:
        """Put the code that is shown on the clipboard, and say so."""
        QGuiApplication.clipboard().setText(self.text)
        self._caption.setText(f"Copied: {self._titles[self.switcher.index]}.")
