"""The area of the pictures of a page: strips across the page, and a grid of cards below them."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from gui import motion
from gui.page.card import Card
from gui.page.card_spec import CardSpec, Strip
from gui.page.grid import PlotGrid

_POINTED_OUT_MS = 1600


class Stage(QWidget):
    """Frames what a page declares; `cards` by key, in the order of the declaration."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid = PlotGrid()
        self.cards: dict[str, Card] = {}
        self._strips = QVBoxLayout()
        self._strips.setContentsMargins(0, 0, 0, 0)
        self._pointing = QTimer(self, singleShot=True, interval=_POINTED_OUT_MS)
        self._pointing.timeout.connect(lambda: self._point_out(None))
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

    def reveal(self, key: str) -> None:
        """Bring a card into view, and mark it for a moment. A card that fills the page for another one gives way."""
        card = self.cards[key]
        if self.grid.maximised not in (None, card):
            self.grid.maximise(None)
        self._point_out(card)
        if not motion.is_reduced():
            self._pointing.start()  # else the mark stays until another card is pointed out
        QTimer.singleShot(0, card, lambda: self._scroll_to(card))  # once the page has been laid out

    def _scroll_to(self, card: Card) -> None:
        ancestor = self.parentWidget()
        while ancestor is not None and not isinstance(ancestor, QScrollArea):
            ancestor = ancestor.parentWidget()
        if ancestor is not None:
            ancestor.ensureWidgetVisible(card)

    def _point_out(self, card: Card | None) -> None:
        for other in self.cards.values():
            other.set_pointed_out(other is card)

    @property
    def cut_cards(self) -> list[Card]:
        """The cards of which the window shows a part only, or nothing, because it is too low for all of them."""
        shown = [card for card in self.cards.values() if not card.isHidden()]
        return [card for card in shown if card.visibleRegion().boundingRect() != card.rect()]

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
