"""Files that the user gives the window: saved runs open on their page, recordings on the compare page, and the rest is
for the page in view."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from core import run_files
from core.contracts import registry
from core.contracts.text import Text, tr
from core.run_files.kinds import FileKind, kind_of
from gui.page.file_work import FileWork, telling
from gui.window.run_saver import RunSaver, file_filter

if TYPE_CHECKING:
    from core.contracts.topic import Topic
    from core.run_files import SavedRun
    from gui.window.open_page import OpenPage

RECORDINGS_PAGE = "compare"


class Window(Protocol):
    """What opening a file needs of the window."""

    @property
    def current(self) -> OpenPage | None: ...
    def open_page(self, topic_id: str) -> OpenPage | None: ...
    def show_error(self, sentence: Text | str, detail: str = "") -> None: ...


def brought_here(topic: Topic, saved: SavedRun) -> SavedRun:
    """A run that may be from another machine, with parameters that fit this one."""
    return replace(saved, result=replace(saved.result, params=topic.from_elsewhere(saved.result.params)))


class RunFiles(QObject):
    """Files are read and written beside the GUI thread. `opened` carries the path of each run that was shown,
    `demo_found` that of a demo, which is not read here. `topics` maps topic ids to packages."""

    opened = Signal(str)
    demo_found = Signal(str)

    def __init__(self, window: Window, widget: QWidget, topics: Mapping[str, str] = registry.TOPICS) -> None:
        super().__init__(widget)
        self._window, self._widget, self._topics = window, widget, topics
        self._reader = FileWork(telling(window.show_error), self)
        self.saver = RunSaver(widget)

    @property
    def busy(self) -> bool:
        """Whether a file is still being read or written."""
        return self._reader.busy or self.saver.busy

    def open(self, path: str | Path) -> None:
        """Open a file of any kind."""
        file = Path(path)
        self._reader.read(lambda: self._read(file), lambda found: self._show(found, file))

    def ask_and_open(self) -> None:
        """Ask for a saved run and open it."""
        path, _ = QFileDialog.getOpenFileName(self._widget, str(tr("Open a run")), "", file_filter())
        if path:
            self.open(path)

    def save_shown(self) -> None:
        """Ask for a place and save the run that the page in view shows."""
        current = self._window.current
        self.saver.ask_and_save(None if current is None else current.controller.saved)

    def show_run(self, saved: SavedRun) -> None:
        """Show a recorded run on its page, with its parameters in the form."""
        opened = self._window.open_page(saved.topic)
        if opened is not None:
            shown = brought_here(opened.page.topic, saved)
            opened.page.form.propose(shown.result.params)
            opened.controller.show_recorded(shown)

    def _read(self, path: Path) -> SavedRun | FileKind:
        kind = kind_of(path)
        if kind is not FileKind.RUN:
            return kind
        return replace(run_files.read_run_file(path, topics=self._topics), file=str(path.absolute()))

    def _show(self, found: SavedRun | FileKind, path: Path) -> None:
        if isinstance(found, run_files.SavedRun):
            self._show_file(found, path)
            return
        if found is FileKind.DEMO:
            self.demo_found.emit(str(path))
            return
        opened = self._window.open_page(RECORDINGS_PAGE) if found is FileKind.RECORDING else self._window.current
        if opened is None or not opened.page.open_dropped(str(path)):
            self._window.show_error(
                tr("{file} is no saved run, and nothing in view opens it: go to the page that does.", file=path.name)
            )

    def _show_file(self, saved: SavedRun, path: Path) -> None:
        """Values that fit their types may still be those of no run: then the page is as if it had not been opened."""
        try:
            self.show_run(saved)
        except Exception:
            current = self._window.current
            if current is not None:
                current.controller.clear()
            self._window.show_error(run_files.damaged(path), traceback.format_exc())
        else:
            self.opened.emit(str(path))
