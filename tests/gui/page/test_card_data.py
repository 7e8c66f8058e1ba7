"""The numbers of a card as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.contracts.result import Provenance
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, Row, RowSpec, Segment
from gui.charts.series import Series
from gui.page.card import Card
from gui.widgets.data_table import DataTable, as_csv, as_json
from gui.widgets.record_model import Column as RecordColumn
from gui.widgets.record_table import RecordTable

DATA = ("Copy data as CSV", "Copy data as JSON", "Save data as CSV…", "Save data as JSON…")


def lines() -> LineChart:
    chart = LineChart("Nothing.", Axis("tokens", "tokens", "whole"), Axis("loss", "nats"))
    chart.set_series([Series("first, one", np.array([1, 2]), np.array([0.5, np.nan]), 0)])
    return chart


def bars() -> RowChart:
    chart = RowChart("Nothing.", "Bytes")
    parts = (Segment(1.5, Ink("series.0"), "Q", ("query",)), Segment(2.0, Ink("series.1"), "K"))
    columns = (Column(("HBM",), unit="bytes"), Column(("time",), unit="ms"))
    chart.set_rows(RowSpec(columns, (Band((Row("flash", (Cell((parts,)), Cell(mark=3.0, error=0.5)), group="fwd"),)),)))
    return chart


def table() -> RecordTable[dict[str, Any]]:
    columns = [RecordColumn(name, name, "", lambda row, name=name: row[name]) for name in ("name", "count")]
    made = RecordTable(columns, lambda row: row["name"], "Nothing.")
    made.set_rows([{"name": "a", "count": np.float32(1.5)}, {"name": "b", "count": None}])
    return made


def card_of(content: QWidget, qtbot: Any) -> Card:
    made = Card(content, "A card / one")
    qtbot.addWidget(made)
    return made


def entries(card: Card) -> dict[str, Any]:
    card._more.menu().aboutToShow.emit()
    return {action.text(): action for action in card._more.menu().actions() if action.isVisible() and action.text()}


def test_that_lines_are_copied_point_by_point_and_unknown_values_are_missing(qtbot: Any) -> None:
    shown = entries(card_of(lines(), qtbot))
    shown["Copy data as CSV"].trigger()
    read = list(csv.reader(io.StringIO(QGuiApplication.clipboard().text())))
    assert read == [
        ["series", "x", "x_unit", "y", "upper", "y_unit"],
        ["first, one", "1", "tokens", "0.5", "", "nats"],
        ["first, one", "2", "tokens", "", "", "nats"],
    ]
    shown["Copy data as JSON"].trigger()
    assert json.loads(QGuiApplication.clipboard().text())[1] == {
        "series": "first, one",
        "x": 2,
        "x_unit": "tokens",
        "y": None,
        "upper": None,
        "y_unit": "nats",
    }


def test_that_bars_give_each_of_their_parts_and_marks_their_error(qtbot: Any) -> None:
    (found,) = card_of(bars(), qtbot).tables
    assert found.columns == ("band", "group", "row", "column", "bar", "part", "value", "error", "unit")
    assert [row[3:] for row in found.rows] == [
        ("HBM", 1, "query", 1.5, None, "bytes"),
        ("HBM", 1, "K", 2.0, None, "bytes"),
        ("time", None, "", 3.0, 0.5, "ms"),
    ]
    assert {row[:3] for row in found.rows} == {("", "fwd", "flash")}


def test_that_numbers_keep_the_provenance_of_their_card(qtbot: Any) -> None:
    card = card_of(lines(), qtbot)
    card.set_provenance(Provenance.MODELLED)
    assert [row["provenance"] for row in json.loads(as_json(card.tables))] == ["modelled", "modelled"]


def test_that_a_card_gives_what_is_in_view_and_only_that(qtbot: Any) -> None:
    content = QWidget()
    column = QVBoxLayout(content)
    hidden = bars()
    for part in (lines(), hidden, table()):
        column.addWidget(part)
    hidden.hide()
    found = card_of(content, qtbot).tables
    assert [each.columns[0] for each in found] == ["series", "name"]
    assert found[1].rows == (("a", 1.5), ("b", None))
    assert len(json.loads(as_json(found))) == 2
    assert as_csv(found).count("\n\n") == 1


@pytest.mark.parametrize("content", [lambda: QLabel("words"), lambda: RowChart("Nothing.", "Bars")])
def test_that_a_card_without_numbers_offers_none(content: Any, qtbot: Any) -> None:
    card = card_of(content(), qtbot)
    assert not set(DATA) & set(entries(card))
    numbers = card_of(lines(), qtbot)
    assert set(DATA) <= set(entries(numbers))
    numbers.set_empty("Nothing to see.")
    assert not set(DATA) & set(entries(numbers))


def test_that_data_is_saved_as_a_file(qtbot: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "data.json"
    monkeypatch.setattr("gui.page.card_data.QFileDialog.getSaveFileName", lambda *_: (str(target), ""))
    card = card_of(lines(), qtbot)
    entries(card)["Save data as JSON…"].trigger()
    qtbot.waitUntil(lambda: target.exists() and not card._data._writer.busy)
    assert json.loads(target.read_text())[0]["y"] == 0.5


def test_that_infinite_values_are_null_in_json() -> None:
    assert json.loads(as_json([DataTable(("a",), ((float("inf"),),))])) == [{"a": None}]


class KeepsATable(QWidget):
    """As views of pages do: `table` is no method of theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = table()
        QVBoxLayout(self).addWidget(self.table)


def test_that_a_table_that_a_view_keeps_as_an_attribute_is_found(qtbot: Any) -> None:
    (numbers,) = card_of(KeepsATable(), qtbot).tables
    assert numbers.rows[0][:2] == ("a", 1.5)
