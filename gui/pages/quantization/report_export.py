"""The button that writes a report to a file, beside the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from core.checkpoint.export import SUFFIXES
from core.contracts.errors import TilescopeError
from gui.widgets.latest_work import LatestWork

Write = Callable[[Path], None]
"""Writes a report as the ending of the path says, in a thread that is not the window's; raises TilescopeError."""

_TITLES = {".csv": "CSV, one row per tensor and format…", ".json": "JSON, everything…", ".md": "Markdown, to be read…"}


class ReportExport(QPushButton):
    """A button with a menu. `saved` carries the name of the file that was written."""

    saved = Signal(str)
    copy_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Export…", parent)
        self.setToolTip("Save the whole report, whatever is filtered here")
        self._write: Write | None = None
        self._work = LatestWork(self)
        self._work.done.connect(self._on_saved)
        self._work.failed.connect(self._on_failed)
        menu = QMenu(self)
        for suffix in SUFFIXES:
            menu.addAction(_TITLES[suffix], partial(self._ask, suffix))
        menu.addSeparator()
        menu.addAction("Copy rows", self.copy_requested.emit)
        self.setMenu(menu)

    def set_write(self, write: Write | None) -> None:
        """What writes the report; None before there is one."""
        self._write = write
        self.setEnabled(write is not None and not self._work.busy)

    def save(self, path: Path) -> None:
        """Write the report as the ending of `path` says, one of SUFFIXES."""
        if self._write is not None:
            self.setEnabled(False)
            self._work.request(partial(_written, self._write, path))

    def _ask(self, suffix: str) -> None:
        """The dialog adds the ending itself: so it asks before it overwrites the file that is really written."""
        dialog = QFileDialog(self, "Save the report", f"quantization-report{suffix}", f"*{suffix}")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(suffix.removeprefix("."))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.save(Path(path)))
        dialog.open()

    def _on_saved(self, path: Path) -> None:
        self.setEnabled(self._write is not None)
        self.saved.emit(path.name)

    def _on_failed(self, sentence: str) -> None:
        self.setEnabled(self._write is not None)
        raise TilescopeError(sentence)


def _written(write: Write, path: Path) -> Path:
    write(path)
    return path
