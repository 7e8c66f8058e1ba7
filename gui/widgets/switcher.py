"""Several pictures in one place, one shown at a time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from core.contracts.text import Text
from gui.widgets.segments import Segments


class Switcher(QWidget):
    """A row of buttons above a stack: each picture has a name, which is the same in every language, and a title.

    `switched` carries the index of the picture now shown, and `chosen` its name where the user has pressed its button.
    `kind` is what the picture in front is called in the selection of the page; '' where it cannot be selected.
    """

    switched = Signal(int)
    chosen = Signal(str)

    def __init__(
        self, pictures: Sequence[tuple[str, Text | str, QWidget]], kind: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.kind = kind
        self.names = tuple(name for name, _, _ in pictures)
        self._segments, self._stack = Segments([title for _, title, _ in pictures]), QStackedWidget()
        self._by_program = False
        for _, _, picture in pictures:
            self._stack.addWidget(picture)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._segments)
        column.addWidget(self._stack, 1)
        self._segments.chosen.connect(self._on_chosen)

    @property
    def index(self) -> int:
        return self._stack.currentIndex()

    @property
    def name(self) -> str:
        """That of the picture in front."""
        return self.names[self.index]

    def show_picture(self, index: int) -> None:
        """Bring a picture to the front, as its button does, but `chosen` is not emitted."""
        self._by_program = True
        self._segments.choose(index)
        self._by_program = False

    def show_named(self, name: str) -> None:
        """Bring the picture of that name to the front; a name that no picture has changes nothing."""
        if name in self.names:
            self.show_picture(self.names.index(name))

    def _on_chosen(self, index: int) -> None:
        self._stack.setCurrentIndex(index)
        self.switched.emit(index)
        if not self._by_program:
            self.chosen.emit(self.names[index])
