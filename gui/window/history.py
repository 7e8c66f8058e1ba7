"""The history of runs, off the GUI thread: it stores a page's results, and loads them on request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog

from core.contracts.errors import TilescopeError
from core.contracts.text import listed, tr
from gui.page.file_writing import FileWriter

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from core.contracts.params import Params
    from core.contracts.result import Result
    from core.contracts.topic import Topic
    from core.engine.history import Export, Listing
    from core.run_files import SavedRun
    from gui.page.controller import Controller
    from gui.page.live import LiveRuns
    from gui.page.page import Page

_REST_MS = 3000
"""How long a run that began by itself is the newest before it is stored."""


class HistoryKeeper(QObject):
    """One thread that reads and writes the history, and replies with signals on the GUI thread.

    `make_history` opens the history, on that thread and on first use. `listed` carries (topic, Listing, undoable),
    `kept` a Result that is on disk or could not be stored, `loaded` a SavedRun, `newest_listed` the newest runs of all
    topics, `notice` a text of one sentence and whether it is an error. `timings_read` carries (topic, list of Timing),
    `opening_read` (topic, SavedRun or None).
    """

    listed = Signal(str, object, bool)
    kept = Signal(object)
    loaded = Signal(object)
    timings_read = Signal(str, object)
    opening_read = Signal(str, object)
    notice = Signal(object, bool)
    newest_listed = Signal(object)
    _exported = Signal(object, object)
    _answered = Signal(object)

    def __init__(self, make_history: Callable[[], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make_history = make_history
        self._history: Any = None
        self._removed = 0
        self._writer = FileWriter(self, self._tell)
        self._exported.connect(self._write)
        self._answered.connect(_call)

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="tilescope-history")

    def refresh(self, topic_id: str) -> None:
        """List the runs of a topic."""
        self._later(self._list, topic_id)

    def list_newest(self, limit: int) -> None:
        """List the newest runs of all topics."""
        self._later(lambda history: self.newest_listed.emit(history.list(limit=limit)))

    def read_timings(self, topic: Topic) -> None:
        """Read how long the runs of a topic took here. Replies also where the history cannot be read: with nothing."""

        def work(history: Any) -> None:
            from core import durations

            self.timings_read.emit(topic.id, list(durations.timings_of(topic, history.timings(topic.id))))

        self._later(work, on_error=lambda: self.timings_read.emit(topic.id, []))

    def read_opening(self, topic: Topic, params: Params) -> None:
        """Read the run of the history that a page with these parameters begins with. Replies in any case."""

        def work(history: Any) -> None:
            from gui.window.opening import opening_run

            self.opening_read.emit(topic.id, opening_run(history, topic, params))

        self._later(work, on_error=lambda: self.opening_read.emit(topic.id, None))

    def keep_live(self, result: Result, started_at_s: float, wall_s: float, run_s: float | None) -> None:
        """Keep a run that began by itself in place of the one before: its verdicts count, and it is not listed."""
        started_at = datetime.fromtimestamp(started_at_s, UTC)
        self._later(lambda history: history.add(result, started_at, wall_s, run_s=run_s, is_live=True))

    def keep(self, result: Result, started_at_s: float, wall_s: float, run_s: float | None = None) -> None:
        """Add a finished run. `run_s` is how long the experiment took in a warm worker."""

        def work(history: Any) -> None:
            history.add(result, datetime.fromtimestamp(started_at_s, UTC), wall_s, run_s=run_s)
            self.kept.emit(result)
            self._list(history, result.topic)

        self._later(work, on_error=lambda: self.kept.emit(result))

    def load(self, entry_id: str) -> None:
        self._later(lambda history: self.loaded.emit(history.saved(entry_id)))

    def fetch(self, entry_id: str, use: Callable[[SavedRun], None]) -> None:
        """Give a run to `use`, on the GUI thread."""
        self._later(lambda history: self._answered.emit(partial(use, history.saved(entry_id))))

    def load_newest(self, topic_id: str, params: Params, otherwise: Callable[[], None] = lambda: None) -> None:
        """Load the newest run with these parameters; without one, call `otherwise`, on the GUI thread."""

        def work(history: Any) -> None:
            found = history.find(topic_id, params.needed_for_run(), limit=1)
            with suppress(RuntimeError):  # the window is being closed
                if found:
                    self.loaded.emit(history.saved(found[0].id))
                else:
                    self._answered.emit(otherwise)

        self._later(work, on_error=lambda: self._answered.emit(otherwise))

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

    def do(self, work: Callable[[Any], None]) -> None:
        """Have `work(history)` done on the thread of the history, after what was requested before. It must touch no
        widget; an error is a notice."""
        self._later(work)

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


def _call(answer: Callable[[], None]) -> None:
    answer()


class PageHistory(QObject):
    """Connects one page and its controller to the keeper."""

    def __init__(self, page: Page, controller: Controller, keeper: HistoryKeeper, live: LiveRuns | None = None) -> None:
        super().__init__(page)
        self._page, self._controller, self._keeper = page, controller, keeper
        panel = page.history
        panel.set_defaults(page.topic.params().model_dump(mode="json"))
        panel.reopen_requested.connect(keeper.load)
        panel.delete_requested.connect(self._delete)
        panel.undo_requested.connect(self._undo)
        from gui.window.run_saver import RunSaver

        self._saver = RunSaver(page)
        self._saver.told.connect(keeper.notice)
        panel.save_requested.connect(lambda entry_id: keeper.fetch(entry_id, self._saver.ask_and_save))
        panel.pin_requested.connect(lambda entry_id: keeper.fetch(entry_id, controller.pin))
        panel.export_requested.connect(self._export)
        controller.keeps_runs = True
        controller.finished.connect(keeper.keep)
        keeper.kept.connect(controller.show_kept)
        keeper.listed.connect(self._show_list)
        keeper.loaded.connect(self._show_run)
        keeper.refresh(page.topic.id)
        self._live_run: tuple[Any, ...] = ()
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(lambda: keeper.keep_live(*self._live_run))
        if live is not None:
            live.finished.connect(self._keep_live)

    def _keep_live(self, *run: Any) -> None:
        """Keep it once no other follows soon: while a slider moves, each would replace the one before."""
        self._live_run = run
        self._rest.start()

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

    def _show_run(self, saved: SavedRun) -> None:
        if saved.topic != self._page.topic.id:
            return
        self._page.form.propose(saved.result.params)
        self._controller.show_saved(saved)
        message = tr("Reopened a run on {device} from the history", device=saved.environment.device)
        self._page.append_log(str(message))
