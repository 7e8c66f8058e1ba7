"""The mask as code for several libraries, highlighted, copied with one click."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import tr
from gui.translation import show_text
from gui.widgets.code_view import CodeView
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.switcher import Switcher


class CodeTargets(QWidget):
    """One text per target, in the order of `titles`."""

    def __init__(self, titles: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.views = [CodeView("") for _ in titles]
        self._titles = tuple(titles)
        self.switcher = Switcher(list(zip(titles, titles, self.views, strict=True)))
        self.copy_button = QPushButton()
        show_text(self.copy_button.setText, tr("Copy"))
        show_text(self.copy_button.setToolTip, tr("Copy the visible code to the clipboard"))
        self.copy_button.clicked.connect(self.copy)
        self._caption = FittedLabel(
            tr("Runs unchanged: lengths, pads and documents are written into the code."), tr("Runs unchanged.")
        )
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
        """The visible code."""
        return self.views[self.switcher.index].toPlainText()

    def set_texts(self, texts: Sequence[str]) -> None:
        """Show other code, one text per target."""
        for view, text in zip(self.views, texts, strict=True):
            if view.toPlainText() != text:
                view.setPlainText(text)

    def copy(self) -> None:
        """Copy the visible code to the clipboard, and confirm it."""
        QGuiApplication.clipboard().setText(self.text)
        self._caption.set_wordings(tr("Copied: {target}.", target=self._titles[self.switcher.index]))
