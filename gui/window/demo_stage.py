"""The window as demos see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.contracts.text import tr
from core.recorded_runs import shipped_run
from gui.page.file_work import FileWork
from gui.window.visiting import Visited, visit

if TYPE_CHECKING:
    from core.contracts.place import Place
    from core.contracts.text import Text
    from core.run_files import SavedRun
    from gui.window.home_page import HomePage
    from gui.window.open_page import OpenPage
    from gui.window.recent_files import RecentFiles


class Staged(Visited, Protocol):
    """What demos need of the window besides places to go to."""

    @property
    def current(self) -> OpenPage | None: ...
    @property
    def home(self) -> HomePage: ...
    @property
    def recent_files(self) -> RecentFiles: ...
    def show_news(self, sentence: Text, is_error: bool) -> None: ...
    def isFullScreen(self) -> bool: ...
    def toggle_full_screen(self) -> None: ...


class DemoStage:
    """What `gui.demos` needs of the window, so that it can be below it."""

    shows_recorded = True
    """Whether the runs that come with the program are shown."""

    def __init__(self, window: Staged) -> None:
        self._window = window
        self._reader = FileWork(lambda _: self._otherwise())
        self._otherwise: Callable[[], None] = lambda: None

    @property
    def current(self) -> OpenPage | None:
        return self._window.current

    def open_page(self, topic_id: str) -> OpenPage | None:
        return self._window.open_page(topic_id)

    def open_home(self) -> None:
        self._window.home.open()

    def visit(self, place: Place) -> OpenPage | None:
        return visit(self._window, place)

    def reopen_run(self, opened: OpenPage, otherwise: Callable[[], None]) -> None:
        """A run of the history, else one that comes with the program."""
        keeper, topic_id = self._window.keeper, opened.page.topic.id

        def show(saved: SavedRun | None) -> None:
            if saved is not None and saved.result.is_run_of(opened.page.form.params):
                opened.controller.show_recorded(saved)
            else:
                otherwise()

        def read_shipped() -> None:
            self._otherwise = otherwise
            self._reader.read(lambda: shipped_run(topic_id) if self.shows_recorded else None, show)

        if keeper is None:
            read_shipped()
        else:
            keeper.load_newest(topic_id, opened.page.form.params, read_shipped)

    def begin_anew(self, opened: OpenPage) -> None:
        """Show the newest run of the history that fits, else the one that comes with the program, as on a first visit:
        a page that a demo was the first to visit would stay empty otherwise."""
        if self._window.keeper is not None:
            self._window.keeper.read_opening(opened.page.topic, opened.page.params)

    def demo_was_saved(self, path: Path) -> None:
        """Say so, and offer it among the recent files."""
        self._window.recent_files.add_run(str(path))
        self._window.show_news(tr("Saved {file}.", file=path.name), False)

    def show_error(self, sentence: Text | str, detail: str = "") -> None:
        self._window.show_error(sentence, detail)

    @property
    def fills_screen(self) -> bool:
        return self._window.isFullScreen()

    def toggle_full_screen(self) -> None:
        self._window.toggle_full_screen()
