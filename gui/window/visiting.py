"""Goes to a place: opens the page, sets its parameters, brings the picture into view, and selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject

from core.contracts.errors import TilescopeError

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.place import Place
    from core.contracts.result import Result
    from core.contracts.text import Text
    from gui.window.history import HistoryKeeper
    from gui.window.open_page import OpenPage

_NAME = "visit"


class Visited(Protocol):
    """What a visit needs of the window."""

    @property
    def keeper(self) -> HistoryKeeper | None: ...
    def open_page(self, topic_id: str) -> OpenPage | None: ...
    def show_error(self, sentence: Text | str, detail: str = "") -> None: ...


def visit(window: Visited, place: Place, run_id: str = "") -> OpenPage | None:
    """Show a place; the page that is open then, or None where it cannot be built: the window has said why.

    What the place names and the page does not have is said on the page that was in view before, and nothing changes.
    With `run_id`, that run of the history is shown too, unless the page shows one with these parameters already. The
    selection is made now, and once more when a run that fits is shown: some things can be selected only then.
    """
    try:
        place.check()
    except TilescopeError as error:
        window.show_error(error.text)
        return None
    opened = window.open_page(place.page)
    if opened is None:
        return None
    page = opened.page
    try:
        place.check(page.cards)
    except TilescopeError as error:
        page.show_error(error.text)
        return opened
    for earlier in page.findChildren(QObject, _NAME):
        assert isinstance(earlier, _Visit)
        earlier.end()
    begun = _Visit(opened, place)
    if run_id and begun.waits_for_run and window.keeper is not None:
        window.keeper.load(run_id)
    return opened


class _Visit(QObject):
    """It lasts until a run of this machine that fits is shown, the parameters are others, or another visit begins."""

    def __init__(self, opened: OpenPage, place: Place) -> None:
        super().__init__(opened.page)
        self.setObjectName(_NAME)
        self._page, self._controller = opened.page, opened.controller
        self._place, self._params = place, place.params
        if self._page.form.params != self._params or not self._page.form.valid:
            self._page.form.propose(self._params)
            opened.controller.show_plan()
        self._select()
        if place.card:
            self._page.stage.reveal(place.card)
        result = opened.controller.result
        fits = result is not None and result.is_run_of(self._params)
        self.waits_for_run = not fits or opened.controller.recorded is not None
        if self.waits_for_run:
            self._page.presented.connect(self._on_run)
            self._page.params_changed.connect(self._on_params)
        else:
            self.end()

    def end(self) -> None:
        """The page is left as it is."""
        if self.waits_for_run:
            self.waits_for_run = False
            self._page.presented.disconnect(self._on_run)
            self._page.params_changed.disconnect(self._on_params)
        self.deleteLater()

    def _on_params(self, params: Params) -> None:
        if not params.needs_same_run_as(self._params):
            self.end()

    def _on_run(self, result: Result) -> None:
        if result.is_run_of(self._params):
            self._page.form.propose(self._params)  # a run of the history brings its own view
            self._select()
            if self._controller.recorded is None:
                self.end()

    def _select(self) -> None:
        if self._place.select:
            self._page.selection.update(**self._place.select)
