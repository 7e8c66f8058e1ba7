"""Key metrics of a page in groups, each with its provenance."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from core.contracts.result import Provenance
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.metric_bar import MetricBar, Number


class BadgedMetrics(QWidget):
    """Two strips of numbers, each with a provenance badge; the second may be empty."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.strips, self.badges = (MetricBar(), MetricBar()), (ProvenanceBadge(), ProvenanceBadge())
        self._line = QHBoxLayout(self)
        self._line.setContentsMargins(0, 0, 8, 0)
        for strip, badge in zip(self.strips, self.badges, strict=True):
            self._line.addWidget(strip, 1)
            self._line.addWidget(badge, 0, Qt.AlignmentFlag.AlignVCenter)

    @property
    def numbers(self) -> tuple[Number, ...]:
        """All of them, from left to right."""
        return tuple(number for strip in self.strips for number in strip.numbers)

    def set_groups(self, groups: Sequence[tuple[Provenance | None, Sequence[Number]]]) -> None:
        """Show one or two groups of numbers, each under its badge; None has no badge. Without any number, the first
        strip says that they will appear."""
        padded = [*groups, *[(None, ())] * (len(self.strips) - len(groups))]
        is_empty = not any(numbers for _, numbers in groups)
        for index, (provenance, numbers) in enumerate(padded):
            self.strips[index].set_numbers(numbers)
            self.strips[index].setVisible(bool(numbers) or (is_empty and not index))
            self.badges[index].set_provenance(provenance if numbers else None)
            self._line.setStretch(2 * index, self.strips[index].needed_px)
