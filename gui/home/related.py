"""Questions that are near the one in view, as links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from gui import translation
from gui.home.labels import line
from gui.translation import show_text

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent

    from core.questions.question import Question

_BORDER_PX = 2


class Link(QPushButton):
    """A button that looks like a link, with an ellipsis where there is not room for all of its text."""

    def __init__(self, text: Text, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = text
        self.setProperty("role", "link")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        show_text(self.setToolTip, text)
        show_text(self.setAccessibleName, text)
        translation.notifier().changed.connect(self._fit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = self.width() - 2 * _BORDER_PX
        self.setText(self.fontMetrics().elidedText(str(self._whole), Qt.TextElideMode.ElideRight, room))


class Related(QWidget):
    """`chosen` carries the Question that was clicked."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.links: list[QPushButton] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(1)
        self._layout.addWidget(line("group", tr("Related questions")))

    def show_questions(self, questions: Sequence[Question]) -> None:
        for link in self.links:
            link.hide()
            link.deleteLater()
        self.links = [self._link(question) for question in questions]
        for link in self.links:
            self._layout.addWidget(link)
        self.setVisible(bool(questions))

    def _link(self, question: Question) -> QPushButton:
        link = Link(question.question)
        link.clicked.connect(lambda: self.chosen.emit(question))
        return link
