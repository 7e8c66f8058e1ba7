"""The error map, what its rows are, and what stands beside its buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.charts.row_map import RowMap
from gui.pages.quantization.error_maps import ErrorGrid
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.segments import Segments

TENSORS, LAYERS, EVERY_FORMAT = range(3)
_BEFORE_RUN = "Run (F5) to measure every tensor of the checkpoint: each becomes a row."


class MapPanel(QWidget):
    """The error map, what its rows are, and their order. `changed` says that the user asked for another one.

    `key_picked` carries the key (a tensor, say) of the cell or row that was clicked, or that the arrows reached.
    What the rows are follows what there is until the user has chosen.
    """

    changed = Signal()
    key_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ways = Segments(["Tensors", "Layers", "Formats"])
        self.order = QPushButton("Worst first")
        self.order.setCheckable(True)
        self.order.setToolTip("Order the tensors by their error, not as they lie in the file")
        self.facts = FittedLabel(elide=Qt.TextElideMode.ElideLeft)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.map = RowMap(_BEFORE_RUN, "Error map")
        self._grid: ErrorGrid | None = None
        self._chosen = False
        bar = QHBoxLayout()
        bar.setContentsMargins(0, 0, 4, 0)
        bar.setSpacing(6)
        bar.addWidget(self.ways)
        bar.addWidget(self.order)
        bar.addWidget(self.facts, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(bar)
        column.addWidget(self.map, 1)
        self.ways.chosen.connect(self._on_way)
        self.order.toggled.connect(lambda _: self.changed.emit())
        self.map.picked.connect(self._on_picked)

    @property
    def way(self) -> int:
        return self.ways.index

    def set_grid(self, grid: ErrorGrid | None) -> None:
        self._grid = grid
        self.map.set_grid(grid)

    def select_key(self, key: str | None) -> None:
        """Frame the cell of a key; one that is not there, or None, frames nothing. Emits nothing."""
        row, column = (-1, -1) if self._grid is None or key is None else self._grid.cells.get(key, (-1, -1))
        self.map.select(row if row >= 0 else None, column if column >= 0 else None)

    def suggest(self, way: int) -> None:
        """Show rows of this kind, unless the user has chosen theirs."""
        if not self._chosen:
            self.ways.blockSignals(True)
            self.ways.choose(way)
            self.ways.blockSignals(False)
        self.order.setEnabled(self.way == TENSORS)

    def say(self, *wordings: str) -> None:
        """Write beside the buttons the first of these that fits, the longest first, or the end of the last."""
        self.facts.set_wordings(*wordings)

    def _on_picked(self, row: int, column: int) -> None:
        key = None if self._grid is None else self._grid.key(row, column)
        if key:
            self.key_picked.emit(key)

    def _on_way(self, _way: int) -> None:
        self._chosen = True
        self.order.setEnabled(self.way == TENSORS)
        self.changed.emit()
