"""A small table: sorted both ways, what has no value last, the marked row stays, a sentence where there is nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt

from gui.widgets.columns import Column
from gui.widgets.row_table import RowTable, _Model

COLUMNS = (
    Column("name", "Name", "What it is called", str, "name", number=False),
    Column("count", "Count", "How many", lambda value: f"{value:,}", "1,000", "things"),
)
ROWS = [{"name": "b", "count": 1500}, {"name": "a", "count": None}, {"name": "c", "count": 20}]


@pytest.fixture
def table(qtbot: Any) -> RowTable:
    made = RowTable(COLUMNS, "name", "Nothing is here yet.")
    qtbot.addWidget(made)
    made.resize(320, 200)
    made.set_rows(ROWS)
    made.show()
    return made


def names(table: RowTable) -> list[str]:
    return [row["name"] for row in table.rows]


def test_that_no_rows_are_one_sentence(table: RowTable) -> None:
    assert not table.is_empty
    table.set_rows([], "Gone.")
    assert table.is_empty


def test_that_columns_sort_both_ways_and_what_has_no_value_comes_last(table: RowTable) -> None:
    assert names(table) == ["b", "a", "c"]
    table.table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert names(table) == ["c", "b", "a"]
    table.table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert names(table) == ["b", "c", "a"]
    table.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert names(table) == ["a", "b", "c"]


def test_that_the_order_and_the_mark_stay_when_rows_come(table: RowTable, qtbot: Any) -> None:
    table.table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    with qtbot.assertNotEmitted(table.picked):
        table.mark("b")
        table.set_rows([*ROWS, {"name": "d", "count": 3}])
    assert names(table) == ["d", "c", "b", "a"]
    assert [index.row() for index in table.table.selectionModel().selectedRows()] == [2]
    table.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert [index.data() for index in table.table.selectionModel().selectedRows()] == ["b"]


def test_that_a_mark_that_is_not_there_marks_nothing(table: RowTable) -> None:
    table.mark("c")
    table.mark("nobody")
    assert not table.table.selectionModel().selectedRows()
    table.mark(None)
    assert table.model.marked is None


def test_that_a_click_and_the_keyboard_pick_a_row(table: RowTable, qtbot: Any) -> None:
    at = table.table.visualRect(table.model.index(1, 0)).center()
    with qtbot.waitSignal(table.picked) as caught:
        qtbot.mouseClick(table.table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert caught.args == ["a"]
    with qtbot.waitSignal(table.picked) as caught:
        qtbot.keyClick(table.table, Qt.Key.Key_Down)
    assert caught.args == ["c"]


def test_that_texts_and_read_outs_carry_values(table: RowTable) -> None:
    model = table.model
    assert [model.index(row, 1).data() for row in range(3)] == ["1,500", "—", "20"]
    assert model.index(0, 1).data(Qt.ItemDataRole.ToolTipRole) == "1500 things"
    assert "there is none" in model.index(1, 1).data(Qt.ItemDataRole.ToolTipRole)
    assert table.table.columnWidth(0) >= 40


@given(st.lists(st.one_of(st.none(), st.integers(0, 99)), max_size=12), st.booleans())
def test_that_sorting_loses_no_row(counts: list[int | None], descending: bool) -> None:
    model = _Model(COLUMNS, "name")
    model.set_rows([{"name": str(at), "count": count} for at, count in enumerate(counts)])
    model.sort(1, Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder)
    shown = [row["count"] for row in model.shown]
    known = [count for count in counts if count is not None]
    assert shown == sorted(known, reverse=descending) + [None] * (len(counts) - len(known))
