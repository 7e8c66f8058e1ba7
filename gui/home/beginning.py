"""For a newcomer: what to do on the home page, in three steps."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from core.contracts.text import tr, verbatim
from gui.home.labels import line, wrapped

_STEPS = (
    tr("Choose a question and read its answer."),
    tr("Press “Run here”: the kernels run on this machine, and the claims get their verdicts."),
    tr("Open its page, change a parameter, and see what moves."),
)


class Beginning(QWidget):
    """Three numbered sentences."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 8, 12, 8)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        grid.addWidget(line("group", tr("How it works")), 0, 0, 1, 2)
        for number, text in enumerate(_STEPS, start=1):
            grid.addWidget(line("step", verbatim(number)), number, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(wrapped("small", text), number, 1)
