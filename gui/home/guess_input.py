"""What the user guesses with: a number, one of several options, or a verdict. Keys 1 to 6 choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, tr
from core.questions.guesses import NumberGuess, Outcome
from core.questions.wording import OUTCOMES, guessed
from core.units import unit_label
from gui.home.labels import line
from gui.translation import show_text

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent

    from core.questions.question import Question

_FIELD_PX = 140


class Options(QWidget):
    """Buttons one below the other, numbered by their keys. `chosen` carries the value of one."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: list[QPushButton] = []
        self.values: list[Any] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)

    def offer(self, options: list[tuple[Any, Text]]) -> None:
        for button in self.buttons:
            button.hide()
            button.deleteLater()
        self.values = [value for value, _ in options]
        self.buttons = []
        for number, (value, text) in enumerate(options, start=1):
            button = QPushButton()
            button.setProperty("role", "option")
            show_text(button.setText, tr("{number}   {option}", number=number, option=text))
            button.clicked.connect(lambda _=False, value=value: self.chosen.emit(value))
            self._layout.addWidget(button)
            self.buttons.append(button)

    def press(self, key: int) -> bool:
        """Choose by a number key; False for another key."""
        place = key - Qt.Key.Key_1
        if not 0 <= place < len(self.values):
            return False
        self.chosen.emit(self.values[place])
        return True


class _Digits(QLineEdit):
    """Leaves letters to the view around it, where they are keys, but for the e of 3e6."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text().isalpha() and event.text().lower() != "e":
            event.ignore()
            return
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()  # it would go on to the view, where it means the next question


class NumberField(QWidget):
    """A number with its unit. `chosen` carries a float; what is no number gets a sentence."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unit = ""
        self.field = _Digits()
        self.field.setFixedWidth(_FIELD_PX)
        self.field.setMaxLength(40)
        show_text(self.field.setAccessibleName, tr("Your guess"))
        self._label = line("muted")
        self.button = QPushButton()
        self.button.setProperty("role", "primary")
        show_text(self.button.setText, tr("Guess (Enter)"))
        self.problem = QLabel()
        self.problem.setProperty("role", "error")
        self.field.returnPressed.connect(self._read)
        self.button.clicked.connect(self._read)
        top = QHBoxLayout()
        top.setSpacing(8)
        for part in (self.field, self._label, self.button):
            top.addWidget(part)
        top.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(top)
        layout.addWidget(self.problem)

    def ask(self, unit: str) -> None:
        self._unit = unit
        self.field.clear()
        show_text(self._label.setText, unit_label(unit) if unit else EMPTY)
        show_text(self.problem.setText, EMPTY)

    def _read(self) -> None:
        number = number_in(self.field.text(), self._unit)
        if number is None:
            show_text(self.problem.setText, tr("Write a number, such as 12.5 or 3e6."))
        else:
            self.chosen.emit(number)


def number_in(text: str, unit: str) -> float | None:
    """The number that a text says, with or without its unit; None where it says none."""
    plain = text.strip().removesuffix(unit).strip().replace(",", "").replace("\N{MINUS SIGN}", "-")
    try:
        number = float(plain)
    except ValueError:
        return None
    return number if abs(number) < 1e300 and plain.isascii() else None


class GuessInput(QWidget):
    """The input that fits the question. `guessed` carries a number, an option's id or a Verdict; `graded` the Outcome
    that a user finds alone, because no run can."""

    guessed = Signal(object)
    graded = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.number, self.options = NumberField(), Options()
        self._grades = False
        self.number.chosen.connect(self.guessed)
        self.options.chosen.connect(self._on_chosen)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.number)
        layout.addWidget(self.options)

    def ask(self, question: Question) -> None:
        """Ask for a guess."""
        self._grades = False
        is_number = isinstance(question.guess, NumberGuess)
        self.number.setVisible(is_number)
        self.options.setVisible(not is_number)
        if isinstance(question.guess, NumberGuess):
            self.number.ask(question.guess.unit)
            self.number.field.setFocus()
        elif question.guess is not None:
            self.options.offer([(value, guessed(question, value)) for value in question.guess.options])

    def ask_for_grade(self) -> None:
        """Ask how the guess was."""
        self._grades = True
        self.number.hide()
        self.options.show()
        self.options.offer([(outcome, OUTCOMES[outcome]) for outcome in Outcome])

    def press(self, key: int) -> bool:
        """Use a key; False for one that means nothing here."""
        return not self.options.isHidden() and self.options.press(key)

    def _on_chosen(self, value: Any) -> None:
        if self._grades:
            assert isinstance(value, Outcome)
            self.graded.emit(value)
        else:
            self.guessed.emit(value)
