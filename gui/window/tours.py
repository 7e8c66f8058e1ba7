"""The tour of the window, and what to look at on a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject

from core.contracts.text import tr
from core.marks import Mark, marks_of
from gui.tour.spotlight import Spotlight
from gui.tour.stop import Stop

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from gui.window.home_page import HomePage
    from gui.window.open_page import OpenPage
    from gui.window.page_stack import PageStack
    from gui.window.settings import Settings

_WORDS = (
    (
        tr("Questions"),
        tr(
            "Begin here: what people are asked about language models. Each question has an answer and the evidence for "
            "it. Type to search."
        ),
    ),
    (
        tr("Parameters"),
        tr(
            "Each page has its parameters here. The pictures follow at once; until there is a run, they are computed "
            "by formulas."
        ),
    ),
    (
        tr("Run"),
        tr(
            "Run (F5) executes the real kernels or trains the real model, in a process of its own. Short runs begin by "
            "themselves."
        ),
    ),
    (
        tr("Pictures"),
        tr(
            "Pick something in one picture, and all others show it too. The badge says where the numbers come from. "
            "The menu of a card copies, saves or maximises it."
        ),
    ),
    (
        tr("Claims"),
        tr(
            "What is said about the topic, with the verdict of the run. Ctrl+K finds everything else: pages, actions, "
            "parameters and questions."
        ),
    ),
)
"""The title and the words of each stop."""


class Toured(Protocol):
    """What a tour needs of the window."""

    @property
    def stack(self) -> PageStack: ...
    @property
    def home(self) -> HomePage: ...
    def open_page(self, topic_id: str) -> OpenPage | None: ...


class Tours(QObject):
    """At most one is shown at a time."""

    def __init__(self, window: Toured, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self._window, self._settings, self._parent = window, settings, parent
        self.shown: Spotlight | None = None

    def begin_once(self) -> None:
        """The tour, at the first start only."""
        if not self._settings.toured:
            self.begin()

    def begin(self) -> None:
        """The tour: five stops, from the questions to the claims. It ends where it began."""
        self._settings.toured = True
        window = self._window
        before = window.stack.current
        first = next(iter(window.stack.topics))

        def part(of: Callable[[OpenPage], QWidget]) -> QWidget | None:
            opened = window.open_page(first)
            return None if opened is None else of(opened)

        def return_to_start() -> None:
            if before is None:
                window.home.open()

        targets = (
            window.home.open,
            partial(part, lambda opened: opened.page.form),
            partial(part, lambda opened: opened.page.run_bar),
            partial(part, lambda opened: opened.page.plots),
            partial(part, lambda opened: opened.page.lower.tabs),
        )
        stops = [Stop(title, text, target) for (title, text), target in zip(_WORDS, targets, strict=True)]
        self._show(stops, return_to_start)

    def show_marks(self) -> None:
        """What to look at on the page in view."""
        opened = self._window.stack.current
        if opened is not None:
            stops = [_stop(opened, mark) for mark in marks_of(opened.page.topic.id)]
            self._show(stops, lambda: None)

    def end(self) -> bool:
        """End what is shown. False where nothing is."""
        if self.shown is None:
            return False
        self.shown.end()
        return True

    def _show(self, stops: list[Stop] | tuple[Stop, ...], afterwards: Callable[[], object]) -> None:
        self.end()
        if not stops:
            return
        self.shown = Spotlight(self._parent, stops, [self._window.navigation.language_button])
        self.shown.ended.connect(self._forget)
        self.shown.ended.connect(afterwards)

    def _forget(self) -> None:
        self.shown = None


def _stop(opened: OpenPage, mark: Mark) -> Stop:
    card = opened.page.cards[mark.card]

    def reveal() -> QWidget:
        opened.page.stage.reveal(mark.card)
        return card

    return Stop(card.title, mark.read, reveal, mark.attempt)
