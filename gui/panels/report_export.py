"""The button that writes a report to a file, beside the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from core.checkpoint.export import SUFFIXES
from core.errors import TilescopeError
from gui.latest import LatestWork

Write = Callable[[Path], None]
"""Writes a report as the ending of the path says, in a thread that is not the window's; raises TilescopeError."""

_TITLES = {".csv": "CSV, a row a tensor and format…", ".json": "JSON, everything…", ".md": "Markdown, to be read…"}


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
        name = f"quantization-report{suffix}"
        path, _ = QFileDialog.getSaveFileName(self, "Save the report", name, f"*{suffix}")
        if path:
            self.save(Path(path if Path(path).suffix.lower() in SUFFIXES else path + suffix))

    def _on_saved(self, path: Path) -> None:
        self.setEnabled(self._write is not None)
        self.saved.emit(path.name)

    def _on_failed(self, sentence: str) -> None:
        self.setEnabled(self._write is not None)
        raise TilescopeError(sentence)


def _written(write: Write, path: Path) -> Path:
    write(path)
    return path
