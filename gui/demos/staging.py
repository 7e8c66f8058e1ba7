"""Brings the steps of a demo into view, and gives back what was there before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal

from core.contracts.text import tr
from core.demos.code import runs_foreign_code

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.place import Place
    from core.contracts.result import Result
    from core.demos.demo import Step
    from core.run_files import SavedRun
    from gui.page.card import Card
    from gui.page.controller import Controller
    from gui.page.page import Page
    from gui.page.selection import Selection


class OpenPage(Protocol):
    """A page with what drives it."""

    @property
    def page(self) -> Page: ...
    @property
    def controller(self) -> Controller: ...


class PageWindow(Protocol):
    """What a demo needs of the window. `visit` leads to a place, `reopen_run` shows a run of the history with the
    parameters of a page, or says `otherwise` that there is none, and `begin_anew` shows what a page opens with."""

    @property
    def current(self) -> OpenPage | None: ...
    def open_page(self, topic_id: str) -> OpenPage | None: ...
    def open_home(self) -> None: ...
    def visit(self, place: Place) -> OpenPage | None: ...
    def reopen_run(self, opened: OpenPage, otherwise: Callable[[], None]) -> None: ...
    def begin_anew(self, opened: OpenPage) -> None: ...


@dataclass(frozen=True)
class _Before:
    """A page as it was before the demo."""

    opened: OpenPage
    edits: int
    params: Params
    selection: Selection
    result: Result | None
    recorded: SavedRun | None
    maximised: Card | None

    @classmethod
    def of(cls, opened: OpenPage) -> _Before:
        page = opened.page
        return cls(
            opened,
            page.form.undo_stack.index(),
            page.form.params,
            page.selection.selection,
            opened.controller.result,
            opened.controller.recorded,
            page.plots.maximised,
        )

    def restore(self, window: PageWindow) -> None:
        page, controller = self.opened.page, self.opened.controller
        page.form.go_back(self.edits, self.params)
        controller.show_plan()
        if controller.result is not self.result:
            if self.result is None:
                controller.clear()
                window.begin_anew(self.opened)
            elif self.recorded is not None:
                controller.show_recorded(self.recorded)
            else:
                controller.show_result(self.result)
        page.selection.replace(self.selection)
        page.plots.maximise(self.maximised)


class Staging(QObject):
    """`ready` is emitted once a step is in view with its run, or with the reason why it has none."""

    ready = Signal()

    def __init__(self, window: PageWindow, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._window = window
        self.trusts_files = False
        """Whether a step may run a file that did not come with the program."""
        self._pages: dict[str, _Before] = {}
        self._page_before: str | None = None
        self._awaited: OpenPage | None = None
        self._selected: dict[str, tuple[str, ...]] = {}
        """The kinds that the newest step of each page has selected."""
        self._begun: set[str] = set()
        """The pages whose run, which still goes on, was begun by the demo and not by the user."""

    def begin(self) -> None:
        """Remember which page is in view."""
        current = self._window.current
        self._page_before = None if current is None else current.page.topic.id

    def show(self, step: Step) -> None:
        """Bring a step into view. A run that an earlier step still waits for is cancelled."""
        self._stop_waiting()
        opened = self._window.open_page(step.place.page)
        if opened is None:
            self.ready.emit()
            return
        self._pages.setdefault(step.place.page, _Before.of(opened))
        self._unselect(opened)
        self._window.visit(step.place)
        self._selected[step.place.page] = tuple(step.place.select)
        opened.page.plots.maximise(opened.page.cards.get(step.place.card) if step.alone else None)
        if not step.run or has_run(opened):
            self.ready.emit()
        elif runs_foreign_code(step.place) and not self.trusts_files:
            opened.page.show_error(
                tr("This step runs a file that did not come with Tilescope: look at it, and run it yourself (F5).")
            )
            self.ready.emit()
        else:
            self._await_run(opened)
            self._window.reopen_run(opened, lambda: self._run(opened))

    def _unselect(self, opened: OpenPage) -> None:
        """What an earlier step of the page selected does not stay; what the page selects by itself does."""
        kinds = self._selected.pop(opened.page.topic.id, ())
        opened.page.selection.update(**dict.fromkeys(kinds))

    def end(self) -> None:
        """Give back the pages as they were, and the page that was in view."""
        self._stop_waiting()
        for before in self._pages.values():
            before.restore(self._window)
        self._pages.clear()
        self._selected.clear()
        if self._page_before is None:
            self._window.open_home()
        else:
            self._window.open_page(self._page_before)

    def _await_run(self, opened: OpenPage) -> None:
        self._awaited = opened
        opened.page.presented.connect(self._look_at_result)
        opened.controller.ended.connect(self._look_at_end)

    def _run(self, opened: OpenPage) -> None:
        """Run, unless another step is shown by now, or a run that the user began still goes on."""
        topic_id, controller = opened.page.topic.id, opened.controller
        if self._awaited is opened and (topic_id in self._begun or not controller.running):
            self._begun.add(topic_id)
            opened.page.run_bar.request_run()
            self._look_at_end()  # it may have been refused

    def _look_at_result(self) -> None:
        """The page shows a run: the one that is awaited, or another one that it opens with."""
        if self._awaited is not None and has_run(self._awaited):
            self._stop_awaiting()

    def _look_at_end(self) -> None:
        """A run is over, and nothing more is to come."""
        if self._awaited is not None and not self._awaited.controller.running:
            self._begun.discard(self._awaited.page.topic.id)
            self._stop_awaiting()

    def _stop_awaiting(self) -> None:
        self._forget_awaited()
        self.ready.emit()

    def _stop_waiting(self) -> None:
        opened = self._awaited
        self._forget_awaited()
        if opened is not None and opened.page.topic.id in self._begun:
            opened.controller.cancel()

    def _forget_awaited(self) -> None:
        if self._awaited is not None:
            self._awaited.page.presented.disconnect(self._look_at_result)
            self._awaited.controller.ended.disconnect(self._look_at_end)
            self._awaited = None


def has_run(opened: OpenPage) -> bool:
    """Whether the page shows a run with its parameters."""
    result = opened.controller.result
    return result is not None and result.is_run_of(opened.page.form.params)
