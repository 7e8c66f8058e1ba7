"""The guess beside what was found, and how near it was."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from core.questions.guesses import Outcome
from core.questions.wording import OUTCOMES
from gui.home.labels import TintedChip, line
from gui.translation import show_text

_COLOURS = {Outcome.RIGHT: "good", Outcome.CLOSE: "warn", Outcome.WRONG: "bad"}


class VerdictOnGuess(QWidget):
    """Two boxes side by side, and a chip in the colour of the outcome."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.guess, self.truth = line("value"), line("value")
        self.chip = TintedChip()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(_box(tr("Your guess"), self.guess), 1)
        layout.addWidget(_box(tr("Found on this machine"), self.truth), 1)
        layout.addWidget(self.chip, 0, Qt.AlignmentFlag.AlignVCenter)

    def show_guess(self, guess: Text, truth: Text, outcome: Outcome) -> None:
        show_text(self.guess.setText, guess)
        show_text(self.truth.setText, truth)
        self.chip.set_word(_COLOURS[outcome], OUTCOMES[outcome])


def _box(title: Text, value: QLabel) -> QFrame:
    box = QFrame()
    box.setProperty("role", "box")
    layout = QVBoxLayout(box)
    layout.setContentsMargins(12, 8, 12, 8)
    layout.setSpacing(2)
    value.setWordWrap(True)
    layout.addWidget(line("small", title))
    layout.addWidget(value)
    return box
