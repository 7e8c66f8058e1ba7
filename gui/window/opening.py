"""What a page shows when it opens: the run that was opened on it in the last session, else the newest run of the
history that fits, else the run that ships."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, SignalInstance

from core import run_files
from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.recorded_runs import shipped_run
from gui.page.file_work import FileWork
from gui.window.run_files import brought_here

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.text import Text
    from core.contracts.topic import Topic
    from core.run_files import SavedRun
    from gui.page.controller import Controller
    from gui.page.live import LiveRuns
    from gui.page.page import Page

_RUNS_LOOKED_AT = 200


def opening_run(history: Any, topic: Topic, params: Params) -> SavedRun | None:
    """The newest run with these parameters, else the newest of the page; None without any.

    The default parameters are served by the recorded run that ships: a run of others would only be marked as outdated.
    Not for the GUI thread: it loads a result.
    """
    newest = None
    for entry in history.list(topic.id, _RUNS_LOOKED_AT, with_live=True):
        with suppress(TilescopeError):
            if params.needs_same_run_as(topic.params.parse(entry.params)):
                fitting: SavedRun = history.saved(entry.id)
                return fitting
            newest = newest or entry.id
    if newest is not None and not params.needs_same_run_as(topic.params()):
        with suppress(TilescopeError):
            other: SavedRun = history.saved(newest)
            return other
    return None


class _History(Protocol):
    """What an opening page needs of the keeper of the history."""

    opening_read: SignalInstance

    def read_opening(self, topic: Topic, params: Params) -> None: ...


def _read_file(path: Path, topic_id: str) -> SavedRun:
    """Raises TilescopeError."""
    return replace(run_files.read_run_file(path, topic_id), file=str(path))


class Opening(QObject):
    """Gives a page its first result, whenever it has been read. A run that begins or is opened before that is not
    replaced."""

    def __init__(
        self,
        page: Page,
        controller: Controller,
        keeper: _History,
        live: LiveRuns,
        read_shipped: Callable[[str], SavedRun | None] = shipped_run,
        read_file: Callable[[Path, str], SavedRun] = _read_file,
    ) -> None:
        super().__init__(page)
        self._page, self._controller, self._keeper, self._live = page, controller, keeper, live
        self._read_shipped, self._read_file = read_shipped, read_file
        self._reader = FileWork(lambda _: self._show_shipped(None), self)
        self._files = FileWork(self._on_no_file, self)
        keeper.opening_read.connect(self._on_own)

    def begin(self, file: str = "") -> None:
        """Look for the run to begin with: that in `file`, or where there is none, one of the history."""
        if self._controller.result is None and not self._controller.running:
            self._page.await_run(True)
            self._page.show_ended(tr("Looking for an earlier run"), completed=False)
        if not file:
            self._keeper.read_opening(self._page.topic, self._page.params)
            return
        topic_id = self._page.topic.id
        self._files.read(lambda: self._read_file(Path(file), topic_id), self._show_file)

    @property
    def _is_over(self) -> bool:
        """Whether the page shows what it should: a run of its parameters, or one that the user opened."""
        result, recorded = self._controller.result, self._controller.recorded
        if result is None or (recorded is not None and recorded is self._live.opening):
            return self._controller.running
        return self._controller.running or recorded is not None or result.is_run_of(self._page.params)

    def _on_own(self, topic_id: str, saved: SavedRun | None) -> None:
        if topic_id != self._page.topic.id:
            return
        if self._is_over:
            self._page.await_run(False)
            return
        if saved is None:
            self._reader.read(lambda: self._read_shipped(topic_id), self._show_shipped)
            return
        self._controller.show_saved(saved)
        device = saved.environment.device
        self._page.show_ended(tr("From the history: run on {device}", device=device), completed=True)

    def _show_file(self, saved: SavedRun) -> None:
        """It is shown even if a run that began by itself was faster, and not if the user began one."""
        recorded = self._controller.recorded
        if self._controller.running or (recorded is not None and recorded is not self._live.opening):
            return
        self._live.stop()
        try:
            self._controller.show_recorded(brought_here(self._page.topic, saved))
        except Exception:  # values that fit their types may still be those of no run
            self._controller.clear()
            self._on_no_file(run_files.damaged(Path(saved.file)))

    def _on_no_file(self, error: Exception | Text) -> None:
        """The user's run is not there any more: the page says so, and opens as it does without one."""
        self._page.show_error(error.text if isinstance(error, TilescopeError) else str(error))
        self.begin()

    def _show_shipped(self, saved: SavedRun | None) -> None:
        if saved is not None and not self._is_over:
            self._live.opening = saved
            self._controller.show_recorded(saved)
        elif self._page.awaits_run:
            self._page.await_run(False)
            self._page.show_ended(tr("Not run yet"), completed=False)
