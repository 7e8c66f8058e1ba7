"""The lines of the list of findings: the failure, the kinds with their findings, or what was checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt

from core.contracts.text import EMPTY, Text, sentences, tr
from core.proofs.record import Proof
from core.sanitizer.kinds import KINDS
from core.topics.kernel_lab.result import KernelLabResult
from core.topics.kernel_lab.wording import kind_of_fault, verdict_of, what_was_checked
from core.trace.tables import FaultRow
from gui.translation import plain_tip

LINE_ROLE = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex
SEVERITIES = {"fault": tr("fault"), "remark": tr("remark")}


@dataclass(frozen=True)
class Note:
    """A sentence: that of a failure, or that nothing was found."""

    text: Text
    is_failure: bool


@dataclass(frozen=True)
class Answer:
    """What is known about all sizes of a kernel."""

    proof: Proof

    @property
    def place(self) -> str:
        """'file.py:7', without its folder."""
        return _place(self.proof.file, self.proof.line)


@dataclass(frozen=True)
class Head:
    """A kind with the number of its findings."""

    first: FaultRow
    count: int

    @property
    def help(self) -> Text:
        known = KINDS.get(self.first.kind)
        return EMPTY if known is None else known.help


@dataclass(frozen=True)
class Found:
    """A finding; `number` is its place in the result."""

    number: int
    row: FaultRow

    @property
    def place(self) -> str:
        """'file.py:7', without its folder."""
        return _place(self.row.file, self.row.line)


Line = Note | Head | Found | Answer


def _place(file: str, line: int) -> str:
    return f"{file.replace(chr(92), '/').rpartition('/')[2]}:{line}"


def lines_of(result: KernelLabResult) -> list[Line]:
    """Faults before remarks, one group for each kind; then the answers about all sizes."""
    lines: list[Line] = [Note(result.failure, is_failure=True)] if result.failure else []
    by_kind: dict[tuple[bool, str], list[Found]] = {}
    for number, row in enumerate(result.faults):
        if not row.is_of_proof:
            by_kind.setdefault((row.severity != "fault", row.kind), []).append(Found(number, row))
    for key in sorted(by_kind, key=lambda key: key[0]):
        lines += [Head(by_kind[key][0].row, len(by_kind[key])), *by_kind[key]]
    lines += map(Answer, result.proofs)
    return lines if by_kind else [*lines, Note(what_was_checked(result), is_failure=False)]


class FindingRows(QAbstractListModel):
    """Only findings and the failure can be reached with the keyboard."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def set_lines(self, lines: Sequence[Line]) -> None:
        self.beginResetModel()
        self.lines = list(lines)
        self.endResetModel()

    def place_of(self, number: int | None) -> int | None:
        """The line of a finding."""
        return next((i for i, line in enumerate(self.lines) if isinstance(line, Found) and line.number == number), None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.lines)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or isinstance(self.lines[index.row()], Head):
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        line = self.lines[index.row()]
        if role == LINE_ROLE:
            return line
        if role == Qt.ItemDataRole.DisplayRole:
            return _spoken(line)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(_tip(line))
        return None


def _spoken(line: Line) -> str:
    """What a screen reader says."""
    if isinstance(line, Note):
        return str(line.text)
    if isinstance(line, Answer):
        return f"{verdict_of(line.proof)}, {line.place}: {line.proof.sentence}"
    if isinstance(line, Head):
        return f"{SEVERITIES[line.first.severity]}: {kind_of_fault(line.first)} ({line.count:,})"
    row = line.row
    return f"{SEVERITIES[row.severity]}, {kind_of_fault(row)}, {line.place}: {sentences(row.sentence, row.repair)}"


def _tip(line: Line) -> str:
    if isinstance(line, Head):
        return str(line.help)
    return _spoken(line)
