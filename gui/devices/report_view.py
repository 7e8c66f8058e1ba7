"""What a test of a device found: one block per worker."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr
from core.engine.inspection import DeviceReport
from core.engine.report_wording import rows, state, summary, title
from gui import theme
from gui.translation import show_text


class ReportView(QWidget):
    """Empty until something was tested."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sentence = _label()
        self._workers = QWidget()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GAP_M)
        layout.addWidget(self._sentence)
        layout.addWidget(self._workers)
        layout.addStretch(1)

    @property
    def sentence(self) -> str:
        """The one line above the workers."""
        return self._sentence.text()

    @property
    def text(self) -> str:
        """Everything that is shown, one label per line."""
        return "\n".join(label.text() for label in self.findChildren(QLabel) if label.text())

    def show_nothing(self) -> None:
        self._show(EMPTY)

    def show_waiting(self) -> None:
        self._show(tr("Asking the device…"))

    def show_outcome(self, outcome: DeviceReport | TilescopeError) -> None:
        """The report, or the sentence of the error."""
        if isinstance(outcome, TilescopeError):
            self._show(outcome.text, role="error")
        else:
            self._show(summary(outcome), outcome, role="muted" if outcome.workers else "error")

    def _show(self, sentence: Text, report: DeviceReport | None = None, *, role: str = "muted") -> None:
        show_text(self._sentence.setText, sentence)
        _set_role(self._sentence, role)
        self._sentence.setVisible(bool(sentence))
        blocks = _blocks(report) if report is not None else QWidget()
        self.layout().replaceWidget(self._workers, blocks)
        self._workers.hide()
        self._workers.deleteLater()
        self._workers = blocks


def _blocks(report: DeviceReport) -> QWidget:
    blocks = QWidget()
    grid = QGridLayout(blocks)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(theme.GAP_L)
    grid.setVerticalSpacing(theme.GAP_S)
    grid.setColumnStretch(1, 1)
    row = 0
    for worker in report.workers:
        grid.addWidget(_label(title(worker), "title"), row, 0, 1, 2)
        row += 1
        if worker.problem:
            grid.addWidget(_label(worker.problem, "error"), row, 0, 1, 2)
            row += 1
        known = [] if worker.facts is None else rows(worker.facts)
        if worker.facts is not None and not report.is_here:
            known.append((tr("Worker"), state(worker.facts)))
        for name, value in known:
            grid.addWidget(_label(name, "muted"), row, 0)
            grid.addWidget(_label(value), row, 1)
            row += 1
    return blocks


def _label(text: Text = EMPTY, role: str = "") -> QLabel:
    label = QLabel()
    label.setWordWrap(role != "muted")
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setProperty("role", role)
    show_text(label.setText, text)
    return label


def _set_role(label: QLabel, role: str) -> None:
    label.setProperty("role", role)
    label.style().unpolish(label)
    label.style().polish(label)
