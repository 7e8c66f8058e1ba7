"""Cards in rows and columns that can be resized; one card can fill the whole space."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from gui.page.card import Card

_HANDLE_PX = 8


class PlotGrid(QWidget):
    """Rows are a vertical splitter, each row a horizontal one: rows need not have the same columns.

    A column of a row may itself be several cards, one below the other.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: list[Card] = []
        self._rows: list[QSplitter] = []
        self._stacks: dict[Card, QSplitter] = {}
        self._column_of: dict[QWidget, int] = {}
        self._splitter = self._new_splitter(Qt.Orientation.Vertical)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._splitter)

    def add(self, card: Card, row: int, column: int, *, width: int = 1, height: int = 1) -> None:
        """Place a card. `width` is its share of the row, `height` the row's share of the grid."""
        while len(self._rows) <= row:
            splitter = self._new_splitter(Qt.Orientation.Horizontal)
            self._splitter.addWidget(splitter)
            self._rows.append(splitter)
        splitter = self._rows[row]
        before = [w for w in map(splitter.widget, range(splitter.count())) if w and self._column_of[w] <= column]
        self._column_of[card] = column
        splitter.insertWidget(len(before), card)
        self._share_out(splitter, len(before), width)
        self._share_out(self._splitter, row, height)
        self._register(card)

    def add_under(self, card: Card, upper: Card, *, heights: tuple[int, int] = (1, 1)) -> None:
        """Place a card below another, in its column; `heights` are the shares of the upper card and of this one."""
        if upper not in self._stacks:
            row = upper.parentWidget()
            assert isinstance(row, QSplitter)  # a card that was added is in a row
            stack = self._new_splitter(Qt.Orientation.Vertical)
            index, width = row.indexOf(upper), upper.sizePolicy().horizontalStretch()
            row.replaceWidget(index, stack)
            self._column_of[stack] = self._column_of[upper]
            self._stacks[upper] = stack
            stack.addWidget(upper)
            upper.show()  # it was hidden when it was taken out of its row
            self._share_out(row, index, width)
            self._share_out(stack, 0, heights[0])
        stack = self._stacks[upper]
        stack.addWidget(card)
        self._share_out(stack, stack.count() - 1, heights[1])
        self._register(card)

    def maximise(self, card: Card | None) -> None:
        """Show this card alone; None shows all of them."""
        for other in self.cards:
            other.setVisible(card is None or other is card)
            other.blockSignals(True)
            other.set_maximised(other is card)
            other.blockSignals(False)
        for splitter in (*self._rows, *self._stacks.values()):
            splitter.setVisible(card is None or splitter.isAncestorOf(card))

    @property
    def maximised(self) -> Card | None:
        return next(
            (c for c in self.cards if len(self.cards) > 1 and all(o is c or o.isHidden() for o in self.cards)), None
        )

    def save_state(self) -> list[list[int]]:
        """The sizes of the rows, then of the columns of each row, then of the cards of each stack."""
        return [splitter.sizes() for splitter in self._splitters()]

    def restore_state(self, state: list[list[int]]) -> None:
        """Sizes from `save_state`; a state of another layout is ignored."""
        splitters = self._splitters()
        if len(state) == len(splitters) and all(
            len(s.sizes()) == len(z) for s, z in zip(splitters, state, strict=True)
        ):
            for splitter, sizes in zip(splitters, state, strict=True):
                splitter.setSizes(sizes)

    def _splitters(self) -> list[QSplitter]:
        return [self._splitter, *self._rows, *self._stacks.values()]

    def _register(self, card: Card) -> None:
        self.cards.append(card)
        card.maximise_toggled.connect(lambda on: self.maximise(card if on else None))

    @staticmethod
    def _new_splitter(orientation: Qt.Orientation) -> QSplitter:
        splitter = QSplitter(orientation)
        splitter.setHandleWidth(_HANDLE_PX)
        splitter.setChildrenCollapsible(False)
        return splitter

    @staticmethod
    def _share_out(splitter: QSplitter, index: int, share: int) -> None:
        """Set initial sizes by the shares: setSizes scales any numbers to the available space."""
        splitter.setStretchFactor(index, share)
        widgets = (splitter.widget(i) for i in range(splitter.count()))
        splitter.setSizes([1000 * widget.sizePolicy().horizontalStretch() for widget in widgets if widget is not None])
