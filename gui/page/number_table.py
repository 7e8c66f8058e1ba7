"""The metrics of a run: every number with its unit and where it comes from. Sortable, filtered, exportable."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, QSortFilterProxyModel, Qt
from PySide6.QtGui import QGuiApplication, QKeySequence, QPainter, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.contracts.errors import TilescopeError
from core.contracts.result import Metric, Provenance
from core.format import format_quantity
from gui import theme
from gui.widgets.badge import EXPLANATIONS, chip_size, paint_chip

COLUMNS = ("Metric", "Value", "Provenance", "Note")
_NAME, _VALUE, _PROVENANCE, _NOTE = range(4)
_SORT = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex


class MetricsModel(QAbstractTableModel):
    """Metrics by name, in the order of the result."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[str, Metric]] = []

    def set_metrics(self, metrics: Mapping[str, Metric]) -> None:
        self.beginResetModel()
        self._rows = list(metrics.items())
        self.endResetModel()

    def metrics(self) -> dict[str, Metric]:
        return dict(self._rows)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        name, metric = self._rows[index.row()]
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return (name, format_quantity(metric.value, metric.unit), metric.provenance.value, metric.note)[column]
        if role == _SORT:
            value = -math.inf if math.isnan(metric.value) else metric.value
            return (name, value, metric.provenance.value, metric.note)[column]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.FontRole and column in (_NAME, _VALUE):
            return theme.mono_font()
        if role == Qt.ItemDataRole.ToolTipRole:
            exact = f"{metric.value!r} {metric.unit}".strip()
            return (name, exact, EXPLANATIONS[metric.provenance], metric.note)[column]
        return None


class _BadgeDelegate(QStyledItemDelegate):
    """Paints the provenance as the same chip that plots carry."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        text = index.data()
        cell = QStyleOptionViewItem(option)
        self.initStyleOption(cell, index)
        cell.text = ""
        cell.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, cell, painter, cell.widget)
        size = chip_size(text)
        rect = QRectF(option.rect.left() + 6, option.rect.center().y() - size.height() / 2 + 0.5, *size.toTuple())
        colours = theme.current()
        paint_chip(painter, rect, text, colours.provenance[Provenance(text)], colours.surface)


class NumberTable(QWidget):
    """The table with its filter and its exports."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = MetricsModel()
        self.model.setParent(self)
        self.proxy = QSortFilterProxyModel(self)
        self.proxy.setSourceModel(self.model)
        self.proxy.setSortRole(_SORT)
        self.proxy.setFilterKeyColumn(-1)
        self.proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter by name, provenance or note")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self.proxy.setFilterFixedString)
        self.table = QTableView()
        self.table.setModel(self.proxy)
        self._count = QLabel()
        self._count.setProperty("role", "small")
        self._style_table()
        self._lay_out()
        QShortcut(QKeySequence.StandardKey.Copy, self.table, self.copy, context=Qt.ShortcutContext.WidgetShortcut)
        self.set_metrics({})

    def set_metrics(self, metrics: Mapping[str, Metric]) -> None:
        """Show these metrics; an empty mapping is the state before a run."""
        self.model.set_metrics(metrics)
        self._count.setText(
            f"{len(metrics)} {'number' if len(metrics) == 1 else 'numbers'}" if metrics else "Run to get numbers."
        )

    def visible_metrics(self) -> dict[str, Metric]:
        """What the filter lets through, in the order shown."""
        metrics = self.model.metrics()
        names = [self.proxy.index(row, _NAME).data() for row in range(self.proxy.rowCount())]
        return {name: metrics[name] for name in names}

    def copy(self) -> None:
        """The selected rows, or all that are visible, as tab-separated text on the clipboard."""
        rows = sorted({index.row() for index in self.table.selectedIndexes()}) or range(self.proxy.rowCount())
        lines = ["\t".join(str(self.proxy.index(row, column).data()) for column in range(len(COLUMNS))) for row in rows]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def as_csv(self) -> str:
        """Visible metrics with full precision: name, value, unit, provenance, note."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "value", "unit", "provenance", "note"])
        for name, metric in self.visible_metrics().items():
            writer.writerow([name, repr(metric.value), metric.unit, metric.provenance.value, metric.note])
        return text.getvalue()

    def as_json(self) -> str:
        """Visible metrics as the `metrics` of `run --json`; a value that was not obtained is null."""
        return json.dumps(
            {
                name: {
                    "value": metric.value if math.isfinite(metric.value) else None,
                    "unit": metric.unit,
                    "provenance": metric.provenance.value,
                    "note": metric.note,
                }
                for name, metric in self.visible_metrics().items()
            },
            indent=2,
        )

    def _export(self, suffix: str) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export numbers", f"numbers.{suffix}", f"*.{suffix}")
        if path:
            text = self.as_csv() if suffix == "csv" else self.as_json()
            try:
                Path(path).write_text(text, encoding="utf-8")
            except OSError as error:
                raise TilescopeError(f"The numbers cannot be written to {path}: {error.strerror}.") from error

    def _style_table(self) -> None:
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setWordWrap(False)
        self.table.setItemDelegateForColumn(_PROVENANCE, _BadgeDelegate(self.table))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(23)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        for column, width in ((_NAME, 280), (_VALUE, 130), (_PROVENANCE, 130)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            self.table.setColumnWidth(column, width)

    def _lay_out(self) -> None:
        copy = QPushButton("Copy")
        copy.clicked.connect(self.copy)
        export = QPushButton("Export…")
        menu = QMenu(export)
        menu.addAction("CSV…", lambda: self._export("csv"))
        menu.addAction("JSON…", lambda: self._export("json"))
        export.setMenu(menu)
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 6, 8, 2)
        bar.setSpacing(6)
        self.filter.setMaximumWidth(320)
        bar.addWidget(self.filter, 1)
        bar.addWidget(self._count)
        bar.addStretch(1)
        bar.addWidget(copy)
        bar.addWidget(export)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column == _VALUE else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
