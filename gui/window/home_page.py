"""The home page in the window: it is built on the first visit, beside the pages of the topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QVBoxLayout

from gui.window.navigation import HOME, Navigation
from gui.window.visiting import Visited, visit

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from core.contracts.text import Text
    from core.questions.question import Question
    from gui.home.home import Home
    from gui.page.engine_bridge import EngineBridge
    from gui.window.asked_bar import AskedBar
    from gui.window.history import HistoryKeeper
    from gui.window.page_stack import PageStack
    from gui.window.settings import Settings


class Window(Visited, Protocol):
    """What the home page needs of the window."""

    @property
    def stack(self) -> PageStack: ...
    @property
    def navigation(self) -> Navigation: ...


class HomePage(QObject):
    """Opens home, and does there what the actions of the window ask for. `above_pages` has room for the question that a
    page was opened with."""

    def __init__(self, window: Window, bridge: EngineBridge, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self._window, self._bridge, self._settings = window, bridge, settings
        self.home: Home | None = None
        self.asked: AskedBar | None = None
        self.above_pages = QVBoxLayout()

    @property
    def in_view(self) -> Home | None:
        """Home, if it is what the window shows."""
        return self.home if self._window.stack.currentWidget() is self.home else None

    @property
    def is_last(self) -> bool:
        """Whether the last session ended here, or this is the first one."""
        return self._settings.page not in self._window.stack.topics

    def open(self) -> Home:
        """Show the questions."""
        if self.home is None:
            from gui.home.home import Home

            keeper: HistoryKeeper | None = self._window.keeper
            self.home = Home(self._bridge, keeper)
            self.home.visit_requested.connect(lambda place, run_id: visit(self._window, place, run_id))
            self.home.question_opened.connect(self.show_asked)
            self._window.stack.addWidget(self.home)
        self._window.navigation.show_topic(HOME)
        self._window.stack.setCurrentWidget(self.home)
        self.home.setFocus()
        self._settings.page = HOME
        return self.home

    def run(self) -> None:
        """Make the run of the question in view."""
        if self.in_view is not None:
            self.in_view.run()

    def check_all(self) -> None:
        self.open().check_all()

    def review(self) -> None:
        self.open().start_review()

    def show_error(self, sentence: Text | str, detail: str = "") -> bool:
        """False if home is not in view."""
        if self.in_view is None:
            return False
        self.in_view.show_error(sentence, detail)
        return True

    def dismiss(self) -> None:
        if self.in_view is not None:
            self.in_view.dismiss()

    def show_asked(self, question: Question) -> None:
        """The page that is in view now says which question it answers."""
        if self.asked is None:
            from gui.window.asked_bar import AskedBar

            self.asked = AskedBar(self._window.stack)
            self.above_pages.addWidget(self.asked)
        opened = self._window.stack.current
        if opened is not None and opened.page.topic.id == question.page:
            self.asked.show_question(question)

    def close_down(self) -> None:
        """The window closes: nothing goes on in the background."""
        if self.home is not None:
            self.home.close_down()
