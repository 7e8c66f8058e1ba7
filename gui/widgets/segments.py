"""A row of joined buttons, one of which is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from core.contracts.text import Text
from gui.translation import show_text
from gui.zoom import Px

_EDGE_PX, _LEAST_EDGE_PX = Px(12), Px(5)
"""Beside the text of a button: usually, and at least, as the style sheet pads it."""


class _Segment(QPushButton):
    """A button that gives the space beside its text away where there is little room, and none of its text."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return self._size(_EDGE_PX)

    def minimumSizeHint(self) -> QSize:
        return self._size(_LEAST_EDGE_PX)

    def _size(self, edge_px: int) -> QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + 2 * edge_px
        return QSize(width, super().sizeHint().height())


class Segments(QWidget):
    """`chosen` carries the index of the button that was pressed."""

    chosen = Signal(int)

    def __init__(self, titles: Sequence[Text | str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 2)
        row.setSpacing(0)
        for index, title in enumerate(titles):
            button = _Segment()
            button.setCheckable(True)
            button.setProperty("role", "segment")
            button.setProperty("place", _place(index, len(titles)))
            show_text(button.setText, title)
            self._group.addButton(button, index)
            row.addWidget(button)
        row.addStretch(1)
        self._group.button(0).setChecked(True)
        self._group.idToggled.connect(self._on_toggled)

    @property
    def index(self) -> int:
        """The chosen button."""
        return self._group.checkedId()

    def choose(self, index: int) -> None:
        """Press a button, as the user does."""
        self._group.button(index).setChecked(True)

    def _on_toggled(self, index: int, on: bool) -> None:
        if on:
            self.chosen.emit(index)


def _place(index: int, count: int) -> str:
    """The place of a button in the row: the style sheet rounds its corners accordingly."""
    if count == 1:
        return "only"
    return {0: "first", count - 1: "last"}.get(index, "middle")
