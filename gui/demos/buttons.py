"""The buttons and keys of the bars below the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QPushButton, QWidget

from gui.translation import show_text

if TYPE_CHECKING:
    from core.contracts.text import Text


def button(text: Text, tip: Text) -> QPushButton:
    """A button that follows the language, and takes the focus with Tab only: a click leaves it with the page."""
    made = QPushButton()
    show_text(made.setText, text)
    show_text(made.setToolTip, tip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


def shortcut(bar: QWidget, key: str, work: Callable[[], object]) -> None:
    """A key that works anywhere in the window while the bar is in view: a hidden widget has no shortcuts."""
    QShortcut(QKeySequence(key), bar).activated.connect(lambda: work() and None)
