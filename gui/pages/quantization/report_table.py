"""A checkpoint's report as a table: by tensor, by layer, the worst, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.checkpoint.names import layer_and_kind
from core.checkpoint.report import worst_rows
from core.contracts.result import Row
from gui.pages.quantization.report_export import ReportExport, Write
from gui.pages.quantization.report_model import ReportModel
from gui.pages.quantization.report_rows import ReportRows
from gui.widgets.columns import columns
from gui.widgets.segments import Segments

VIEWS = ("By tensor", "By layer", "Worst", "Skipped")
_TENSORS, _LAYERS, _WORST, _SKIPPED = range(4)
_BEFORE = (
    "Open a checkpoint: a .safetensors file, the index of a sharded one or a model folder. "
    "A run (F5) lists what each format does to every tensor."
)


class ReportTable(QWidget):
    """`tensor_picked` carries the tensor that a person went to (of a layer its worst); `format_chosen` the format that
    they chose to see, '' for all."""

    tensor_picked = Signal(str)
    format_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tables: Mapping[str, Sequence[Row]] = {}
        self._labels: dict[str, str] = {}
        self._tensor: str | None = None
        self._given_format: str | None = None
        self._columns = columns({})
        self.model = ReportModel()
        self.model.setParent(self)
        self.table = ReportRows(self.model)
        self.views = Segments(VIEWS)
        self.format = QComboBox()
        self.format.setAccessibleName("Format shown")
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter: part of a name, or layer 3")
        self.filter.setClearButtonEnabled(True)
        self.count, self._sentence = QLabel(), QLabel(_BEFORE)
        self.export = ReportExport()
        self._lay_out()
        self._connect()
        self.set_report({}, {})

    def set_report(
        self, tables: Mapping[str, Sequence[Row]], labels: Mapping[str, str], write: Write | None = None
    ) -> None:
        """Show the tables of a report, whole or so far; an empty mapping is the state before one.

        `tables`: 'tensors', 'layers', 'totals' and 'skipped'. `labels`: formats by id. `write` writes the report to a
        file; None where there is none to write. Filter, order, selection and the place in view stay.
        """
        self._tables = tables
        if dict(labels) != self._labels:
            self._labels = dict(labels)
            self._columns = columns(self._labels)
        self._offer_formats()
        self.export.set_write(write)
        self._refresh()

    def set_format(self, format_id: str) -> None:
        """Show one format; '' shows all. Emits nothing. What a person chose here stays until another is given."""
        if format_id == self._given_format:
            return
        self._given_format = format_id
        if format_id != self.shown_format:
            if self.format.findData(format_id) < 0:
                self.format.addItem(self._labels.get(format_id, format_id), format_id)
            self.format.setCurrentIndex(self.format.findData(format_id))
            self._refresh()

    def show_view(self, index: int) -> None:
        """Bring one of VIEWS to the front, as its button does."""
        self.views.choose(index)

    def select_tensor(self, name: str | None) -> None:
        """Show that a tensor is selected (by layer: its layer); emits nothing."""
        if name != self._tensor:
            self._tensor = name
            self._show_selected()

    @property
    def shown_format(self) -> str:
        return self.format.currentData() or ""

    @property
    def sentence(self) -> str:
        """What stands in place of the table, '' while there are rows."""
        return self._sentence.text() if self._stack.currentWidget() is self._sentence else ""

    def copy(self) -> None:
        """The selected rows, or all that are shown, as tab-separated text on the clipboard."""
        rows = [self.model.shown[at] for at in self.table.selected_rows()] or self.model.shown
        lines = ["\t".join(column.text(row) for column in self.model.columns) for row in rows]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def _connect(self) -> None:
        self.views.chosen.connect(lambda _: self._refresh(other_rows=True))
        self.format.activated.connect(self._on_format)
        self.filter.textChanged.connect(lambda _: self._refresh())
        self.table.row_reached.connect(self._on_row)
        self.export.copy_requested.connect(self.copy)
        self.export.saved.connect(lambda name: self.count.setText(f"saved as {name}"))
        QShortcut(QKeySequence.StandardKey.Copy, self.table, self.copy, context=Qt.ShortcutContext.WidgetShortcut)
        keys, inside = QKeySequence.StandardKey.Find, Qt.ShortcutContext.WidgetWithChildrenShortcut
        QShortcut(keys, self, self.filter.setFocus, context=inside)

    def _on_format(self) -> None:
        self._refresh()
        self.format_chosen.emit(self.shown_format)

    def _on_row(self, at: int) -> None:
        row = self.model.shown[at]
        self._tensor = row.get("tensor") or row.get("worst_tensor") or None
        if self._tensor:
            self.tensor_picked.emit(self._tensor)

    def _offer_formats(self) -> None:
        """The formats that the report has so far, and the one that is shown."""
        tensors = self._tables.get("tensors", ())
        first = tensors[0]["tensor"] if tensors else ""
        rows = self._tables.get("totals") or [row for row in tensors[: len(self._labels)] if row["tensor"] == first]
        chosen = self.shown_format
        names = ["", *dict.fromkeys([*(row["format"] for row in rows), *([chosen] if chosen else [])])]
        titles = ["All formats", *(self._labels.get(name, name) for name in names[1:])]
        if [(self.format.itemData(i), self.format.itemText(i)) for i in range(self.format.count())] == list(
            zip(names, titles, strict=True)
        ):
            return
        self.format.clear()
        for name, title in zip(names, titles, strict=True):
            self.format.addItem(title, name)
        self.format.setCurrentIndex(self.format.findData(chosen))

    def _refresh(self, other_rows: bool = False) -> None:
        view = self.views.index
        before = self.model.columns
        self.model.set_columns(self._columns[{_LAYERS: 1, _SKIPPED: 2}.get(view, 0)])
        if other_rows or self.model.columns is not before:
            self.table.begin_anew(keep_order=self.model.columns is before and not other_rows)
        self.format.setEnabled(view != _SKIPPED)
        self.table.show_rows(self._rows_of(view), self.shown_format, self.filter.text())
        self.table.setColumnHidden(1, view != _SKIPPED and bool(self.shown_format))
        if self._tensor is not None and not self.table.selectionModel().hasSelection():
            self._show_selected()  # its row has only now come, or come back
        self._say(view)

    def _rows_of(self, view: int) -> Sequence[Row]:
        tensors = self._tables.get("tensors", ())
        if view == _WORST:
            formats = [self.shown_format] if self.shown_format else self._formats()
            return [row for name in formats for row in worst_rows(tensors, name)]
        return tensors if view == _TENSORS else self._tables.get("layers" if view == _LAYERS else "skipped", ())

    def _formats(self) -> list[str]:
        return [self.format.itemData(index) for index in range(1, self.format.count())]

    def _say(self, view: int) -> None:
        """The count, or a sentence where there is nothing to show."""
        shown, total = len(self.model.shown), self.model.total
        what = "layers" if view == _LAYERS else "tensors"
        what = "rows" if view != _SKIPPED and not self.shown_format else what
        self.count.setText(f"{shown:,} of {total:,} {what}" if total else "")
        self._stack.setCurrentWidget(self.table if shown else self._sentence)
        if total and not shown:
            self._sentence.setText(f"Nothing here is called {self.filter.text().strip()!r}: change the filter.")
        elif not total:
            measured = bool(self._tables.get("tensors"))
            left_out = "Every tensor was measured." if view == _SKIPPED else "Nothing was measured in this format."
            self._sentence.setText(left_out if measured else _BEFORE)

    def _show_selected(self) -> None:
        if self._tensor is None:
            self.table.select(None)
            return
        layer = layer_and_kind(self._tensor)[0]
        by_layer = self.views.index == _LAYERS
        found = (
            at
            for at, row in enumerate(self.model.shown)
            if (row["layer"] == layer if by_layer else row["tensor"] == self._tensor)
        )
        self.table.select(next(found, None))

    def _lay_out(self) -> None:
        self.count.setProperty("role", "small")
        self._sentence.setProperty("role", "empty")
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._sentence.setWordWrap(True)
        self._sentence.setMargin(12)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._sentence)
        self._stack.addWidget(self.table)
        top, second = QHBoxLayout(), QHBoxLayout()
        for line in (top, second):
            line.setSpacing(6)
        top.addWidget(self.views, 1)
        top.addWidget(self.export)
        second.addWidget(self.filter, 1)
        second.addWidget(self.format)
        second.addWidget(self.count)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(second)
        column.addWidget(self._stack, 1)
