"""Several pictures in one place, one shown at a time."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget


class Switcher(QWidget):
    """A row of buttons above a stack. `switched` carries the index of the picture now shown."""

    switched = Signal(int)

    def __init__(self, pictures: list[tuple[str, QWidget]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stack = QStackedWidget()
        self._group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 2)
        row.setSpacing(0)
        for index, (title, picture) in enumerate(pictures):
            button = QPushButton(title)
            button.setCheckable(True)
            button.setProperty("role", "segment")
            button.setProperty("place", _place(index, len(pictures)))
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(title) + 24)
            self._group.addButton(button, index)
            row.addWidget(button)
            self._stack.addWidget(picture)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self._stack, 1)
        self._group.button(0).setChecked(True)
        self._group.idToggled.connect(self._on_toggled)

    @property
    def index(self) -> int:
        return self._stack.currentIndex()

    def show_picture(self, index: int) -> None:
        """Bring a picture to the front, as its button does."""
        self._group.button(index).setChecked(True)

    def _on_toggled(self, index: int, on: bool) -> None:
        if on:
            self._stack.setCurrentIndex(index)
            self.switched.emit(index)


def _place(index: int, count: int) -> str:
    """How the style sheet rounds a button of the row."""
    if count == 1:
        return "only"
    return {0: "first", count - 1: "last"}.get(index, "middle")
