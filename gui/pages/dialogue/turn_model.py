"""The parts of a conversation as the model of a list."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt

from core.outside import shown_label
from gui.pages.dialogue.turn_parts import Part

Index = QModelIndex | QPersistentModelIndex
PART_ROLE = Qt.ItemDataRole.UserRole


class TurnModel(QAbstractListModel):
    """The parts of a conversation, one per row."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: tuple[Part, ...] = ()

    def set_parts(self, parts: Sequence[Part]) -> None:
        """Show these. Where only texts differ, nothing but those rows changes, and what is edited stays open."""
        before, self.parts = self.parts, tuple(parts)
        if [part.place for part in before] != [part.place for part in self.parts]:
            self.beginResetModel()
            self.endResetModel()
            return
        for row, (old, new) in enumerate(zip(before, self.parts, strict=True)):
            if old != new:
                self.dataChanged.emit(self.index(row), self.index(row))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.parts)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        part = self.parts[index.row()]
        if role == PART_ROLE:
            return part
        if role == Qt.ItemDataRole.EditRole:
            return part.text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return shown_label(f"{part.role}: {part.text}")
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable
