"""The button that saves a report to a file, in another thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from core.checkpoint.export import SUFFIXES
from core.contracts.text import tr
from gui.page.file_writing import FileWriter
from gui.translation import show_text

Write = Callable[[Path], None]
"""Saves a report in the file type of the path, in another thread than the window's; raises TilescopeError."""

_TITLES = {
    ".csv": tr("CSV, one row per tensor and format…"),
    ".json": tr("JSON, all tables…"),
    ".md": tr("Markdown, for reading…"),
}


class ReportExport(QPushButton):
    """A button with a menu. `saved` carries the name of the written file."""

    saved = Signal(str)
    copy_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        show_text(self.setText, tr("Export…"))
        show_text(self.setToolTip, tr("Save the whole report, regardless of the filter"))
        self._write: Write | None = None
        self._writer = FileWriter(self, self._on_failed)
        menu = QMenu(self)
        for suffix in SUFFIXES:
            show_text(menu.addAction("", partial(self._ask, suffix)).setText, _TITLES[suffix])
        menu.addSeparator()
        show_text(menu.addAction("", self.copy_requested.emit).setText, tr("Copy rows"))
        self.setMenu(menu)

    def set_write(self, write: Write | None) -> None:
        """Set the function that saves the report; None before there is a report."""
        self._write = write
        self.setEnabled(write is not None and not self._writer.busy)

    def save(self, path: Path) -> None:
        """Save the report in the file type of `path`, one of SUFFIXES."""
        if self._write is not None:
            self.setEnabled(False)
            self._writer.write(path, partial(self._write, path), lambda _: self._on_saved(path))

    def _ask(self, suffix: str) -> None:
        """Ask for a path. The dialog adds the ending itself, so it asks before overwriting the file that is written."""
        dialog = QFileDialog(self, str(tr("Save the report")), f"quantization-report{suffix}", f"*{suffix}")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(suffix.removeprefix("."))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.save(Path(path)))
        dialog.open()

    def _on_saved(self, path: Path) -> None:
        self.setEnabled(self._write is not None)
        self.saved.emit(path.name)

    def _on_failed(self, error: Exception) -> None:
        self.setEnabled(self._write is not None)
        raise error
