"""The tile schedule with its player, and beside it what the current step holds on chip."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from core.result import Provenance
from gui.panels.badge import ProvenanceBadge
from gui.plots.player import Player
from gui.plots.softmax_state import SoftmaxState
from gui.plots.sram_view import SramView
from gui.plots.tile_schedule import TileSchedule


class Walkthrough(QWidget):
    """Lays out the four plots; who moves them is the page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.schedule = TileSchedule()
        self.player = Player()
        self.sram = SramView()
        self.softmax = SoftmaxState()
        self.schedule.setFocusProxy(self.player)
        self.schedule.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._row_name = QLabel()
        self._row_name.setProperty("role", "small")
        self.softmax_badge = ProvenanceBadge()
        left, right = QWidget(), QWidget()
        steps = QVBoxLayout(left)
        steps.setContentsMargins(0, 0, 0, 0)
        steps.setSpacing(2)
        steps.addWidget(self.schedule, 1)
        steps.addWidget(self.player)
        now = QVBoxLayout(right)
        now.setContentsMargins(6, 0, 0, 0)
        now.setSpacing(3)
        now.addLayout(_heading("On chip now", ProvenanceBadge(Provenance.MODELLED)))
        now.addWidget(self.sram)
        now.addLayout(_heading(self._row_name, self.softmax_badge))
        now.addWidget(self.softmax, 1)
        halves = QSplitter(Qt.Orientation.Horizontal)
        halves.setChildrenCollapsible(False)
        halves.addWidget(left)
        halves.addWidget(right)
        halves.setSizes([300, 330])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(halves)

    def name_row(self, row: int | None) -> None:
        """Say whose online softmax is shown."""
        self._row_name.setText("Online softmax" if row is None else f"Online softmax of query {row:,}")


def _heading(title: str | QLabel, badge: ProvenanceBadge) -> QHBoxLayout:
    """A small title with a badge of its own: these numbers may come from elsewhere than the card's."""
    label = title
    if isinstance(label, str):
        label = QLabel(label)
        label.setProperty("role", "small")
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 4, 0)
    row.addWidget(label)
    row.addStretch(1)
    row.addWidget(badge)
    return row
