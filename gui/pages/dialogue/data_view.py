"""The conversations of the data file that are ill, as a table that can be sorted; how far the examination is."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.chat.doctor import FAILURES
from core.contracts.text import EMPTY, Text, listed, sentences, tr
from core.format import quantity
from core.topics.dialogue.result import Examination
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable

_PROGRESS_STEPS = 1000
_BROKEN = tr("no conversation")


@dataclass(frozen=True)
class IllLine:
    """One row: a conversation that is ill, or a line that is none, which has no tokens."""

    line: int
    what: Text
    sentence: Text
    tokens: int | None = None
    targets: int | None = None


def ill_lines(examined: Examination) -> tuple[IllLine, ...]:
    """Everything that is ill, in the order of the file."""
    rows = [
        IllLine(
            row.line,
            listed([FAILURES[failure].label for failure in row.failures]),
            sentences(*row.sentences),
            row.tokens,
            row.targets,
        )
        for row in examined.ill_rows
    ]
    rows += [IllLine(row.line, _BROKEN, row.problem) for row in examined.broken_lines]
    return tuple(sorted(rows, key=lambda row: row.line))


def columns() -> tuple[Column[IllLine], ...]:
    return (
        Column("line", tr("Line"), tr("The line in the data file"), lambda row: row.line, "{:,}".format),
        Column(
            "what", tr("What is wrong"), tr("The failures of the doctor's list"), lambda row: row.what,
            number=False, stretch=True, order=lambda row: str(row.what), tip=lambda row: str(row.sentence),
        ),
        Column("tokens", tr("Tokens"), tr("Tokens before any are cut"), lambda row: row.tokens, "{:,}".format),
        Column("targets", tr("Targets"), tr("Tokens left to learn from"), lambda row: row.targets, "{:,}".format),
    )  # fmt: skip


class DataView(QWidget):
    """`line_opened` carries the number of the line whose conversation is to be shown in the page."""

    line_opened = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.summary, self.said = FittedLabel(), FittedLabel()
        self._line = 0
        self.open = QPushButton()
        self.open.setProperty("role", "segment")
        self.open.setProperty("place", "only")
        self.open.setEnabled(False)
        show_text(self.open.setText, tr("Show in the editor"))
        show_text(self.open.setToolTip, tr("This conversation replaces the one of the page, which can be undone."))
        self.open.clicked.connect(lambda: self.line_opened.emit(self._line))
        self.progress = QProgressBar()
        self.progress.setRange(0, _PROGRESS_STEPS)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.table: RecordTable[IllLine] = RecordTable(columns(), lambda row: row.line, _no_file())
        self.table.picked.connect(self._on_picked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for part in (self.summary, self.progress):
            column.addWidget(part)
        column.addWidget(self.table, 1)
        below = QHBoxLayout()
        below.setSpacing(6)
        below.addWidget(self.said, 1)
        below.addWidget(self.open)
        column.addLayout(below)
        self.show_examined(None, has_file=False)

    def show_examined(self, examined: Examination | None, *, has_file: bool) -> None:
        """Show what was found in the data file so far; None before a run."""
        is_of_file = examined is not None and bool(examined.data)
        going = examined is not None and is_of_file and not examined.finished
        self.progress.setVisible(going)
        self.summary.setVisible(is_of_file)
        self.said.setVisible(is_of_file)
        self.open.setVisible(is_of_file)
        if not is_of_file:
            self.said.set_wordings()
            self.open.setEnabled(False)
        if examined is None or not is_of_file:
            self.table.set_rows((), _not_run() if has_file else _no_file())
            return
        self.progress.setValue(round(_PROGRESS_STEPS * examined.share))
        self.summary.set_wordings(*_summary(examined))
        self.table.set_rows(ill_lines(examined), _sound(examined))

    def _on_picked(self, row: IllLine) -> None:
        self._line = row.line
        self.said.set_wordings(row.sentence)
        self.open.setEnabled(row.tokens is not None)


def _no_file() -> Text:
    return tr(
        "Drop a data file of conversations (JSON lines) on the page, or name one among the parameters, and run: what "
        "is ill is listed here. Nothing is sent anywhere."
    )


def _not_run() -> Text:
    return tr("Run to examine the data file.")


def _sound(examined: Examination) -> Text:
    return tr("No conversation of the file is ill.") if examined.finished else EMPTY


def _summary(examined: Examination) -> tuple[Text, ...]:
    values = {
        "conversations": examined.conversations,
        "ill": examined.ill,
        "broken": examined.broken,
        "seconds": quantity(examined.seconds, "s"),
    }
    return (
        tr("{conversations:,} examined in {seconds} · {ill:,} ill · {broken:,} broken", **values),
        tr("{conversations:,} examined · {ill:,} ill · {broken:,} broken", **values),
        tr("{ill:,} ill · {broken:,} broken", **values),
    )
