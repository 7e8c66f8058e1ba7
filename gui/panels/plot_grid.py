"""Cards in rows and columns, resizable, one of which can fill the whole space."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from gui.panels.card import Card

_HANDLE_PX = 8


class PlotGrid(QWidget):
    """Rows are a vertical splitter, each row a horizontal one: rows need not have the same columns."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: list[Card] = []
        self._rows: list[QSplitter] = []
        self._column_of: dict[Card, int] = {}
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setHandleWidth(_HANDLE_PX)
        self._splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._splitter)

    def add(self, card: Card, row: int, column: int, *, width: int = 1, height: int = 1) -> None:
        """Place a card. `width` is its share of the row, `height` the row's share of the grid."""
        while len(self._rows) <= row:
            splitter = QSplitter(Qt.Orientation.Horizontal)
            splitter.setHandleWidth(_HANDLE_PX)
            splitter.setChildrenCollapsible(False)
            self._splitter.addWidget(splitter)
            self._rows.append(splitter)
        splitter = self._rows[row]
        before = [c for c in self.cards if c.parentWidget() is splitter and self._column_of[c] <= column]
        self._column_of[card] = column
        self.cards.append(card)
        splitter.insertWidget(len(before), card)
        self._share_out(splitter, len(before), width)
        self._share_out(self._splitter, row, height)
        card.maximise_toggled.connect(lambda on: self.maximise(card if on else None))

    def maximise(self, card: Card | None) -> None:
        """Show this card alone; None shows all of them."""
        for other in self.cards:
            other.setVisible(card is None or other is card)
            other.blockSignals(True)
            other.set_maximised(other is card)
            other.blockSignals(False)
        for splitter in self._rows:
            splitter.setVisible(card is None or splitter.isAncestorOf(card))

    @property
    def maximised(self) -> Card | None:
        return next(
            (c for c in self.cards if len(self.cards) > 1 and all(o is c or o.isHidden() for o in self.cards)), None
        )

    def save_state(self) -> list[list[int]]:
        """The sizes of the rows, then of the columns of each row."""
        return [self._splitter.sizes(), *(row.sizes() for row in self._rows)]

    def restore_state(self, state: list[list[int]]) -> None:
        """Sizes from `save_state`; a state of another layout is ignored."""
        splitters = [self._splitter, *self._rows]
        if len(state) == len(splitters) and all(
            len(s.sizes()) == len(z) for s, z in zip(splitters, state, strict=True)
        ):
            for splitter, sizes in zip(splitters, state, strict=True):
                splitter.setSizes(sizes)

    @staticmethod
    def _share_out(splitter: QSplitter, index: int, share: int) -> None:
        """Initial sizes follow the shares: setSizes scales any numbers to the space there is."""
        splitter.setStretchFactor(index, share)
        widgets = (splitter.widget(i) for i in range(splitter.count()))
        splitter.setSizes([1000 * widget.sizePolicy().horizontalStretch() for widget in widgets if widget is not None])
