"""What is unusual about the parameters, above the pictures; takes no room while there is nothing to say."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QLabel, QWidget

from core.contracts.result import Message
from core.contracts.text import sentences
from gui.translation import show_text


class RemarkStrip(QLabel):
    """The remarks of a topic, one after another, wrapped; they can be selected and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "small")
        self.setWordWrap(True)
        self.setContentsMargins(10, 2, 10, 4)
        self.setVisible(False)

    def set_remarks(self, remarks: Sequence[Message]) -> None:
        """Show these; none hides the strip."""
        show_text(self.setText, sentences(*(remark.text for remark in remarks)))
        self.setVisible(bool(remarks))
