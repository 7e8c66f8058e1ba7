"""The metrics of a run: every number with its unit and provenance. Sortable, filtered, exportable."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

from core.contracts.result import Metric
from core.contracts.text import EMPTY, tr, tr_plural
from core.format import exact_quantity, format_quantity
from gui.page.export import write_numbers
from gui.page.file_writing import FileWriter
from gui.translation import show_text
from gui.widgets.badge import EXPLANATIONS
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable

Entry = tuple[str, Metric]
COLUMNS: tuple[Column[Entry], ...] = (
    Column("name", tr("Metric"), tr("The name of the metric"), lambda entry: entry[0], number=False, mono=True),
    Column(
        "value",
        tr("Value"),
        tr("The value with its unit"),
        lambda entry: None if math.isnan(entry[1].value) else entry[1],
        lambda metric: format_quantity(metric.value, metric.unit),
        order=lambda entry: entry[1].value,
        tip=lambda entry: str(exact_quantity(entry[1].value, entry[1].unit)),
    ),
    Column(
        "provenance",
        tr("Provenance"),
        tr("Where the number comes from"),
        lambda entry: entry[1].provenance,
        lambda provenance: str(provenance.label),
        number=False,
        tip=lambda entry: str(EXPLANATIONS[entry[1].provenance]),
        badge=True,
    ),
    Column(
        "note",
        tr("Note"),
        tr("How the number was obtained, or what it refers to"),
        lambda entry: str(entry[1].note),
        number=False,
        stretch=True,
    ),
)


class NumberTable(QWidget):
    """The table with its filter and its exports."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table: RecordTable[Entry] = RecordTable(COLUMNS, lambda entry: entry[0], tr("Run to get numbers."))
        self.filter = QLineEdit()
        show_text(self.filter.setPlaceholderText, tr("Filter the numbers"))
        show_text(
            self.filter.setToolTip, tr("Show the numbers whose name, value, provenance or note contains this text")
        )
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self.table.set_filter)
        self._writer = FileWriter(self)
        self._count = QLabel()
        self._count.setProperty("role", "small")
        self._lay_out()
        self.set_metrics({})

    def set_metrics(self, metrics: Mapping[str, Metric]) -> None:
        """Show these metrics; an empty mapping is the state before a run."""
        self.table.set_rows(list(metrics.items()))
        count = tr_plural("{count} number", "{count} numbers", count=len(metrics))
        show_text(self._count.setText, count if metrics else EMPTY)

    def visible_metrics(self) -> dict[str, Metric]:
        """The metrics that the filter accepts, in the order shown."""
        return dict(self.table.rows)

    def as_csv(self) -> str:
        """Visible metrics with full precision: name, value, unit, provenance, note."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "value", "unit", "provenance", "note"])
        for name, metric in self.visible_metrics().items():
            writer.writerow([name, repr(metric.value), metric.unit, metric.provenance.value, str(metric.note)])
        return text.getvalue()

    def as_json(self) -> str:
        """Visible metrics as the `metrics` of `run --json`; NaN and inf are null."""
        return json.dumps(
            {
                name: {
                    "value": metric.value if math.isfinite(metric.value) else None,
                    "unit": metric.unit,
                    "provenance": metric.provenance.value,
                    "note": str(metric.note),
                }
                for name, metric in self.visible_metrics().items()
            },
            indent=2,
        )

    def _export(self, suffix: str) -> None:
        path, _ = QFileDialog.getSaveFileName(self, str(tr("Export numbers")), f"numbers.{suffix}", f"*.{suffix}")
        if path:
            text = self.as_csv() if suffix == "csv" else self.as_json()
            self._writer.write(path, lambda: write_numbers(path, text))

    def _lay_out(self) -> None:
        copy, export = QPushButton(), QPushButton()
        show_text(copy.setText, tr("Copy"))
        show_text(export.setText, tr("Export…"))
        copy.clicked.connect(self.table.copy)
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
