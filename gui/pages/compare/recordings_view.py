"""A folder of recordings as a table: filtered by device, implementation and date, two of them compared."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from core.installation import command
from core.recordings.folder import Entry, Filter, kept
from core.recordings.run import FamilyRun
from gui.pages.compare.changes_view import Pair
from gui.pages.compare.shown import moment
from gui.translation import show_text
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable

_EMPTY = tr(
    "Drop a recording or a folder of them on the page, or open one. `{command}` writes them on another machine; "
    "Export… saves this run as one.",
    command=command("bench --record FILE"),
)
_NONE_KEPT = tr("The filter keeps none of the recordings.")


class RecordingsView(QWidget):
    """`file_requested` and `folder_requested` ask for what to open; `pair_chosen` carries the Pair to compare,
    `sizes_wanted` the run whose sizes the form should take."""

    file_requested = Signal()
    folder_requested = Signal()
    pair_chosen = Signal(object)
    sizes_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: tuple[Entry, ...] = ()
        self._problem: Text | str = ""
        self.device, self.impl, self.since, self.until = (QLineEdit() for _ in range(4))
        for field, name in (
            (self.device, tr("Device")),
            (self.impl, tr("Kernel")),
            (self.since, tr("Since")),
            (self.until, tr("Until")),
        ):
            show_text(field.setPlaceholderText, name)
            show_text(field.setAccessibleName, name)
            field.setClearButtonEnabled(True)
            field.textChanged.connect(lambda _: self._write())
        for field in (self.since, self.until):
            show_text(field.setToolTip, tr("A date such as 2025-01-31, or its beginning"))
        show_text(self.impl.setToolTip, tr("A part of the name of an implementation"))
        self.open_file, self.open_folder, self.compare, self.sizes = (QPushButton() for _ in range(4))
        show_text(self.open_file.setText, tr("File…"))
        show_text(self.open_folder.setText, tr("Folder…"))
        show_text(self.compare.setText, tr("Compare two"))
        show_text(self.compare.setToolTip, tr("Select two runs of one family: the older is A, the newer B"))
        show_text(self.sizes.setText, tr("Same sizes"))
        show_text(self.sizes.setToolTip, tr("Put the family and the sizes of the selected run into the form"))
        self.table: RecordTable[Entry] = RecordTable(COLUMNS, lambda entry: (str(entry.path), _family(entry)), _EMPTY)
        self.open_file.clicked.connect(self.file_requested)
        self.open_folder.clicked.connect(self.folder_requested)
        self.compare.clicked.connect(self._on_compare)
        self.sizes.clicked.connect(lambda: self.sizes_wanted.emit(self.run))
        self.table.view.selectionModel().selectionChanged.connect(lambda *_: self._enable())
        self._lay_out()
        self._enable()

    @property
    def filter(self) -> Filter:
        """What the fields say."""
        fields = (self.device, self.impl, self.since, self.until)
        device, impl, since, until = (field.text().strip() for field in fields)
        return Filter(device=device, impl=impl, since=since, until=until)

    @property
    def pair(self) -> Pair | None:
        """The two selected runs, if they are of one family."""
        runs = [entry.run for entry in self.table.selected if entry.run is not None]
        if len(runs) != 2 or runs[0].subject != runs[1].subject:
            return None
        return Pair(*sorted(runs, key=lambda run: run.recorded_at))

    @property
    def run(self) -> FamilyRun | None:
        """The selected run, if it is one."""
        runs = [entry.run for entry in self.table.selected if entry.run is not None]
        return runs[0] if len(runs) == 1 else None

    def show_entries(self, entries: Sequence[Entry], problem: Text | str) -> None:
        """Show these, or why nothing could be opened."""
        if tuple(entries) != self.entries or problem != self._problem:
            self.entries, self._problem = tuple(entries), problem
            self._write()

    def _write(self) -> None:
        rows = list(kept(self.entries, self.filter))
        self.table.set_rows(rows, self._problem or (_NONE_KEPT if self.entries else _EMPTY))
        self._enable()

    def _enable(self) -> None:
        self.compare.setEnabled(self.pair is not None)
        self.sizes.setEnabled(self.run is not None)

    def _on_compare(self) -> None:
        pair = self.pair
        if pair is not None:
            self.pair_chosen.emit(pair)

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        for widget in (self.device, self.impl, self.since, self.until):
            line.addWidget(widget, 1)
        for button in (self.open_file, self.open_folder, self.sizes, self.compare):
            line.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self.table, 1)


def _family(entry: Entry) -> str | None:
    return None if entry.run is None else entry.run.name


COLUMNS: tuple[Column[Entry], ...] = (
    Column("date", tr("Date (UTC)"), tr("When the run began, UTC"),
           lambda entry: None if entry.run is None else moment(entry.run), number=False, mono=True),
    Column("device", tr("Device"), tr("Where it ran"),
           lambda entry: None if entry.run is None else entry.run.device.label, number=False),
    Column("family", tr("Family"), tr("What was compared"), _family, number=False),
    Column("impls", tr("Implementations"), tr("How many implementations it has"),
           lambda entry: None if entry.run is None else len(entry.run.impls),
           tip=lambda entry: "" if entry.run is None else ", ".join(entry.run.impls)),
    Column("points", tr("Points"), tr("How many points it has"),
           lambda entry: None if entry.run is None else len(entry.run.points)),
    Column("commit", tr("Commit"), tr("The program's commit, with + where files were changed"),
           lambda entry: None if entry.run is None else entry.run.commit or None, number=False, mono=True),
    Column("file", tr("File"), tr("Where it is"), lambda entry: entry.path.name, number=False,
           tip=lambda entry: str(entry.path)),
    Column("problem", tr("Remark"), tr("Why the file was skipped"), lambda entry: entry.problem or None, number=False,
           order=lambda entry: str(entry.problem), tone=lambda entry: "bad" if entry.problem else "", stretch=True),
)  # fmt: skip
