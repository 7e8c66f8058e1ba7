"""A list that drops down, of which one entry is chosen: for more choices than buttons fit beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QWidget

from core.contracts.text import Text
from gui.translation import show_text


class Dropdown(QComboBox):
    """As wide as its longest title. `chosen` carries the index of the new entry, as that of `Segments` does; `name` is
    what a screen reader calls it."""

    chosen = Signal(int)

    def __init__(self, titles: Sequence[Text | str], name: Text, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)  # in every language
        self.setMaxVisibleItems(len(titles))
        show_text(self.setAccessibleName, name)
        for index, title in enumerate(titles):
            self.addItem("")
            show_text(self.setItemText, index, title)
        self.currentIndexChanged.connect(self.chosen)

    @property
    def index(self) -> int:
        """The chosen entry."""
        return self.currentIndex()

    def choose(self, index: int) -> None:
        """Choose an entry, as the user does."""
        self.setCurrentIndex(index)
