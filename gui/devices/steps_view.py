"""The commands that start a scheduler and a worker elsewhere, each with a button that copies it."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import tr
from core.engine.addresses import SchedulerAddress
from core.engine.setup_commands import SetupStep, setup_steps
from gui import theme
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel


class StepsView(QWidget):
    """Shows the steps for one address; None is one that is not known yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: tuple[SetupStep, ...] = ()
        heading = QLabel()
        show_text(heading.setText, tr("Commands that make a machine a device"))
        heading.setProperty("role", "title")
        self._list = QWidget()
        self._copied = FittedLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GAP_S)
        layout.addWidget(heading)
        layout.addWidget(self._list)
        layout.addWidget(self._copied)
        layout.addStretch(1)

    @property
    def commands(self) -> list[str]:
        """As they are shown."""
        return [step.command for step in self._steps]

    def show_steps(self, address: SchedulerAddress | None) -> None:
        steps = setup_steps(address)
        if steps == self._steps:
            return
        self._steps = steps
        self._copied.set_wordings()
        shown = QWidget()
        grid = QGridLayout(shown)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.GAP_M)
        grid.setVerticalSpacing(theme.GAP_XS)
        for number, step in enumerate(steps, start=1):
            what = FittedLabel(tr("{number}. {step}", number=number, step=step.what))
            grid.addWidget(what, 2 * number, 0, 1, 2)
            line = QLineEdit(step.command)
            line.setReadOnly(True)
            line.setProperty("role", "command")
            line.setCursorPosition(0)
            show_text(line.setAccessibleName, step.what)
            copy = QPushButton()
            show_text(copy.setText, tr("Copy"))
            show_text(copy.setAccessibleName, tr("Copy command {number}", number=number))
            copy.setAutoDefault(False)
            copy.clicked.connect(lambda _=False, number=number: self.copy(number))
            grid.addWidget(line, 2 * number + 1, 0)
            grid.addWidget(copy, 2 * number + 1, 1)
        self.layout().replaceWidget(self._list, shown)
        self._list.hide()
        self._list.deleteLater()
        self._list = shown

    def copy(self, number: int) -> None:
        """Copy a command, from 1, and say so."""
        QGuiApplication.clipboard().setText(self.commands[number - 1])
        self._copied.set_wordings(tr("Command {number} is in the clipboard.", number=number))
