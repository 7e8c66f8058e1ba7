"""What the window can do beside showing its pages: files, demos, tours, devices, and the actions of its menus.

Nobody can use them before the window is seen, so they are imported and made after its first paint.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication

from gui.demos.demos import Demos
from gui.devices.devices import Devices
from gui.page.file_writing import FileWriter
from gui.window.actions import menus_of
from gui.window.demo_stage import DemoStage
from gui.window.file_drops import FileDrops
from gui.window.keys import KeyGuard
from gui.window.recent_files import RecentFiles
from gui.window.run_files import RunFiles
from gui.window.tours import Tours

if TYPE_CHECKING:
    from gui.page.engine_bridge import EngineBridge
    from gui.window.actions import Menu
    from gui.window.settings import Settings


class Tools(QObject):
    """One of each. `menus` is the table of all actions; it needs the window to have its tools, so it is made last."""

    def __init__(self, window: Any, bridge: EngineBridge, settings: Settings) -> None:
        """`window` is a MainWindow: a widget, and what each tool says that it needs."""
        super().__init__(window)
        self._window = window
        self.writer = FileWriter(window)
        self.run_files = RunFiles(window, window)
        self.recent_files = RecentFiles(window, settings, self.run_files.open, window)
        self.demos = Demos(DemoStage(window), window)
        self.tours = Tours(window, settings, window)
        self.devices = Devices(settings, bridge, window.built_pages, window)
        FileDrops(window, self.run_files.open)
        self.run_files.opened.connect(self.recent_files.add_run)
        self.run_files.demo_found.connect(lambda path: self.demos.play_file(Path(path)))
        self.run_files.saver.told.connect(window.show_news)
        window.stack.currentChanged.connect(lambda _: self.demos.recorder.page_changed(window.current))
        self._key_guard = KeyGuard(self)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._key_guard.follow)
        self._key_guard.follow(None, app.focusWidget())
        window.stack.live  # noqa: B018 - runs that begin elsewhere are seen, too
        self._menus: tuple[Menu, ...] = ()

    @property
    def menus(self) -> tuple[Menu, ...]:
        self._menus = self._menus or menus_of(self._window)
        return self._menus
