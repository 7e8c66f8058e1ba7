"""The window: navigation at the left, the pages, menu, keys and status bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QFileDialog, QHBoxLayout, QMainWindow, QVBoxLayout, QWidget

from core import language
from core.contracts import registry
from core.contracts.text import Text, tr
from gui import motion, theme, translation, zoom
from gui.pages import PAGES
from gui.window.geometry import keep_on_screen, place_window
from gui.window.home_page import HomePage
from gui.window.menu_titles import name_menus
from gui.window.navigation import Navigation
from gui.window.offer_bar import OfferBar
from gui.window.page_stack import PageStack
from gui.window.status_bar import StatusBar, memory_of_children_bytes

if TYPE_CHECKING:
    from PySide6.QtGui import QCloseEvent, QPaintEvent, QShowEvent

    from core.contracts.topic import Topic
    from gui.demos.demos import Demos
    from gui.devices.devices import Devices
    from gui.page.engine_bridge import EngineBridge
    from gui.page.page import Page
    from gui.palette.palette import CommandPalette
    from gui.window.actions import Menu
    from gui.window.history import HistoryKeeper
    from gui.window.open_page import OpenPage
    from gui.window.recent_files import RecentFiles
    from gui.window.run_files import RunFiles
    from gui.window.settings import Settings
    from gui.window.tools import Tools
    from gui.window.tours import Tours

_DEFAULT_SIZE_PX = (1600, 1000)
_FALLBACK_FIRST_PAINT_MS = 500
_NEWS_MS = 5000


class MainWindow(QMainWindow):
    """`first_painted` fires once, when the user can see the window: heavy work starts after it.

    What the window can do is listed in `gui.window.actions`; how pages are built is in `gui.window.page_stack`.
    """

    first_painted = Signal()

    def __init__(
        self,
        bridge: EngineBridge,
        settings: Settings,
        topics: Mapping[str, Topic] | None = None,
        pages: Mapping[str, str] = PAGES,
        keeper: HistoryKeeper | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        if not _application().styleSheet():
            theme.dress(self)
        self._bridge, self._settings, self.keeper = bridge, settings, keeper
        topics = registry.Topics() if topics is None else dict(topics)
        self._paint_wait = QTimer(self)
        self._paint_wait.setSingleShot(True)
        self._paint_wait.timeout.connect(self._announce_first_paint)
        self._announced = False
        self.setWindowTitle("Tilescope")
        self.navigation = Navigation(registry.headings_of(topics))
        self.stack = PageStack(topics, pages, bridge, settings, keeper)
        self.home = HomePage(self, bridge, settings, self)
        self.offer = OfferBar()
        self.status = StatusBar(memory_of_children_bytes)
        self.stack.page_built.connect(lambda opened: self.devices.offer_on(opened.page))
        self._lay_out()
        name_menus(self.menuBar())
        self.command_palette: CommandPalette | None = None
        self.navigation.topic_chosen.connect(self.open_page)
        self.navigation.home_chosen.connect(self.home.open)
        self.navigation.theme_toggled.connect(self.toggle_theme)
        self.navigation.language_toggled.connect(self.toggle_language)
        bridge.state_changed.connect(self.status.show_state)
        if keeper is not None:
            keeper.notice.connect(self.show_news)
        self.first_painted.connect(self.equip)
        place_window(self, QSize(*_DEFAULT_SIZE_PX), settings.geometry)
        self._sizes = self.size(), QSize()

    # Tools

    def equip(self) -> None:
        """Make what the window can do beside showing pages. The first paint calls it; until then it shows its page."""
        from gui.window.menus import fill_menus

        fill_menus(self.menuBar(), self.menus)

    @cached_property
    def tools(self) -> Tools:
        """Made when one of them is first asked for: at the latest after the first paint."""
        from gui.window.tools import Tools

        tools = Tools(self, self._bridge, self._settings)
        self._below_pages.addWidget(tools.demos.bars)
        return tools

    @property
    def run_files(self) -> RunFiles:
        return self.tools.run_files

    @property
    def recent_files(self) -> RecentFiles:
        return self.tools.recent_files

    @property
    def demos(self) -> Demos:
        return self.tools.demos

    @property
    def tours(self) -> Tours:
        return self.tools.tours

    @property
    def devices(self) -> Devices:
        return self.tools.devices

    @property
    def menus(self) -> tuple[Menu, ...]:
        return self.tools.menus

    # Pages

    @property
    def current(self) -> OpenPage | None:
        """The page in view; None before the first one is built, and where what is in view is no page of a topic."""
        return self.stack.current

    def open_last_page(self) -> None:
        """The page that was open when the window was last closed; home at the first start."""
        if self.home.is_last:
            self.home.open()
        else:
            self.open_page(self._settings.page)
        if self._settings.problem is not None:
            self.show_error(self._settings.problem)
            self._settings.problem = None

    def open_page(self, topic_id: str) -> OpenPage | None:
        """Show a page, building it on the first visit. None where it cannot be built: the window says why."""
        self.navigation.show_topic(topic_id)
        opened = self.stack.open(topic_id)
        if opened is not None:
            self._settings.page = topic_id
        return opened

    def built_pages(self) -> Iterator[Page]:
        """The pages of topics that were visited."""
        return (opened.page for opened in self.stack.opened.values())

    # What the actions do

    def run(self) -> None:
        if self.current is not None:
            self.current.page.run_bar.request_run()
        else:
            self.home.run()

    def dismiss(self) -> None:
        """What Escape does."""
        if self.tours.end() or self.demos.leave():
            return
        if self.current is not None:
            self.current.page.dismiss()
        else:
            self.home.dismiss()

    def clear_result(self) -> None:
        if self.current is not None:
            self.current.controller.clear()

    def restart_worker(self) -> None:
        self._bridge.restart()

    def toggle_live(self) -> None:
        self.stack.live.set_enabled(not self.stack.live.enabled)

    def toggle_theme(self) -> None:
        self.set_theme("light" if theme.current().is_dark else "dark")

    def set_theme(self, name: str) -> None:
        theme.apply(_application(), name)
        self._settings.theme = name

    def change_text_size(self, steps: int) -> None:
        """Make texts so many steps larger, or smaller; 0 gives them their usual size again."""
        factor = zoom.stepped(steps) if steps else 1.0
        if factor != zoom.factor():
            view, size = self.stack.view, self._chosen_size()
            self.setUpdatesEnabled(False)
            self.stack.put_away()
            theme.set_zoom(_application(), factor)
            self._settings.zoom = factor
            if view:
                self.stack.open(view)
            self.setUpdatesEnabled(True)
            if self.command_palette is not None:
                self.command_palette.deleteLater()
                self.command_palette = None
            QTimer.singleShot(0, self, lambda: self._take_size(size))  # once it has been laid out
        self.status.showMessage(str(tr("Text size {percent}%", percent=round(100 * factor))), _NEWS_MS)

    def _chosen_size(self) -> QSize:
        """The size that the window had before large texts made it grow, unless the user has changed it since."""
        chosen, grown = self._sizes
        return chosen if self.size() == grown else self.size()

    def _take_size(self, chosen: QSize) -> None:
        """As large as chosen, or as the texts need."""
        if not self.windowState() & (Qt.WindowState.WindowMaximized | Qt.WindowState.WindowFullScreen):
            self.resize(chosen)
        keep_on_screen(self)
        self._sizes = chosen, self.size()

    def toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def toggle_language(self) -> None:
        self.set_language(language.following())

    def set_language(self, code: str) -> None:
        translation.use(code)
        self._settings.language = code

    @property
    def footer(self) -> str:
        """The line under a picture of the window."""
        from gui.window.picture import footer_text

        if self.current is None:
            return footer_text(None, None)
        controller = self.current.controller
        return footer_text(self.current.page.topic.id, controller.result, controller.recorded)

    def save_picture(self) -> None:
        """Ask for a name and save the window with its footer, as `screenshot` does."""
        name = f"{self._settings.page or 'tilescope'}.png"
        title, kinds = str(tr("Save picture")), str(tr("Pictures (*.png *.svg)"))
        path, _ = QFileDialog.getSaveFileName(self, title, name, kinds)
        if path:
            from gui.page.export import write_picture
            from gui.window.picture import picture_of

            target = Path(path)
            picture = picture_of(self.body, self.footer, target)
            self.tools.writer.write(target, lambda: write_picture(target, picture))

    def print_page(self) -> None:
        """The window as a picture, with its footer. Of a page, also the cards that are cut in it, and its parameters,
        claims and numbers as tables."""
        from gui.page.printing import ask_and_print

        page = None if self.current is None else self.current.page
        cut, tables = ([], []) if page is None else (page.stage.cut_cards, page.printed_tables)
        ask_and_print(self, [self.body, *cut], self.footer, tables)

    def toggle_motion(self) -> None:
        reduced = not motion.is_reduced()
        motion.use(reduced=reduced)
        self._settings.reduced_motion = reduced
        self.show_news(tr("Motion is reduced.") if reduced else tr("Motion is no longer reduced."), False)

    def toggle_palette(self) -> None:
        """Open the command palette, or close it. It is made when it is first opened."""
        if self.command_palette is None:
            from gui.palette.palette import CommandPalette
            from gui.window.palette_source import PaletteSource

            source = PaletteSource(self, self._settings, self)
            self.command_palette = CommandPalette(source, self)
            self.command_palette.chose.connect(source.remember)
            source.changed.connect(self.command_palette.refresh_entries)
        self.command_palette.toggle()

    def show_shortcuts(self) -> None:
        from gui.window.shortcuts import ShortcutsDialog

        ShortcutsDialog(self.menus, self).open()

    def show_error(self, sentence: Text | str, detail: str = "") -> None:
        """In place: in the banner of the page in view, or in the status bar before there is one."""
        if self.current is not None:
            self.current.page.show_error(sentence, detail)
        elif not self.home.show_error(sentence, detail):
            self.status.showMessage(str(sentence))

    def show_news(self, sentence: Text, is_error: bool) -> None:
        if is_error:
            self.show_error(sentence)
        else:
            self.status.showMessage(str(sentence), _NEWS_MS)

    # Life

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._announced and not (self._paint_wait.isActive() and self._paint_wait.interval() == 0):
            self._paint_wait.start(0)  # once: what waits for the first paint does not wait for the second

    def showEvent(self, event: QShowEvent) -> None:
        """A window that is covered or minimised may not be painted for long: what waits for it starts anyway."""
        super().showEvent(event)
        if not self._announced:
            self._paint_wait.start(_FALLBACK_FIRST_PAINT_MS)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember everything. The engine is closed by the application, after the window is gone."""
        if self.demos.keeps_recording():
            event.ignore()
            return
        self._paint_wait.stop()
        self.demos.leave()
        self._settings.geometry = self.saveGeometry()
        self.stack.remember()
        self._settings.sync()
        self.home.close_down()
        super().closeEvent(event)

    def _announce_first_paint(self) -> None:
        if not self._announced:
            self._announced = True
            self.first_painted.emit()

    def _lay_out(self) -> None:
        self.body = QWidget()
        layout = QHBoxLayout(self.body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.navigation)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.offer)
        right.addLayout(self.home.above_pages)
        right.addWidget(self.stack, 1)
        layout.addLayout(right, 1)
        below = self._below_pages = QVBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(0)
        below.addWidget(self.body, 1)
        centre = QWidget()
        centre.setLayout(below)
        self.setCentralWidget(centre)
        self.setStatusBar(self.status)


def _application() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app
