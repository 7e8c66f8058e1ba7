"""The report of a checkpoint as a table, in one of several views, with a filter and an export."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from core.checkpoint.names import layer_and_kind
from core.contracts.text import EMPTY, Text, tr
from gui import translation
from gui.pages.quantization.report_columns import Row, matching
from gui.pages.quantization.report_export import ReportExport, Write
from gui.pages.quantization.report_views import VIEWS, ReportRows, View
from gui.translation import show_text
from gui.widgets.dropdown import Dropdown
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.record_table import RecordTable

_FORMAT_LETTERS = 9
_BEFORE = tr(
    "Open a checkpoint: a .safetensors or .gguf file, the index of a sharded checkpoint, or a model folder. A run (F5) "
    "lists the errors of every tensor in each format."
)


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
        first = VIEWS[0]
        self.table: RecordTable[Row] = RecordTable(first.columns({}), first.key, _BEFORE, matches=matching)
        self.views = Dropdown([view.title for view in VIEWS], tr("View of the report"))
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
        """Bring one of VIEWS to the front, as its entry does."""
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
        tensor = getattr(row, "tensor", None) or getattr(row, "worst_tensor", None)
        if tensor:
            self._tensor = tensor
            self.tensor_picked.emit(tensor)

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

    @property
    def _view(self) -> View:
        return VIEWS[self.views.index]

    def _refresh(self) -> None:
        view, index = self._view, self.views.index
        if index != self._shown_view:
            self._shown_view = index
            self.table.set_columns(view.columns(self._labels), view.key)
        self.format.setEnabled(view.by_format)
        self.table.set_rows(view.rows(self._report, self.shown_format), self._empty_sentence(view))
        self.table.view.setColumnHidden(1, view.by_format and bool(self.shown_format))
        self._show_selection_and_count()

    def _show_selection_and_count(self) -> None:
        if self._tensor is not None and not self.table.selected:
            self._show_selected()  # its row is new, or shown again
        self.count.set_wordings(self._count_text(self._view))

    def _count_text(self, view: View) -> Text:
        shown, total = len(self.table.rows), len(self.table.model.rows)
        if not total:
            return EMPTY
        if view.by_format and not self.shown_format:
            return tr("{shown:,} of {total:,} rows", shown=shown, total=total)
        return view.counted(shown, total)

    def _label(self, format_id: str) -> str:
        return str(self._labels.get(format_id) or format_id)

    def _empty_sentence(self, view: View) -> Text:
        return view.nothing if len(self._report.tensors) else _BEFORE

    def _show_selected(self) -> None:
        mark = self._view.mark
        if self._tensor is None or not mark:
            self.table.mark(None)  # a tensor's name alone may tell no row
            return
        value = layer_and_kind(self._tensor)[0] if mark == "layer" else self._tensor
        row = next((row for row in self.table.model.shown if getattr(row, mark) == value), None)
        self.table.mark(None if row is None else self.table.model.key(row))

    def _lay_out(self) -> None:
        top, second = QHBoxLayout(), QHBoxLayout()
        for line in (top, second):
            line.setSpacing(6)
        top.addWidget(self.views)
        top.addStretch(1)
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
