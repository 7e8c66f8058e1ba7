"""One table for all: sorted, filtered, copied and walked; programmatic selection emits nothing."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui import theme
from gui.widgets.record_model import Column, RecordModel
from gui.widgets.record_table import RecordTable

COLUMNS = (
    Column("name", "Name", "What it is called", itemgetter("name"), number=False),
    Column("count", "Count", "How many", itemgetter("count"), lambda value: f"{value:,}", "things"),
)
ROWS = [{"name": "b", "count": 1500}, {"name": "a", "count": None}, {"name": "c", "count": 20}]


Row = dict[str, Any]


@pytest.fixture
def table(qtbot: Any) -> RecordTable[Row]:
    made = RecordTable(COLUMNS, itemgetter("name"), "Nothing is here yet.")
    qtbot.addWidget(made)
    made.resize(320, 200)
    made.set_rows(ROWS)
    made.show()
    return made


def names(table: RecordTable[Row]) -> list[str]:
    return [row["name"] for row in table.rows]


def test_that_no_rows_are_one_sentence(table: RecordTable[Row]) -> None:
    assert not table.is_empty
    table.set_rows([], "Gone.")
    assert table.is_empty
    assert table.sentence == "Gone."


def test_that_columns_sort_both_ways_and_what_has_no_value_comes_last(table: RecordTable[Row]) -> None:
    assert names(table) == ["b", "a", "c"]
    table.view.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert names(table) == ["c", "b", "a"]
    table.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert names(table) == ["b", "c", "a"]
    table.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert names(table) == ["a", "b", "c"]


def test_that_the_order_and_the_mark_stay_when_rows_come(table: RecordTable[Row], qtbot: Any) -> None:
    table.view.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    with qtbot.assertNotEmitted(table.picked):
        table.mark("b")
        table.set_rows([*ROWS, {"name": "d", "count": 3}])
    assert names(table) == ["d", "c", "b", "a"]
    assert [index.row() for index in table.view.selectionModel().selectedRows()] == [2]
    table.view.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert [index.data() for index in table.view.selectionModel().selectedRows()] == ["b"]


def test_that_a_mark_that_is_not_there_marks_nothing(table: RecordTable[Row]) -> None:
    table.mark("c")
    table.mark("nobody")
    assert not table.view.selectionModel().selectedRows()
    table.mark(None)
    assert table.marked is None


def test_that_a_click_and_the_keyboard_pick_a_row(table: RecordTable[Row], qtbot: Any) -> None:
    point = table.view.visualRect(table.model.index(1, 0)).center()
    with qtbot.waitSignal(table.picked) as caught:
        qtbot.mouseClick(table.view.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert caught.args == [ROWS[1]]
    with qtbot.waitSignal(table.picked) as caught:
        qtbot.keyClick(table.view, Qt.Key.Key_Down)
    assert caught.args == [ROWS[2]]


def test_that_texts_and_read_outs_carry_values(table: RecordTable[Row]) -> None:
    model = table.model
    assert [model.index(row, 1).data() for row in range(3)] == ["1,500", "—", "20"]
    assert model.index(0, 1).data(Qt.ItemDataRole.ToolTipRole) == "1500 things"
    assert "none" in model.index(1, 1).data(Qt.ItemDataRole.ToolTipRole)
    assert table.view.columnWidth(0) >= 40


def test_that_a_row_is_picked_again_after_its_mark_is_gone(table: RecordTable[Row], qtbot: Any) -> None:
    center = table.view.visualRect(table.model.index(1, 0)).center()
    qtbot.mouseClick(table.view.viewport(), Qt.MouseButton.LeftButton, pos=center)
    table.mark(None)
    with qtbot.waitSignal(table.picked) as caught:
        qtbot.mouseClick(table.view.viewport(), Qt.MouseButton.LeftButton, pos=center)
    assert caught.args == [ROWS[1]]


def test_that_signals_come_back_after_an_exception(table: RecordTable[Row], qtbot: Any) -> None:
    with pytest.raises(ZeroDivisionError), table.view.without_signals():
        raise ZeroDivisionError
    with qtbot.waitSignal(table.picked) as caught:
        table.view.selectRow(2)
    assert caught.args == [ROWS[2]]


def test_that_blocks_without_signals_nest(table: RecordTable[Row], qtbot: Any) -> None:
    with qtbot.assertNotEmitted(table.picked), table.view.without_signals():
        with table.view.without_signals():
            table.view.selectRow(1)
        table.view.selectRow(2)


def test_that_the_focus_alone_picks_nothing(table: RecordTable[Row], qtbot: Any) -> None:
    with qtbot.assertNotEmitted(table.picked):
        table.view.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.waitUntil(table.view.hasFocus)


def test_that_the_filter_looks_at_every_column_and_brings_the_mark_back(table: RecordTable[Row], qtbot: Any) -> None:
    table.mark("c")
    with qtbot.assertNotEmitted(table.picked):
        for text, shown in (("B", ["b"]), ("1,5", ["b"]), ("—", ["a"]), ("nothing", []), ("", ["b", "a", "c"])):
            table.set_filter(text)
            assert names(table) == shown
            assert table.sentence == ("" if shown else "Nothing matches “nothing”. Change the filter.")
    assert table.selected == (ROWS[2],)


def test_that_the_copy_has_a_header_and_the_selected_rows_or_all_in_the_order_shown(
    table: RecordTable[Row], qtbot: Any
) -> None:
    table.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    table.mark("b")
    qtbot.keyClick(table.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Name\tCount\nb\t1,500"
    table.mark(None)
    table.copy()
    assert QGuiApplication.clipboard().text() == "Name\tCount\na\t—\nb\t1,500\nc\t20"


def test_that_several_selected_rows_stay_selected_when_rows_come(table: RecordTable[Row], qtbot: Any) -> None:
    table.view.selectRow(0)
    with qtbot.assertNotEmitted(table.picked):
        table.view.select_places([0, 2], 0)
        table.set_rows([{"name": "first", "count": 1}, *ROWS])
    assert table.selected == (ROWS[0], ROWS[2])


def test_that_columns_are_as_wide_as_their_texts_until_the_user_sets_a_width(table: RecordTable[Row]) -> None:
    narrow = table.view.columnWidth(0)
    table.set_rows([*ROWS, {"name": "a much longer name", "count": 1}])
    assert table.view.columnWidth(0) > narrow + 60
    table.view.setColumnWidth(0, 55)
    table.set_rows([*ROWS, {"name": "the longest name of all of them", "count": 1}])
    assert table.view.columnWidth(0) == 55
    table.start_over()
    table.set_rows(ROWS)
    assert table.view.columnWidth(0) == narrow


def test_that_no_text_is_cut(table: RecordTable[Row], qapp: QApplication) -> None:
    theme.apply(qapp, theme.current().name)  # its padding takes part of a cell
    table.set_rows([{"name": "layer 0, down_proj", "count": 123_456_789_012}, *ROWS])
    for column in range(2):
        assert table.view.columnWidth(column) >= table.view.sizeHintForColumn(column)


def test_that_other_columns_start_in_their_own_order_without_a_mark(table: RecordTable[Row], qtbot: Any) -> None:
    table.view.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    table.mark("a")
    with qtbot.assertNotEmitted(table.picked):
        table.set_columns(COLUMNS[:1], itemgetter("name"))
        table.set_rows(ROWS)
    assert names(table) == ["b", "a", "c"]
    assert table.marked is None
    assert not table.selected
    assert table.model.columnCount() == 1


def test_that_of_rows_with_one_key_the_one_that_the_user_picked_stays(table: RecordTable[Row], qtbot: Any) -> None:
    table.set_rows([{"name": "b", "count": 1}, {"name": "b", "count": 2}])
    qtbot.keyClick(table.view, Qt.Key.Key_Down)
    qtbot.keyClick(table.view, Qt.Key.Key_Down)
    table.mark("b")
    assert table.selected == ({"name": "b", "count": 2},)


def test_that_a_tone_colours_a_cell_in_the_current_theme(qtbot: Any) -> None:
    tone = replace(COLUMNS[0], tone=lambda row: "bad" if row["name"] == "b" else "")
    table = RecordTable((tone,), itemgetter("name"), "")
    qtbot.addWidget(table)
    table.set_rows(ROWS)
    assert table.model.index(0, 0).data(Qt.ItemDataRole.ForegroundRole) == QColor(theme.current().bad)
    assert table.model.index(1, 0).data(Qt.ItemDataRole.ForegroundRole) is None


@given(st.lists(st.one_of(st.none(), st.integers(0, 99)), max_size=12), st.booleans())
def test_that_sorting_loses_no_row(counts: list[int | None], descending: bool) -> None:
    model = RecordModel(COLUMNS, itemgetter("name"))
    model.set_rows([{"name": str(index), "count": count} for index, count in enumerate(counts)], None)
    model.sort(1, Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder)
    shown = [row["count"] for row in model.shown]
    known = [count for count in counts if count is not None]
    assert shown == sorted(known, reverse=descending) + [None] * (len(counts) - len(known))


def test_that_columns_without_a_value_are_left_out_where_that_is_wished(qtbot: Any) -> None:
    table = RecordTable(COLUMNS, itemgetter("name"), "Nothing is here yet.", hides_empty=True)
    qtbot.addWidget(table)

    table.set_rows([{"name": "a", "count": None}])
    assert table.view.isColumnHidden(1)
    table.set_rows(ROWS)
    assert not table.view.isColumnHidden(1)


def test_that_ctrl_and_the_arrows_sort_as_a_click_on_a_header_does(table: RecordTable[Row]) -> None:
    for key, order in (
        (Qt.Key.Key_Right, ["a", "b", "c"]),
        (Qt.Key.Key_Right, ["c", "b", "a"]),
        (Qt.Key.Key_Down, ["b", "c", "a"]),
        (Qt.Key.Key_Left, ["c", "b", "a"]),
        (Qt.Key.Key_Up, ["a", "b", "c"]),
    ):
        QTest.keyClick(table.view, key, Qt.KeyboardModifier.ControlModifier)
        assert names(table) == order
