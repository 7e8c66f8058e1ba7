"""The sentence in place of a picture, a table or a list that has nothing to show."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from PySide6.QtCore import Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QLabel, QWidget

from core.contracts.text import Text
from gui.translation import show_text


@runtime_checkable
class AwaitsRun(Protocol):
    """A widget whose parts will show a run that is being read: a page that opens."""

    awaits_run: bool


class EmptySentence(QLabel):
    """It fills its place and is as small as it has to be. While the run that a page opens with is being read nothing is
    painted: “run to see this” would be gone again at once."""

    def __init__(self, sentence: Text | str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        show_text(self.setText, sentence)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)

    @property
    def is_held_back(self) -> bool:
        part: QWidget | None = self
        while part is not None and not isinstance(part, AwaitsRun):
            part = part.parentWidget()
        return isinstance(part, AwaitsRun) and part.awaits_run

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.is_held_back:
            super().paintEvent(event)
