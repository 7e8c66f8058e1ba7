"""What happened, line by line, with the details that the banner leaves out."""

from __future__ import annotations

import time

from PySide6.QtWidgets import QPlainTextEdit, QWidget

from core.contracts.text import tr
from core.outside import shown_label
from gui.translation import show_text

_MAX_LINES = 5000
_MAX_ENTRY = 200_000


class LogPanel(QPlainTextEdit):
    """Append-only; beyond _MAX_LINES the oldest lines are removed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "log")
        self.setReadOnly(True)
        self.setMaximumBlockCount(_MAX_LINES)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.document().setDocumentMargin(8)
        show_text(self.setAccessibleName, tr("Log"))
        show_text(self.setPlaceholderText, tr("Nothing has happened yet."))

    def append(self, text: str) -> None:
        """Add an entry, stamped with the local time; further lines are indented under it."""
        first, *rest = shown_label(text.rstrip(), _MAX_ENTRY).splitlines() or [""]
        lines = [f"{time.strftime('%H:%M:%S')}  {first}", *(f"          {line}" for line in rest)]
        self.appendPlainText("\n".join(lines))
