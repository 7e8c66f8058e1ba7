"""The window without a display: pages are opened, run and drawn as on a screen, to make pictures of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QDeadlineTimer, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from core.contracts.errors import TilescopeError
from core.contracts.events import TERMINAL, Cancelled, Event, Failed
from core.contracts.text import tr
from core.engine.addresses import SchedulerAddress, Target, target_of
from core.recorded_runs import shipped_run
from gui import theme
from gui.page.engine_bridge import EngineBridge
from gui.window.app import build_app, make_engine
from gui.window.garbage import collected_on_gui_thread
from gui.window.main_window import MainWindow
from gui.window.picture import FOOTER_PX
from gui.window.qt_messages import size_hint_warnings_dropped
from gui.window.settings import Settings

if TYPE_CHECKING:
    from core.contracts.params import Params
    from gui.window.open_page import OpenPage

_SETTLE_MS = 120
_DRAWN_WITHIN_MS = 60_000


class HeadlessWindow:
    """A window of the size of a picture, with an engine behind it. `device` is where runs are made."""

    def __init__(self, app: QApplication, window: MainWindow, bridge: EngineBridge, device: str) -> None:
        self.window = window
        self._app, self._bridge, self._device = app, bridge, device
        self._ended: dict[str, Event] = {}
        bridge.run_event.connect(self._watch)

    def open(self, topic_id: str) -> OpenPage:
        """Show a page. Raises TilescopeError where it cannot be built."""
        opened = self.window.open_page(topic_id)
        if opened is None:
            raise TilescopeError(tr("The page {topic} could not be opened.", topic=topic_id))
        return opened

    def open_home(self) -> None:
        """Show home, and wait for its questions."""
        home = self.window.home.open()
        settle()
        wait_until(lambda: not home.drawing)

    def set_params(self, opened: OpenPage, params: Params) -> None:
        """Show the plan of these parameters, and wait for it."""
        opened.page.form.set_params(params)
        opened.controller.show_plan()
        settle()
        wait_until(lambda: not opened.controller.planning)

    def show_recorded(self, opened: OpenPage) -> bool:
        """Show the run that comes with the program; False where there is none with the parameters of the page."""
        saved = shipped_run(opened.page.topic.id)
        if saved is None or not saved.result.is_run_of(opened.page.params):
            return False
        opened.controller.show_recorded(saved)
        return True

    def begin_run(self, opened: OpenPage) -> None:
        """Run with the parameters of the page, without waiting. Runs of several pages queue."""
        self._ended.pop(opened.page.topic.id, None)
        opened.controller.run(self._device)

    def end_run(self, opened: OpenPage) -> None:
        """Wait for the end of the run of a page. Raises TilescopeError where it has no result."""
        wait_for(lambda: not opened.controller.running)
        match self._ended.get(opened.page.topic.id):
            case None:
                raise TilescopeError(opened.page.banner.sentence or tr("The run could not be started: try again."))
            case Failed(sentence=sentence):
                raise TilescopeError(sentence)
            case Cancelled(reason=reason):
                raise TilescopeError(tr("The run was {reason}.", reason=reason))

    def wait_until_drawn(self, opened: OpenPage) -> None:
        """Wait, up to a limit, for layouts, repaints, and what other threads draw."""
        settle()
        wait_until(lambda: not opened.page.drawing)

    def use_theme(self, name: str) -> None:
        theme.apply(self._app, name)

    def _watch(self, run: Any, event: Event) -> None:
        if isinstance(event, TERMINAL):
            self._ended[run.topic_id] = event


@contextmanager
def headless_window(size: tuple[int, int], *, theme_name: str, device: Target) -> Iterator[HeadlessWindow]:
    """A window for pictures of `size` in pixels, footer included; `device` may be a scheduler's address.

    It has no history and settings of its own: what the user has left open does not get into a picture.
    """
    app = build_app(theme_name)
    with TemporaryDirectory() as folder, size_hint_warnings_dropped(), collected_on_gui_thread():
        target = target_of(device)
        address = target if isinstance(target, SchedulerAddress) else None
        bridge = EngineBridge(partial(make_engine, address))
        window = MainWindow(bridge, Settings(Path(folder) / "settings.ini"))
        try:
            window.menuBar().hide()
            window.status.hide()
            window.resize(size[0], size[1] - FOOTER_PX)
            window.show()
            yield HeadlessWindow(app, window, bridge, target if isinstance(target, str) else "auto")
        finally:
            window.close()
            bridge.close()
            window.deleteLater()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for it however long it takes, as a run may."""
    while not condition():
        settle()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for it, with a limit: a picture that is not finished is better than none."""
    deadline = QDeadlineTimer(_DRAWN_WITHIN_MS)
    while not condition() and not deadline.hasExpired():
        settle()


def settle() -> None:
    """Let layouts and queued repaints finish."""
    loop = QEventLoop()
    QTimer.singleShot(_SETTLE_MS, loop.quit)
    loop.exec()
    QApplication.sendPostedEvents()
