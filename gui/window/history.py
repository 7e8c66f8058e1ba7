"""The history of runs, off the GUI thread: it stores a page's results, and loads them on request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Signal
from PySide6.QtWidgets import QFileDialog

from core.contracts.errors import TilescopeError
from core.contracts.result import Result
from core.contracts.text import listed, tr
from core.engine.history import Export, Listing
from gui.page.controller import Controller
from gui.page.file_writing import FileWriter
from gui.page.page import Page


class HistoryKeeper(QObject):
    """One thread that reads and writes the history, and replies with signals on the GUI thread.

    `make_history` opens the history, on that thread and on first use. `listed` carries (topic, Listing, undoable),
    `kept` a Result that is on disk or could not be stored, `loaded` a Result, `notice` a text of one sentence and
    whether it is an error.
    """

    listed = Signal(str, object, bool)
    kept = Signal(object)
    loaded = Signal(object)
    notice = Signal(object, bool)
    _exported = Signal(object, object)

    def __init__(self, make_history: Callable[[], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make_history = make_history
        self._history: Any = None
        self._removed = 0
        self._writer = FileWriter(self, self._tell)
        self._exported.connect(self._write)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tilescope-history")

    def refresh(self, topic_id: str) -> None:
        """List the runs of a topic."""
        self._later(self._list, topic_id)

    def keep(self, result: Result, started_at_s: float, wall_s: float) -> None:
        """Add a finished run."""

        def work(history: Any) -> None:
            history.add(result, datetime.fromtimestamp(started_at_s, UTC), wall_s)
            self.kept.emit(result)
            self._list(history, result.topic)

        self._later(work, on_error=lambda: self.kept.emit(result))

    def load(self, entry_id: str) -> None:
        self._later(lambda history: self.loaded.emit(history.load(entry_id)))

    def remove(self, entry_id: str, topic_id: str) -> None:
        def work(history: Any) -> None:
            history.remove(entry_id)
            self._removed += 1
            self._list(history, topic_id)

        self._later(work)

    def undo_remove(self, topic_id: str) -> None:
        def work(history: Any) -> None:
            if history.undo_remove() is not None:
                self._removed -= 1
            self._list(history, topic_id)

        self._later(work)

    def export(self, entry_id: str, folder: Path) -> None:
        """Write a run into a folder, in another thread than the history's: the folder may never answer."""
        self._later(lambda history: self._exported.emit(history.export(entry_id), folder))

    def close(self) -> None:
        """Finish pending requests, then stop the thread. A file that is still being written is not waited for."""
        self._thread.shutdown(wait=True)
        QCoreApplication.sendPostedEvents(self, QEvent.Type.MetaCall)  # exports that were read last

    def _write(self, export: Export, folder: Path) -> None:
        def done(paths: tuple[Path, ...]) -> None:
            self.notice.emit(tr("Exported {files}.", files=listed(path.name for path in paths)), False)

        self._writer.write(folder / export.stem, lambda: export.write(folder), done)

    def _list(self, history: Any, topic_id: str) -> None:
        self.listed.emit(topic_id, history.listing(topic_id), self._removed > 0)

    def _later(self, work: Callable[..., None], *args: Any, on_error: Callable[[], None] = lambda: None) -> None:
        def guarded() -> None:
            try:
                if self._history is None:
                    self._history = self._make_history()
                    if self._history.notice:
                        self.notice.emit(self._history.notice, True)
                work(self._history, *args)
            except Exception as error:
                on_error()
                self._tell(error)

        self._thread.submit(guarded)

    def _tell(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        unexpected = tr("The history failed with {error}.", error=reason)
        self.notice.emit(error.text if isinstance(error, TilescopeError) else unexpected, True)


class PageHistory(QObject):
    """Connects one page and its controller to the keeper."""

    def __init__(self, page: Page, controller: Controller, keeper: HistoryKeeper) -> None:
        super().__init__(page)
        self._page, self._controller, self._keeper = page, controller, keeper
        panel = page.history
        panel.set_defaults(page.topic.params().model_dump(mode="json"))
        panel.reopen_requested.connect(keeper.load)
        panel.delete_requested.connect(self._delete)
        panel.undo_requested.connect(self._undo)
        panel.export_requested.connect(self._export)
        controller.keeps_runs = True
        controller.finished.connect(keeper.keep)
        keeper.kept.connect(controller.show_kept)
        keeper.listed.connect(self._show_list)
        keeper.loaded.connect(self._show_result)
        keeper.refresh(page.topic.id)

    def _delete(self, entry_id: str) -> None:
        self._keeper.remove(entry_id, self._page.topic.id)

    def _undo(self) -> None:
        self._keeper.undo_remove(self._page.topic.id)

    def _export(self, entry_id: str) -> None:
        folder = QFileDialog.getExistingDirectory(self._page, str(tr("Export the run to a folder")))
        if folder:
            self._keeper.export(entry_id, Path(folder))

    def _show_list(self, topic_id: str, listing: Listing, undoable: bool) -> None:
        if topic_id == self._page.topic.id:
            self._page.history.set_entries(listing.entries, listing.unreadable)
            self._page.history.set_undo(undoable)

    def _show_result(self, result: Result) -> None:
        if result.topic != self._page.topic.id:
            return
        self._page.form.propose(result.params)
        self._controller.show_result(result)
        message = tr("Reopened a run on {device} from the history", device=result.environment.device)
        self._page.append_log(str(message))
