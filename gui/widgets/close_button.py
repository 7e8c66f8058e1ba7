"""The cross at the end of a bar."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QToolButton, QWidget

from core.contracts.text import Text
from gui import theme
from gui.icons import icon
from gui.translation import show_text

_ICON_PX = 14


class CloseButton(QToolButton):
    """`action` says what it closes: a screen reader reads it, and it is the tooltip where there is no other `tip`."""

    def __init__(self, action: Text, tip: Text | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setIconSize(QSize(_ICON_PX, _ICON_PX))
        show_text(self.setToolTip, tip or action)
        show_text(self.setAccessibleName, action)
        self._recolour()
        theme.notifier().changed.connect(self._recolour)

    def _recolour(self) -> None:
        self.setIcon(icon("close", theme.current().muted))
