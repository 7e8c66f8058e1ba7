"""Where the command palette gets its entries. Files and history are read off the GUI thread, once it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal

from core import examples, notes
from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text
from core.palette.assignment import assignments, name_in
from core.palette.entry import Category, Entry
from core.palette.search import split_prefix
from core.questions import QuestionBook, shipped_questions
from gui.widgets.latest_work import LatestWork
from gui.window import palette_entries
from gui.window.actions import Menu, actions_in

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.topic import Topic
    from core.engine.history import HistoryEntry
    from gui.window.page_stack import PageStack
    from gui.window.recent_files import RecentFiles
    from gui.window.settings import Settings

_MOST_RECENT = 30
_MOST_RUNS = 40


class Window(palette_entries.Window, Protocol):
    """What the source needs of the window."""

    menus: tuple[Menu, ...]

    @property
    def stack(self) -> PageStack: ...
    @property
    def recent_files(self) -> RecentFiles: ...


@dataclass(frozen=True)
class _Texts:
    """What is read from files, once."""

    book: QuestionBook
    headings: tuple[notes.Heading, ...]
    examples: tuple[examples.Example, ...]


class PaletteSource(QObject):
    """`changed` says that more entries are there than when `entries` was last called."""

    changed = Signal()

    def __init__(self, window: Window, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self._window, self._settings = window, settings
        self._texts: _Texts | None = None
        self._runs: tuple[HistoryEntry, ...] = ()
        self._reading = LatestWork(self)
        self._reading.done.connect(self._take_texts)
        self._reading.failed.connect(window.show_error)
        if window.keeper is not None:
            window.keeper.newest_listed.connect(self._take_runs)

    @property
    def page(self) -> str:
        return self._window.stack.view

    @property
    def recent(self) -> Sequence[str]:
        return self._settings.palette_recent

    def remember(self, entry_id: str) -> None:
        """The entry was chosen: it goes before the others from now on."""
        others = [each for each in self._settings.palette_recent if each != entry_id]
        self._settings.palette_recent = [entry_id, *others][:_MOST_RECENT]

    def entries(self) -> Sequence[Entry]:
        if self._texts is None and not self._reading.busy:
            topics = tuple(self._window.stack.topics)
            self._reading.request(lambda: _read(topics))
        if self._window.keeper is not None:
            self._window.keeper.list_newest(_MOST_RUNS)
        return list(self._all())

    def typed(self, query: str) -> tuple[Sequence[Entry], str, Text]:
        """Parameters with a value; the rows below them are those of the name. The sentence is about a value that the
        page in view cannot have, or a name before '=' that it does not know."""
        prefix, words = split_prefix(query)
        if prefix not in ("", Category.PARAMETER.prefix):
            return (), query, EMPTY
        found = assignments(words, self._topics(), self._window.stack.params_of)
        if not found:
            return (), query, self._unknown(words)
        if found[0].problem is not None:
            return (), f"{prefix}{found[0].spec.name}", found[0].problem
        settable = [palette_entries.of_assignment(self._window, each) for each in found]
        return settable, f"{prefix}{found[0].spec.name}", EMPTY

    def _unknown(self, words: str) -> Text:
        """What is wrong with a name before '='; empty where the page in view has a parameter of that name."""
        name, topics = name_in(words), self._topics()
        if not name or " " in name or not topics:
            return EMPTY
        try:
            topics[0].params.parse({name: ""})
        except TilescopeError as error:
            return error.text if name not in topics[0].params.model_fields else EMPTY
        return EMPTY

    def _topics(self) -> list[Topic]:
        """That of the page in view first."""
        return sorted(self._window.stack.topics.values(), key=lambda topic: topic.id != self.page)

    def _all(self) -> Iterator[Entry]:
        window, topics = self._window, list(self._window.stack.topics.values())
        params_of: Callable[[Topic], Params] = window.stack.params_of
        yield from palette_entries.of_actions(actions_in(window.menus))
        yield from palette_entries.of_parameters(window, topics, params_of)
        yield from palette_entries.of_claims(window, topics)
        yield from palette_entries.of_files(window.recent_files, topics)
        yield from palette_entries.of_runs(window, self._runs, topics)
        if self._texts is not None:
            yield from palette_entries.of_questions(window, self._texts.book, topics)
            yield from palette_entries.of_headings(window, self._texts.headings, topics)
            yield from palette_entries.of_examples(window, self._texts.examples, topics)

    def _take_texts(self, texts: _Texts) -> None:
        self._texts = texts
        self.changed.emit()

    def _take_runs(self, runs: tuple[HistoryEntry, ...]) -> None:
        if [run.id for run in runs] != [run.id for run in self._runs]:
            self._runs = runs
            self.changed.emit()


def _read(topics: Sequence[str]) -> _Texts:
    headings = tuple(heading for topic in topics for heading in notes.headings(topic))
    return _Texts(shipped_questions(), headings, examples.examples())
