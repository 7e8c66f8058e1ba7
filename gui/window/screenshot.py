"""The `screenshot` subcommand for one topic: open its page, run it, and save a picture in each theme."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PySide6.QtCore import QDeadlineTimer, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from core.contracts.errors import TilescopeError
from core.contracts.events import Cancelled, Event, Failed
from core.contracts.params import Params
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.engine.addresses import SchedulerAddress, Target, target_of
from gui import theme
from gui.page.engine_bridge import EngineBridge
from gui.page.page import Page
from gui.window.app import build_app, make_engine
from gui.window.garbage import collected_on_gui_thread
from gui.window.main_window import MainWindow, OpenPage
from gui.window.picture import FOOTER_PX, save_picture
from gui.window.qt_messages import size_hint_warnings_dropped
from gui.window.settings import Settings

_SETTLE_MS = 120
_DRAWN_WITHIN_MS = 60_000


def render(
    topic: Topic,
    params: Params,
    *,
    themes: Sequence[str],
    size: tuple[int, int],
    device: Target,
    out: Path,
    run: bool = True,
    formats: Sequence[str] = ("png",),
) -> Iterator[Path]:
    """Run a topic once and save its page in each theme as OUT/TOPIC-THEME.png; yields the paths.

    `size` is in pixels of the picture, footer included; `device` may be a scheduler's address.
    Raises TilescopeError where the run fails or a file cannot be written.
    """
    app = build_app(themes[0])
    with TemporaryDirectory() as folder, size_hint_warnings_dropped(), collected_on_gui_thread():
        target = target_of(device)
        address = target if isinstance(target, SchedulerAddress) else None
        bridge = EngineBridge(partial(make_engine, address))
        window = MainWindow(bridge, Settings(Path(folder) / "settings.ini"))
        try:
            opened = _show_page(window, topic, params, size)
            if run:
                _run_to_the_end(bridge, opened, target if isinstance(target, str) else "auto")
                _wait_until_drawn(opened.page)
            for name in themes:
                theme.apply(app, name)
                _settle()
                _wait_until_drawn(opened.page)
                for suffix in formats:
                    path = out / f"{topic.id}-{name}.{suffix}"
                    save_picture(window.body, window.footer, path, scale=1.0)
                    yield path
        finally:
            window.close()
            bridge.close()
            window.deleteLater()


def _show_page(window: MainWindow, topic: Topic, params: Params, size: tuple[int, int]) -> OpenPage:
    window.menuBar().hide()
    window.status.hide()
    window.resize(size[0], size[1] - FOOTER_PX)
    window.show()
    opened = window.open_page(topic.id)
    if opened is None:
        raise TilescopeError(tr("The page {topic} could not be opened.", topic=topic.id))
    opened.page.form.set_params(params)
    opened.controller.show_plan()
    _settle()
    _wait_until(lambda: not opened.controller.planning)
    return opened


def _run_to_the_end(bridge: EngineBridge, opened: OpenPage, device: str) -> None:
    """Run and wait, in an event loop, for the run's terminal event, or until the parameters are refused."""
    loop = QEventLoop()
    terminal_events: list[Event] = []

    def watch(_run: Any, event: Event) -> None:
        if not opened.controller.running:
            terminal_events.append(event)

    bridge.run_event.connect(watch)
    opened.controller.run(device)
    poll = QTimer(interval=_SETTLE_MS)
    poll.timeout.connect(lambda: None if opened.controller.running else loop.quit())
    poll.start()
    loop.exec()
    poll.stop()
    bridge.run_event.disconnect(watch)
    if not terminal_events:
        raise TilescopeError(opened.page.banner.sentence or tr("The run could not be started: try again."))
    match terminal_events[-1]:
        case Failed(sentence=sentence):
            raise TilescopeError(sentence)
        case Cancelled(reason=reason):
            raise TilescopeError(tr("The run was {reason}.", reason=reason))


def _wait_until_drawn(page: Page) -> None:
    """Wait, up to a limit, for what other threads draw."""
    _wait_until(lambda: not page.drawing)


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = QDeadlineTimer(_DRAWN_WITHIN_MS)
    while not condition() and not deadline.hasExpired():
        _settle()


def _settle() -> None:
    """Let layouts and queued repaints finish."""
    loop = QEventLoop()
    QTimer.singleShot(_SETTLE_MS, loop.quit)
    loop.exec()
    QApplication.sendPostedEvents()
