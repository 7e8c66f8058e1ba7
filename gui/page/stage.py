"""The area of the pictures of a page: strips across the page, and a grid of cards below them."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from gui.page.card import Card
from gui.page.card_spec import CardSpec, Strip
from gui.page.grid import PlotGrid


class Stage(QWidget):
    """Frames what a page declares; `cards` by key, in the order of the declaration."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid = PlotGrid()
        self.cards: dict[str, Card] = {}
        self._strips = QVBoxLayout()
        self._strips.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._strips)
        layout.addWidget(self.grid, 1)

    def place(self, part: Strip | CardSpec) -> None:
        """Frame a picture and put it in its place. A card below another is placed after that one."""
        if isinstance(part, Strip):
            self._strips.addWidget(_framed(part.content))
            return
        card = Card(part.content, part.title, part.help)
        card.set_provenance(part.provenance)
        if part.minimum_px:
            card.setMinimumHeight(part.minimum_px)
        if part.under:
            self.grid.add_under(card, self.cards[part.under], heights=(part.upper_height, part.height))
        else:
            self.grid.add(card, part.row, part.column, width=part.width, height=part.height)
        self.cards[part.key] = card

    def set_outdated(self, outdated: bool) -> None:
        """Whether the last run had other parameters than the form."""
        for card in self.cards.values():
            card.set_outdated(outdated)


def _framed(strip: QWidget) -> QFrame:
    frame = QFrame()
    frame.setProperty("role", "strip")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(1, 1, 1, 1)
    layout.addWidget(strip)
    return frame
