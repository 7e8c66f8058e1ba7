"""An offer above the pages: one sentence, a button that accepts it, and one that dismisses it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from core.contracts.text import Text, tr
from gui.translation import show_text


def _nothing() -> None:
    pass


class OfferBar(QFrame):
    """Hidden while there is no offer. A new offer replaces the one before."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "offer")
        self._accept: Callable[[], object] = _nothing
        self._dismiss: Callable[[], object] = _nothing
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.accept, self.dismiss = QPushButton(), QPushButton()
        self.accept.setProperty("role", "primary")
        show_text(self.dismiss.setText, tr("Dismiss"))
        self.accept.clicked.connect(lambda: self._end(self._accept))
        self.dismiss.clicked.connect(lambda: self._end(self._dismiss))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 12, 6)
        layout.addWidget(self.sentence, 1, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.accept)
        layout.addWidget(self.dismiss)
        self.hide()

    def show_offer(
        self, sentence: Text, accept: Text, on_accept: Callable[[], object], on_dismiss: Callable[[], object] = _nothing
    ) -> None:
        """Make an offer. Each of its buttons ends it."""
        self._accept, self._dismiss = on_accept, on_dismiss
        show_text(self.sentence.setText, sentence)
        show_text(self.accept.setText, accept)
        self.show()

    def _end(self, work: Callable[[], object]) -> None:
        self.hide()
        self._accept = self._dismiss = _nothing
        work()
