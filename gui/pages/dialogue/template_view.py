"""The template: which one, its Jinja source, and what is wrong with it. A copy of it is edited in place."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, tr
from gui.pages.dialogue.jinja_view import JinjaView
from gui.translation import show_text


class TemplateView(QWidget):
    """`chosen` carries the key of another template, `typed` edited Jinja, `copied` what a copy should be edited of, and
    `position_picked` a character of the source."""

    chosen = Signal(str)
    typed = Signal(str)
    copied = Signal(str)
    position_picked = Signal(int)

    def __init__(self, choices: Mapping[str, Text], pasted: str, parent: QWidget | None = None) -> None:
        """`choices` by key, in order; `pasted` is the key of the one that can be edited."""
        super().__init__(parent)
        self._keys, self._pasted = tuple(choices), pasted
        self._sent: str | None = None
        self.combo, self.copy = QComboBox(), QPushButton()
        for index, (key, label) in enumerate(choices.items()):
            self.combo.addItem("", key)
            show_text(self.combo.setItemText, index, label)
        self.combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.combo.setMinimumContentsLength(8)
        show_text(self.combo.setAccessibleName, tr("Template"))
        self.code, self.problem = JinjaView(), QLabel()
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.hide()
        show_text(self.copy.setText, tr("Edit a copy"))
        show_text(self.copy.setToolTip, tr("The copy is a parameter: it is edited here, and changes can be undone."))
        bar = QHBoxLayout()
        bar.setContentsMargins(0, 0, 0, 0)
        bar.setSpacing(6)
        bar.addWidget(self.combo, 1)
        bar.addWidget(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(bar)
        column.addWidget(self.code, 1)
        column.addWidget(self.problem)
        self.combo.activated.connect(lambda index: self.chosen.emit(self._keys[index]))
        self.copy.clicked.connect(lambda: self.copied.emit(self.code.source))
        self.code.typed.connect(self._on_typed)
        self.code.position_picked.connect(self.position_picked)

    def set_template(self, key: str, source: str, problem: Text = EMPTY, line: int | None = None) -> None:
        """Show the template `key` with its source, and the line that is wrong."""
        with QSignalBlocker(self.combo):
            self.combo.setCurrentIndex(self._keys.index(key))
        is_pasted = key == self._pasted
        self.code.set_editable(is_pasted)
        self.copy.setVisible(not is_pasted)
        is_echo = source == self._sent
        if not is_echo:
            self._sent = None
        self.code.set_source(source, is_echo=is_echo)
        self.code.set_error(line)
        self.show_problem(problem)

    def show_problem(self, problem: Text) -> None:
        """Say what is wrong; EMPTY for nothing."""
        show_text(self.problem.setText, problem or "")
        self.problem.setVisible(bool(problem))

    def _on_typed(self, text: str) -> None:
        self._sent = text
        self.typed.emit(text)
