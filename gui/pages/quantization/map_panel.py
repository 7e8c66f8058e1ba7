"""The error map, the buttons that choose its rows, and the facts beside the buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from gui.charts.row_map import RowMap
from gui.pages.quantization.error_maps import ErrorGrid
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.segments import Segments

TENSORS, LAYERS, EVERY_FORMAT = range(3)
_BEFORE_RUN = tr("Run (F5) to measure every tensor of the checkpoint: each becomes a row.")


class MapPanel(QWidget):
    """The error map, the choice of its rows, and their order. `changed` is emitted when the user chooses other rows.

    `key_picked` carries the key (such as a tensor) of the cell or row that was clicked or reached with the arrow keys.
    Until the user chooses a view, the page suggests one.
    """

    changed = Signal()
    key_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.views = Segments([tr("Tensors"), tr("Layers"), tr("Formats")])
        self.order = QPushButton()
        show_text(self.order.setText, tr("Worst first"))
        self.order.setCheckable(True)
        show_text(self.order.setToolTip, tr("Sort the tensors by error instead of by their order in the file"))
        self.facts = FittedLabel(elide=Qt.TextElideMode.ElideLeft)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.map = RowMap(_BEFORE_RUN, tr("Error map"))
        self._grid: ErrorGrid | None = None
        self._chosen = False
        bar = QHBoxLayout()
        bar.setContentsMargins(0, 0, 4, 0)
        bar.setSpacing(6)
        bar.addWidget(self.views)
        bar.addWidget(self.order)
        bar.addWidget(self.facts, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(bar)
        column.addWidget(self.map, 1)
        self.views.chosen.connect(self._on_way)
        self.order.toggled.connect(lambda _: self.changed.emit())
        self.map.picked.connect(self._on_picked)

    @property
    def view(self) -> int:
        return self.views.index

    def set_grid(self, grid: ErrorGrid | None) -> None:
        self._grid = grid
        self.map.set_grid(grid)

    def select_key(self, key: str | None) -> None:
        """Frame the cell of a key; None or an unknown key frames nothing. Emits nothing."""
        row, column = (-1, -1) if self._grid is None or key is None else self._grid.cells.get(key, (-1, -1))
        self.map.select(row if row >= 0 else None, column if column >= 0 else None)

    def suggest_view(self, view: int) -> None:
        """Show this view, unless the user has chosen one."""
        if not self._chosen:
            self.views.blockSignals(True)
            self.views.choose(view)
            self.views.blockSignals(False)
        self.order.setEnabled(self.view == TENSORS)

    def show_facts(self, *wordings: Text | str) -> None:
        """Show the first of the wordings that fits beside the buttons, longest first, or the end of the last one."""
        self.facts.set_wordings(*wordings)

    def _on_picked(self, row: int, column: int) -> None:
        key = None if self._grid is None else self._grid.key(row, column)
        if key:
            self.key_picked.emit(key)

    def _on_way(self, _way: int) -> None:
        self._chosen = True
        self.order.setEnabled(self.view == TENSORS)
        self.changed.emit()
