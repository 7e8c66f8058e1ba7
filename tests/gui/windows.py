"""Windows whose pages are toy pages: they are shown for a test, and closed after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.contracts.topic import Topic
from gui.page.engine_bridge import EngineBridge
from gui.pages import PAGES
from gui.window.history import HistoryKeeper
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.latest_work import join_latest_work

TOY = "tests.gui.doubles:ToyPage"


class Windows:
    """All windows share the bridge and the settings."""

    def __init__(self, bridge: EngineBridge, settings: Settings, qtbot: Any) -> None:
        self._bridge, self._settings, self._qtbot = bridge, settings, qtbot
        self._shown: list[MainWindow] = []

    def show(
        self,
        topics: Mapping[str, Topic] | None,
        pages: Mapping[str, str] | None = None,
        *,
        keeper: HistoryKeeper | None = None,
        size_px: tuple[int, int] | None = None,
    ) -> MainWindow:
        """An active window with these topics, each with a toy page unless it is in `pages`; None is all topics with
        their own pages. No page is open yet."""
        usual = PAGES if topics is None else dict.fromkeys(topics, TOY)
        window = MainWindow(self._bridge, self._settings, topics, {**usual, **(pages or {})}, keeper)
        self._shown.append(window)
        self._qtbot.addWidget(window)
        if size_px is not None:
            window.resize(*size_px)
        with self._qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        window.equip()  # as its first paint does, for which a test does not wait
        return window

    def close(self) -> None:
        """Close all of them, and wait for what they still read."""
        for window in self._shown:
            window.close()
        join_latest_work()
