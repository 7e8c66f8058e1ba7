"""Which picture of a card with several is in front, as part of the selection of the page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from gui.widgets.switcher import Switcher

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from gui.page.selection import Selection, SelectionModel


class SelectedViews(QObject):
    """Keeps the switchers of a page and its selection in step, so that a question, a demo and the next session bring
    the same picture to the front. `kinds` are those of the switchers.

    A picture is selected once the user has pressed its button, or a place has named it. Until then the page decides
    which is in front, and nothing is selected.
    """

    def __init__(self, page: QWidget, selection: SelectionModel) -> None:
        super().__init__(page)
        self._selection = selection
        self._switchers = {each.kind: each for each in page.findChildren(Switcher) if each.kind}
        for kind, switcher in self._switchers.items():
            switcher.chosen.connect(partial(self._choose, kind))
            switcher.switched.connect(partial(self._follow, kind))

    @property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """By kind, the names of its pictures."""
        return {kind: switcher.names for kind, switcher in self._switchers.items()}

    def show(self, selection: Selection) -> None:
        """Bring what is selected to the front."""
        for kind, switcher in self._switchers.items():
            name = selection.get(kind)
            if isinstance(name, str) and name != switcher.name:
                switcher.show_named(name)

    def _choose(self, kind: str, name: str) -> None:
        self._selection.update(**{kind: name})

    def _follow(self, kind: str, _: int) -> None:
        """The page has brought another picture to the front, as a click elsewhere asks for."""
        if kind in self._selection.selection:
            self._choose(kind, self._switchers[kind].name)
