"""The metrics of a run: every number with its unit and provenance. Sortable, filtered, exportable."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

from core.contracts.result import Metric
from core.contracts.text import EMPTY, Text, tr, tr_plural
from core.run_differences import NumberPair, number_pairs
from gui.page.export import write_numbers
from gui.page.file_writing import FileWriter
from gui.page.number_columns import OF_A_AND_B, OF_ONE_RUN
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.record_table import RecordTable


class NumberTable(QWidget):
    """The table with its filter and its exports. While a run is pinned as A, it has the numbers of both, and what
    differs is marked. `pin_requested` carries whether the run is to be pinned, or no longer."""

    pin_requested = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._metrics: Mapping[str, Metric] = {}
        self._pinned: Mapping[str, Metric] | None = None
        self.table: RecordTable[NumberPair] = RecordTable(OF_ONE_RUN, lambda pair: pair.name, tr("Run to get numbers."))
        self.filter = QLineEdit()
        show_text(self.filter.setPlaceholderText, tr("Filter the numbers"))
        show_text(
            self.filter.setToolTip, tr("Show the numbers whose name, value, provenance or note contains this text")
        )
        show_text(self.filter.setAccessibleName, tr("Filter the numbers"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self.table.set_filter)
        self._writer = FileWriter(self)
        self._count = QLabel()
        self._count.setProperty("role", "small")
        self._lay_out()
        self.set_metrics({})

    def set_metrics(self, metrics: Mapping[str, Metric]) -> None:
        """Show these metrics; an empty mapping is the state before a run."""
        self._metrics = metrics
        pairs = number_pairs(self._pinned or {}, metrics)
        self.table.set_rows(pairs)
        self.pin.setEnabled(bool(metrics) or self._pinned is not None)
        count = tr_plural("{count} number", "{count} numbers", count=len(metrics))
        show_text(self._count.setText, (count if self._pinned is None else _differing(pairs)) if metrics else EMPTY)

    def set_pinned(self, metrics: Mapping[str, Metric] | None) -> None:
        """Compare with the metrics of run A; None shows those of one run."""
        if (metrics is None) != (self._pinned is None):
            self.table.set_columns(OF_ONE_RUN if metrics is None else OF_A_AND_B, lambda pair: pair.name)
        self._pinned = metrics
        self.pin.setChecked(metrics is not None)
        show_text(self.pin.setText, tr("Unpin A") if metrics is not None else tr("Pin as A"))
        self.set_metrics(self._metrics)

    def visible_metrics(self) -> dict[str, Metric]:
        """The metrics that the filter accepts, in the order shown."""
        return {pair.name: pair.b for pair in self.table.rows if pair.b is not None}

    def as_csv(self) -> str:
        """Visible metrics with full precision: name, value, unit, provenance, note; and those of A, if it is pinned."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        of_a = [] if self._pinned is None else ["a", "difference", "ratio"]
        writer.writerow(["name", "value", "unit", "provenance", "note", *of_a])
        for pair in self.table.rows:
            row = ["", pair.unit, "", ""]
            if pair.b is not None:
                row = [repr(pair.b.value), pair.b.unit, pair.b.provenance.value, str(pair.b.note)]
            compared = [None if pair.a is None else pair.a.value, pair.difference, pair.ratio] if of_a else []
            writer.writerow([pair.name, *row, *("" if value is None else repr(value) for value in compared)])
        return text.getvalue()

    def data_table(self) -> DataTable | None:
        """Visible metrics with full precision, for the printer; None before a run."""
        metrics = self.visible_metrics()
        if not metrics:
            return None
        return table_of(
            {
                "name": metrics,
                "value": [metric.value for metric in metrics.values()],
                "unit": [metric.unit for metric in metrics.values()],
                "provenance": [metric.provenance.value for metric in metrics.values()],
                "note": [str(metric.note) for metric in metrics.values()],
            }
        )

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
        copy, export, self.pin = QPushButton(), QPushButton(), QPushButton()
        show_text(self.pin.setText, tr("Pin as A"))
        show_text(self.pin.setToolTip, tr("Keep this run as A, to compare the next run, B, with it"))
        self.pin.setCheckable(True)
        self.pin.clicked.connect(self.pin_requested)
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
        bar.addWidget(self.pin)
        bar.addWidget(copy)
        bar.addWidget(export)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)


def _differing(pairs: Sequence[NumberPair]) -> Text:
    count = sum(pair.differs for pair in pairs)
    return tr("{count} of {total} numbers differ", count=count, total=len(pairs))
