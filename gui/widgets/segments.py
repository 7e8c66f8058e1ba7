"""A row of joined buttons, one of which is down."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget

from core.contracts.text import Text
from gui import translation
from gui.translation import show_text


class Segments(QWidget):
    """`chosen` carries the index of the button that went down."""

    chosen = Signal(int)

    def __init__(self, titles: Sequence[Text | str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 2)
        row.setSpacing(0)
        for index, title in enumerate(titles):
            button = QPushButton()
            button.setCheckable(True)
            button.setProperty("role", "segment")
            button.setProperty("place", _place(index, len(titles)))
            show_text(button.setText, title)
            self._group.addButton(button, index)
            row.addWidget(button)
        row.addStretch(1)
        self._fit()
        translation.notifier().changed.connect(self._fit)
        self._group.button(0).setChecked(True)
        self._group.idToggled.connect(self._on_toggled)

    @property
    def index(self) -> int:
        """The button that is down."""
        return self._group.checkedId()

    def choose(self, index: int) -> None:
        """Press a button, as the user does."""
        self._group.button(index).setChecked(True)

    def _fit(self) -> None:
        for button in self._group.buttons():
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(button.text()) + 24)

    def _on_toggled(self, index: int, on: bool) -> None:
        if on:
            self.chosen.emit(index)


def _place(index: int, count: int) -> str:
    """How the style sheet rounds a button of the row."""
    if count == 1:
        return "only"
    return {0: "first", count - 1: "last"}.get(index, "middle")
