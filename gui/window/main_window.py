"""The window: navigation at the left, pages built on first visit, menu, keys and status bar."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QPaintEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QWidget,
)

from core import language
from core.contracts import registry
from core.contracts.errors import TilescopeError
from core.contracts.params import Params
from core.contracts.text import Text, tr
from core.contracts.topic import Topic
from gui import theme, translation
from gui.page.controller import Controller
from gui.page.engine_bridge import EngineBridge
from gui.page.export import write_picture
from gui.page.file_writing import FileWriter
from gui.page.page import Page
from gui.page.page_layout import is_layout
from gui.pages import PAGES
from gui.translation import show_text
from gui.window.geometry import place_window
from gui.window.history import HistoryKeeper, PageHistory
from gui.window.keys import KeyGuard, shortcuts_as_html
from gui.window.menus import Entry, build_menus
from gui.window.navigation import Navigation
from gui.window.picture import footer_text, picture_of
from gui.window.settings import Settings
from gui.window.status_bar import StatusBar, memory_of_children_bytes

_DEFAULT_SIZE_PX = (1600, 1000)
_FALLBACK_FIRST_PAINT_MS = 500
_NEWS_MS = 5000


@dataclass(frozen=True)
class OpenPage:
    """A page that was visited, with what drives it."""

    page: Page
    controller: Controller


class MainWindow(QMainWindow):
    """`first_painted` fires once, when the user can see the window: heavy work starts after it."""

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
        self._bridge, self._settings, self._page_classes = bridge, settings, pages
        self._keeper = keeper
        self._writer = FileWriter(self)
        self._topics = dict(topics) if topics is not None else {name: registry.topic(name) for name in registry.TOPICS}
        self._open: dict[str, OpenPage] = {}
        self._paint_wait = QTimer(self)
        self._paint_wait.setSingleShot(True)
        self._paint_wait.timeout.connect(self._announce_first_paint)
        self._announced = False
        self.setWindowTitle("Tilescope")
        self.navigation = Navigation(list(self._topics.values()))
        self.stack = QStackedWidget()
        self.status = StatusBar(memory_of_children_bytes)
        self._lay_out()
        build_menus(self.menuBar(), self._menus())
        self._key_guard = KeyGuard(self)
        _application().focusChanged.connect(self._key_guard.follow)
        self.navigation.topic_chosen.connect(self.open_page)
        self.navigation.theme_toggled.connect(self.toggle_theme)
        self.navigation.language_toggled.connect(self.toggle_language)
        bridge.state_changed.connect(self.status.show_state)
        if keeper is not None:
            keeper.notice.connect(self._show_news)
        place_window(self, QSize(*_DEFAULT_SIZE_PX), settings.geometry)

    # Pages

    @property
    def current(self) -> OpenPage | None:
        """The page in view, None before the first one is built."""
        shown = self.stack.currentWidget()
        return next((opened for opened in self._open.values() if opened.page is shown), None)

    def open_last_page(self) -> None:
        """The page that was open when the window was last closed, or the first."""
        last = self._settings.page
        self.open_page(last if last in self._topics else next(iter(self._topics)))
        if self._settings.problem is not None:
            self.show_error(self._settings.problem)
            self._settings.problem = None

    def open_page(self, topic_id: str) -> OpenPage | None:
        """Show a page, building it on the first visit. None where it cannot be built: the window says why."""
        self.navigation.show_topic(topic_id)
        if topic_id not in self._open:
            try:
                self._open[topic_id] = self._build(topic_id)
            except Exception as error:
                self._show_broken(topic_id, error)
                return None
        opened = self._open[topic_id]
        self.stack.setCurrentWidget(opened.page)
        opened.page.setFocus()
        self._settings.page = topic_id
        return opened

    def _build(self, topic_id: str) -> OpenPage:
        theme.configure_pyqtgraph()
        module, name = self._page_classes[topic_id].split(":")
        topic = self._topics[topic_id]
        page: Page = getattr(importlib.import_module(module), name)(topic)
        state = self._settings.page_state(topic_id)
        remembered, params = state or {}, None
        if is_layout(remembered):
            page.restore_layout(remembered)
            params = _params_of(topic, remembered.get("params", {}))
        page.form.set_params(topic.params() if params is None else params)
        controller = Controller(topic, page, self._bridge, self)
        self.stack.addWidget(page)
        controller.show_plan()
        if self._keeper is not None:
            PageHistory(page, controller, self._keeper)
        if state is None or params is None:
            page.show_error(
                tr("What was remembered of this page could not be read, or no longer fits: it has its defaults.")
            )
        return OpenPage(page, controller)

    def _show_broken(self, topic_id: str, error: Exception) -> None:
        traceback.print_exception(error)
        label = QLabel()
        reason = f"{type(error).__name__}: {error}"
        sentence = tr("The page {topic} could not be opened: {error}", topic=topic_id, error=reason)
        show_text(label.setText, error.text if isinstance(error, TilescopeError) else sentence)
        label.setProperty("role", "empty")
        label.setMargin(48)
        label.setWordWrap(True)
        self.stack.addWidget(label)
        self.stack.setCurrentWidget(label)

    # What menus and keys do

    def run(self) -> None:
        if self.current is not None:
            self.current.page.run_bar.request_run()

    def _on_page(self, work: Callable[[Page], object]) -> Callable[[], None]:
        """`work` on the page in view, if there is one."""

        def action() -> None:
            if self.current is not None:
                work(self.current.page)

        return action

    def _clear_result(self) -> None:
        if self.current is not None:
            self.current.controller.clear()

    def _menus(self) -> list[tuple[Text, list[Entry]]]:
        """Every action of the window with its keys."""
        on_page = self._on_page
        pages: list[Entry] = [
            (topic.title, partial(self.open_page, topic.id), (f"Ctrl+{number}",) if number <= 9 else ())
            for number, topic in enumerate(self._topics.values(), start=1)
        ]
        file: list[Entry] = [
            (tr("Save picture…"), self.save_picture, ("Ctrl+S",)),
            None,
            (tr("Quit"), self.close, ("Ctrl+Q",)),
        ]
        edit: list[Entry] = [
            (tr("Undo"), on_page(lambda page: page.form.undo_stack.undo()), ("Ctrl+Z",)),
            (tr("Redo"), on_page(lambda page: page.form.undo_stack.redo()), ("Ctrl+Shift+Z",)),
            (tr("Default parameters"), on_page(lambda page: page.form.reset()), ()),
        ]
        run: list[Entry] = [
            (tr("Run"), self.run, ("F5", "Ctrl+R")),
            (tr("Cancel"), on_page(lambda page: page.dismiss()), ("Esc",)),
            (tr("Clear result"), self._clear_result, ()),
            None,
            (tr("Restart worker"), self._bridge.restart, ()),
        ]
        play: list[Entry] = [
            (tr("Play or pause"), on_page(lambda page: page.toggle_play()), ("Space",)),
            (tr("Step back"), on_page(lambda page: page.step(-1)), ("Left",)),
            (tr("Step forward"), on_page(lambda page: page.step(1)), ("Right",)),
        ]
        view: list[Entry] = [
            *pages,
            None,
            (tr("Show or hide the parameters"), on_page(_toggle_side), ("Ctrl+B",)),
            (tr("Expand or collapse the tabs"), on_page(lambda page: page.lower.toggle()), ("Ctrl+J",)),
            (tr("Switch between dark and light"), self.toggle_theme, ("Ctrl+T",)),
            (tr("Switch between English and Chinese"), self.toggle_language, ("Ctrl+L",)),
        ]
        return [
            (tr("&File"), file),
            (tr("&Edit"), edit),
            (tr("&Run"), run),
            (tr("&Play"), play),
            (tr("&View"), view),
            (tr("&Help"), [(tr("Keyboard shortcuts"), self.show_shortcuts, ("F1",))]),
        ]

    def toggle_theme(self) -> None:
        self.set_theme("light" if theme.current().is_dark else "dark")

    def set_theme(self, name: str) -> None:
        theme.apply(_application(), name)
        self._settings.theme = name

    def toggle_language(self) -> None:
        self.set_language(language.following())

    def set_language(self, code: str) -> None:
        translation.use(code)
        self._settings.language = code

    @property
    def footer(self) -> str:
        """The line under a picture of the window."""
        if self.current is None:
            return footer_text(None, None)
        return footer_text(self.current.page.topic.id, self.current.controller.result)

    def save_picture(self) -> None:
        """Ask for a name and save the window with its footer, as `screenshot` does."""
        name = f"{self._settings.page or 'tilescope'}.png"
        title, kinds = str(tr("Save picture")), str(tr("Pictures (*.png *.svg)"))
        path, _ = QFileDialog.getSaveFileName(self, title, name, kinds)
        if path:
            target = Path(path)
            picture = picture_of(self.body, self.footer, target)
            self._writer.write(target, lambda: write_picture(target, picture))

    def show_shortcuts(self) -> None:
        box = QMessageBox(QMessageBox.Icon.NoIcon, str(tr("Keyboard shortcuts")), shortcuts_as_html(), parent=self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def show_error(self, sentence: Text | str, detail: str = "") -> None:
        """In place: in the banner of the page in view, or in the status bar before there is one."""
        if self.current is not None:
            self.current.page.show_error(sentence, detail)
        else:
            self.status.showMessage(str(sentence))

    def _show_news(self, sentence: Text, is_error: bool) -> None:
        if is_error:
            self.show_error(sentence)
        else:
            self.status.showMessage(str(sentence), _NEWS_MS)

    # Life

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._announced:
            self._paint_wait.start(0)

    def showEvent(self, event: QShowEvent) -> None:
        """A window that is covered or minimised may not be painted for long: what waits for it starts anyway."""
        super().showEvent(event)
        if not self._announced:
            self._paint_wait.start(_FALLBACK_FIRST_PAINT_MS)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember everything. The engine is closed by the application, after the window is gone."""
        self._paint_wait.stop()
        self._settings.geometry = self.saveGeometry()
        for topic_id, opened in self._open.items():
            self._settings.set_page_state(topic_id, opened.page.save_state())
        self._settings.sync()
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
        layout.addWidget(self.stack, 1)
        self.setCentralWidget(self.body)
        self.setStatusBar(self.status)


def _application() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app


def _toggle_side(page: Page) -> None:
    page.side.setVisible(page.side.isHidden())


def _params_of(topic: Topic, values: Mapping[str, Any]) -> Params | None:
    """The remembered parameters; None where they no longer fit."""
    try:
        return topic.params.parse(values)
    except TilescopeError:
        return None
