"""Labels and chips that the parts of the home page share."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy

from core.contracts.text import EMPTY, Text
from gui import theme
from gui.home.standing import UNKNOWN, Standing
from gui.translation import show_text
from gui.widgets.badge import Chip


def wrapped(role: str = "", text: Text = EMPTY) -> QLabel:
    """A text that wraps, as wide as there is room, which can be copied."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setProperty("role", role)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    show_text(label.setText, text)
    return label


def line(role: str = "", text: Text = EMPTY) -> QLabel:
    """A short text on one line."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setProperty("role", role)
    show_text(label.setText, text)
    return label


class StandingChip(Chip):
    """The verdict on a question, or why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._standing = UNKNOWN

    def colour(self) -> str:
        return self._standing.colour

    def set_standing(self, standing: Standing) -> None:
        self._standing = standing
        self.set_text(standing.label)


class TintedChip(Chip):
    """A word in one of the colours of the theme, by its name: 'good', 'warn', 'bad', 'muted'."""

    def __init__(self, name: str = "muted", text: Text = EMPTY) -> None:
        self._name = name
        super().__init__(text)

    def colour(self) -> str:
        colour: str = getattr(theme.current(), self._name)
        return colour

    def set_word(self, name: str, text: Text) -> None:
        self._name = name
        self.set_text(text)
