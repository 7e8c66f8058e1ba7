"""Several pictures in one place, one shown at a time."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from core.contracts.text import Text
from gui.widgets.segments import Segments


class Switcher(QWidget):
    """A row of buttons above a stack. `switched` carries the index of the picture now shown."""

    switched = Signal(int)

    def __init__(self, pictures: list[tuple[Text | str, QWidget]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._segments, self._stack = Segments([title for title, _ in pictures]), QStackedWidget()
        for _, picture in pictures:
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

    def show_picture(self, index: int) -> None:
        """Bring a picture to the front, as its button does."""
        self._segments.choose(index)

    def _on_chosen(self, index: int) -> None:
        self._stack.setCurrentIndex(index)
        self.switched.emit(index)
