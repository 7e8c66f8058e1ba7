"""The report of a checkpoint as a table: per tensor, per layer, the worst tensors, and the skipped ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from core.checkpoint.names import layer_and_kind
from core.checkpoint.quantized.storage import StorageRow
from core.checkpoint.report import LayerTotals, SkippedTensor, Totals
from core.checkpoint.tensor_table import TensorTable
from core.contracts.text import EMPTY, Text, tr
from gui import translation
from gui.pages.quantization.report_columns import (
    SKIPPED_COLUMNS,
    STORAGE_COLUMNS,
    Row,
    layer_columns,
    matching,
    role_columns,
    tensor_columns,
)
from gui.pages.quantization.report_export import ReportExport, Write
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable
from gui.widgets.segments import Segments

_FORMAT_LETTERS = 9
VIEWS = (tr("Tensors"), tr("Layers"), tr("Worst"), tr("Skipped"), tr("Roles"), tr("Stored as"))
_TENSORS, _LAYERS, _WORST, _SKIPPED, _ROLES, _STORED = range(6)
_BEFORE = tr(
    "Open a checkpoint: a .safetensors or .gguf file, the index of a sharded checkpoint, or a model folder. A run (F5) "
    "lists the errors of every tensor in each format."
)

# The keys that identify a row while a report grows.
_BY_TENSOR, _BY_LAYER, _BY_NAME = attrgetter("tensor", "format"), attrgetter("layer", "format"), attrgetter("tensor")
_BY_ROLE, _BY_FORMAT = attrgetter("role", "format"), attrgetter("format")
_OF_FILE = (_SKIPPED, _STORED)
"""The views that do not depend on a format."""


@dataclass(frozen=True, eq=False)
class ReportRows:
    """A report, complete or so far; without rows the state before a report."""

    tensors: TensorTable = field(default_factory=TensorTable)
    layers: Sequence[LayerTotals] = ()
    skipped: Sequence[SkippedTensor] = ()
    roles: Sequence[Totals] = ()
    storage: Sequence[StorageRow] = ()


class ReportTable(QWidget):
    """`tensor_picked` carries the tensor that the user selected (for a layer its worst tensor), `format_chosen` the
    format that the user chose, '' for all."""

    tensor_picked = Signal(str)
    format_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report = ReportRows()
        self._labels: dict[str, Text] = {}
        self._tensor: str | None = None
        self._given_format: str | None = None
        self._shown_view = -1
        self.table: RecordTable[Row] = RecordTable(SKIPPED_COLUMNS, _BY_NAME, _BEFORE, matches=matching)
        self.views = Segments(VIEWS)
        self.format = QComboBox()
        show_text(self.format.setAccessibleName, tr("Format shown"))
        self.format.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.format.setMinimumContentsLength(_FORMAT_LETTERS)
        self.filter = QLineEdit()
        show_text(self.filter.setPlaceholderText, tr("Filter"))
        show_text(self.filter.setAccessibleName, tr("Filter the tensors"))
        show_text(self.filter.setToolTip, tr("Part of a name, or 'layer 3'"))
        self.filter.setClearButtonEnabled(True)
        self.count = FittedLabel()
        self.count.hug_text()
        self.export = ReportExport()
        self._lay_out()
        self._connect()
        self.set_report(ReportRows(), {})

    def set_report(self, report: ReportRows, labels: Mapping[str, Text], write: Write | None = None) -> None:
        """Show a report. `labels` are the names of the formats, by id. `write` saves the report; None if there is none.

        Filter, order, selection and scroll position stay.
        """
        self._report = report
        if dict(labels) != self._labels:
            self._labels, self._shown_view = dict(labels), -1
        self._offer_formats()
        self.export.set_write(write)
        self._refresh()

    def set_format(self, format_id: str) -> None:
        """Show one format; '' shows all. Emits nothing. A choice of the user stays until another format is set."""
        if format_id == self._given_format:
            return
        self._given_format = format_id
        if format_id != self.shown_format:
            if self.format.findData(format_id) < 0:
                self.format.addItem(self._label(format_id), format_id)
            self.format.setCurrentIndex(self.format.findData(format_id))
            self._refresh()

    def show_view(self, index: int) -> None:
        """Bring one of VIEWS to the front, as its button does."""
        self.views.choose(index)

    def select_tensor(self, name: str | None) -> None:
        """Mark a tensor as selected (in the view by layer: its layer). Emits nothing."""
        if name != self._tensor:
            self._tensor = name
            self._show_selected()

    @property
    def shown_format(self) -> str:
        return self.format.currentData() or ""

    def _connect(self) -> None:
        self.views.chosen.connect(lambda _: self._refresh())
        self.format.activated.connect(self._on_format)
        self.filter.textChanged.connect(self._on_filter)
        self.table.picked.connect(self._on_row)
        self.export.copy_requested.connect(self.table.copy)
        translation.notifier().changed.connect(self._on_language)
        self.export.saved.connect(lambda name: self.count.set_wordings(tr("saved as {file}", file=name)))
        keys, inside = QKeySequence.StandardKey.Find, Qt.ShortcutContext.WidgetWithChildrenShortcut
        QShortcut(keys, self, self.filter.setFocus, context=inside)

    def _on_language(self, _code: str) -> None:
        self._offer_formats()

    def _on_format(self) -> None:
        self._refresh()
        self.format_chosen.emit(self.shown_format)

    def _on_filter(self, text: str) -> None:
        self.table.set_filter(text)
        self._show_selection_and_count()

    def _on_row(self, row: Row) -> None:
        if isinstance(row, StorageRow):
            return
        self._tensor = (row.worst_tensor if isinstance(row, Totals) else row.tensor) or None
        if self._tensor:
            self.tensor_picked.emit(self._tensor)

    def _offer_formats(self) -> None:
        """Offer the formats that the report has so far, and the one that is shown."""
        chosen = self.shown_format
        names = ["", *dict.fromkeys([*self._report.tensors.formats, *([chosen] if chosen else [])])]
        titles = [str(tr("All formats")), *map(self._label, names[1:])]
        if [(self.format.itemData(i), self.format.itemText(i)) for i in range(self.format.count())] == list(
            zip(names, titles, strict=True)
        ):
            return
        self.format.clear()
        for name, title in zip(names, titles, strict=True):
            self.format.addItem(title, name)
        self.format.setCurrentIndex(self.format.findData(chosen))

    def _refresh(self) -> None:
        view = self.views.index
        if view != self._shown_view:
            self._shown_view = view
            self.table.set_columns(*self._columns_of(view))
        self.format.setEnabled(view not in _OF_FILE)
        self.table.set_rows(self._rows_of(view), self._empty_sentence(view))
        self.table.view.setColumnHidden(1, view not in _OF_FILE and bool(self.shown_format))
        self._show_selection_and_count()

    def _columns_of(self, view: int) -> tuple[tuple[Column[Row], ...], Callable[[Row], Hashable]]:
        if view == _SKIPPED:
            return SKIPPED_COLUMNS, _BY_NAME
        if view == _LAYERS:
            return layer_columns(self._labels), _BY_LAYER
        if view == _ROLES:
            return role_columns(self._labels), _BY_ROLE
        if view == _STORED:
            return STORAGE_COLUMNS, _BY_FORMAT
        return tensor_columns(self._labels), _BY_TENSOR

    def _rows_of(self, view: int) -> Sequence[Row]:
        tensors, chosen = self._report.tensors, self.shown_format
        if view == _WORST:
            return [row for name in ([chosen] if chosen else self._formats()) for row in tensors.worst(name)]
        if view == _SKIPPED:
            return self._report.skipped
        if view == _STORED:
            return self._report.storage
        if view == _TENSORS:
            return tensors.rows_in(chosen) if chosen else tensors.rows
        added = self._report.roles if view == _ROLES else self._report.layers
        return [row for row in added if chosen in ("", row.format)]

    def _formats(self) -> list[str]:
        return [self.format.itemData(index) for index in range(1, self.format.count())]

    def _show_selection_and_count(self) -> None:
        if self._tensor is not None and not self.table.selected:
            self._show_selected()  # its row is new, or shown again
        self.count.set_wordings(self._count_text(self.views.index))

    def _count_text(self, view: int) -> Text:
        shown, total = len(self.table.rows), len(self.table.model.rows)
        if not total:
            return EMPTY
        if view not in _OF_FILE and not self.shown_format:
            return tr("{shown:,} of {total:,} rows", shown=shown, total=total)
        if view == _LAYERS:
            return tr("{shown:,} of {total:,} layers", shown=shown, total=total)
        if view == _STORED:
            return tr("{shown:,} of {total:,} formats", shown=shown, total=total)
        if view == _ROLES:
            return tr("{shown:,} of {total:,} roles", shown=shown, total=total)
        return tr("{shown:,} of {total:,} tensors", shown=shown, total=total)

    def _label(self, format_id: str) -> str:
        return str(self._labels.get(format_id) or format_id)

    def _empty_sentence(self, view: int) -> Text:
        if not len(self._report.tensors):
            return _BEFORE
        return tr("Every tensor was measured.") if view == _SKIPPED else tr("Nothing was measured in this format.")

    def _show_selected(self) -> None:
        if self._tensor is None:
            self.table.mark(None)
            return
        if self.views.index in (_ROLES, _STORED):
            self.table.mark(None)  # a tensor's name alone tells neither
            return
        name, value = (
            ("layer", layer_and_kind(self._tensor)[0]) if self.views.index == _LAYERS else ("tensor", self._tensor)
        )
        row = next((row for row in self.table.model.shown if getattr(row, name) == value), None)
        self.table.mark(None if row is None else self.table.model.key(row))

    def _lay_out(self) -> None:
        top, second = QHBoxLayout(), QHBoxLayout()
        for line in (top, second):
            line.setSpacing(6)
        top.addWidget(self.views, 1)
        top.addWidget(self.count)
        second.addWidget(self.filter, 1)
        second.addWidget(self.format)
        second.addWidget(self.export)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(second)
        column.addWidget(self.table, 1)
