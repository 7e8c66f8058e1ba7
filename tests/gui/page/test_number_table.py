from __future__ import annotations

import json
import math
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from core.contracts.result import Metric, Provenance
from gui.page.number_table import NumberTable

METRICS = {
    "flash.read_bytes": Metric(4.4e9, "bytes", Provenance.TRACED, "all tensors"),
    "standard.read_bytes": Metric(40.3e9, "bytes", Provenance.MODELLED),
    "time": Metric(math.nan, "ms", Provenance.MEASURED),
}


@pytest.fixture
def numbers(qtbot: Any) -> NumberTable:
    made = NumberTable()
    qtbot.addWidget(made)
    made.set_metrics(METRICS)
    made.resize(800, 300)
    made.show()
    return made


def shown(numbers: NumberTable, column: int) -> list[str]:
    return [numbers.proxy.index(row, column).data() for row in range(numbers.proxy.rowCount())]


def test_that_numbers_carry_unit_and_provenance(numbers: NumberTable) -> None:
    assert shown(numbers, 1) == ["4.40 GB", "40.3 GB", "—"]
    assert shown(numbers, 2) == ["traced", "modelled", "measured"]


def test_that_sorting_is_by_value_and_not_by_text(numbers: NumberTable) -> None:
    numbers.table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert shown(numbers, 0) == ["standard.read_bytes", "flash.read_bytes", "time"]


def test_that_the_filter_looks_at_names_provenance_and_notes(numbers: NumberTable) -> None:
    for text, names in (("FLASH", ["flash.read_bytes"]), ("modelled", ["standard.read_bytes"]), ("zzz", [])):
        numbers.filter.setText(text)
        assert shown(numbers, 0) == names


def test_that_exports_have_full_precision_and_no_invalid_json(numbers: NumberTable) -> None:
    assert numbers.as_csv().splitlines()[1] == "flash.read_bytes,4400000000.0,bytes,traced,all tensors"
    exported = json.loads(numbers.as_json())
    assert exported["time"]["value"] is None
    assert exported["flash.read_bytes"] == {
        "value": 4.4e9,
        "unit": "bytes",
        "provenance": "traced",
        "note": "all tensors",
    }


def test_that_copy_takes_the_selected_rows_or_all(numbers: NumberTable) -> None:
    numbers.table.selectRow(1)
    numbers.copy()
    assert QGuiApplication.clipboard().text() == "standard.read_bytes\t40.3 GB\tmodelled\t"
    numbers.table.clearSelection()
    numbers.copy()
    assert len(QGuiApplication.clipboard().text().splitlines()) == 3


def test_that_the_table_paints_its_badges(numbers: NumberTable) -> None:
    assert not numbers.table.grab().isNull()
