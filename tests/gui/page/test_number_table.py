from __future__ import annotations

import json
import math
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication

from core.contracts.result import Metric, Provenance
from gui import theme
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
    return [numbers.table.model.index(row, column).data() for row in range(len(numbers.table.rows))]


def test_that_numbers_carry_unit_and_provenance(numbers: NumberTable) -> None:
    assert shown(numbers, 1) == ["4.40 GB", "40.3 GB", "—"]
    assert shown(numbers, 2) == ["traced", "modelled", "measured"]


def test_that_sorting_is_by_value_and_not_by_text(numbers: NumberTable) -> None:
    numbers.table.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert shown(numbers, 0) == ["standard.read_bytes", "flash.read_bytes", "time"]
    numbers.table.view.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert shown(numbers, 0) == ["flash.read_bytes", "standard.read_bytes", "time"], "no value comes last either way"


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
    numbers.table.view.selectRow(1)
    numbers.table.copy()
    assert QGuiApplication.clipboard().text().splitlines() == [
        "Metric\tValue\tProvenance\tNote",
        "standard.read_bytes\t40.3 GB\tmodelled\t",
    ]
    numbers.table.view.clearSelection()
    numbers.table.copy()
    assert len(QGuiApplication.clipboard().text().splitlines()) == 4


def test_that_a_provenance_is_painted_as_the_chip_that_plots_carry(numbers: NumberTable) -> None:
    view = numbers.table.view
    colours = theme.current()
    for row, metric in enumerate(METRICS.values()):
        image = view.viewport().grab(view.visualRect(numbers.table.model.index(row, 2))).toImage()
        painted = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
        tint = theme.mix(colours.surface, colours.provenance[metric.provenance], 0.14)
        assert QColor(tint).name() in painted


def test_that_without_numbers_it_says_how_to_get_them(numbers: NumberTable) -> None:
    numbers.set_metrics({})
    assert numbers.table.sentence == "Run to get numbers."
