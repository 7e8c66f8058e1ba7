"""Saves runs as files: asks where, and writes beside the GUI thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from core import run_files
from core.contracts.text import tr
from core.run_files.names import KIND_NAME, SUFFIX
from gui.page.file_work import telling
from gui.page.file_writing import FileWriter

if TYPE_CHECKING:
    from core.run_files import SavedRun


class RunSaver(QObject):
    """`told` carries one sentence about what was saved or could not be, and whether it is an error."""

    told = Signal(object, bool)

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        self._writer = FileWriter(self, telling(lambda sentence: self.told.emit(sentence, True)))

    @property
    def busy(self) -> bool:
        """Whether a run is still being written."""
        return self._writer.busy

    def ask_and_save(self, saved: SavedRun | None) -> None:
        """Ask for a place and save a run there; without one, say what is missing."""
        if saved is None:
            self.told.emit(tr("There is no run to save on this page: run it first (F5)."), True)
            return
        name = f"{saved.topic}-{saved.started_at.astimezone():%Y%m%d-%H%M}{SUFFIX}"
        path, _ = QFileDialog.getSaveFileName(self._widget, str(tr("Save the run")), name, file_filter())
        if path:
            self.save(saved, Path(path))

    def save(self, saved: SavedRun, path: Path) -> None:
        """Save a run. A name without the suffix of saved runs gets it."""
        target = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)

        def write() -> None:
            if target != path and target.exists():  # the dialog has asked about another name
                raise run_files.BadRunFile(tr("{file} exists already: choose another name.", file=target.name))
            run_files.write_run_file(target, saved)

        def done(_: None) -> None:
            self.told.emit(tr("Saved {file}.", file=target.name), False)

        self._writer.write(target, write, done)


def file_filter() -> str:
    """What a file dialog offers."""
    return f"{KIND_NAME} (*{SUFFIX})"
