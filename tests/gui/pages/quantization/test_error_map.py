"""The error map: nothing bad disappears when there are more rows than pixels; picking, walking, reading, colours."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from gui import theme as themes
from gui.charts.error_grid import ErrorGrid, colours, picture, pooled
from gui.pages.quantization.error_map import ErrorMap


def grid(rows: int, columns: int = 8, worst: tuple[str, ...] = ()) -> ErrorGrid:
    values = 9.0 + np.arange(rows * columns, dtype=float).reshape(rows, columns) / (rows * columns)
    names = tuple(f"t{row}" for row in range(rows))
    return ErrorGrid(
        values, names, "position in the tensor", "%", (0.0, 100.0),
        read=lambda row, column: f"{row},{column}",
        key=lambda row, _column: names[row],
        places={name: (row, -1) for row, name in enumerate(names)},
        worst=worst,
    )  # fmt: skip


@pytest.fixture
def plot(qtbot: Any) -> ErrorMap:
    made = ErrorMap("Run to see errors.")
    qtbot.addWidget(made)
    made.resize(460, 260)
    made.show()
    made.set_grid(grid(6))
    return made


def y_of(plot: ErrorMap, row: int) -> float:
    low, high = plot.chart.getViewBox().viewRange()[1]
    box = plot.chart.getViewBox().sceneBoundingRect()
    return box.top() + (row + 0.5 - low) / (high - low) * box.height()


@given(st.integers(1, 400), st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_that_the_largest_error_is_in_the_picture_however_few_pixels_there_are(
    rows: int, most: int, data: st.DataObject
) -> None:
    values = np.full((rows, 3), 1.0)
    values[data.draw(st.integers(0, rows - 1)), 1] = 7.0
    values[data.draw(st.integers(0, rows - 1)), 2] = np.nan
    shown = pooled(values, 0, rows, most)
    assert len(shown) <= most
    assert np.nanmax(shown) == 7.0


def test_that_missing_errors_are_clear_and_larger_ones_stand_out_in_both_themes() -> None:
    for name in themes.NAMES:
        theme = themes.load(name)
        image = picture(np.array([[1.0, 9.0, np.nan]]), (1.0, 9.0), colours(theme))
        assert image[0, :, 3].tolist() == [255, 255, 0]
        ground = np.array([int(theme.sunken[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)
        low, high = (np.abs(image[0, column, :3] - ground).sum() for column in (0, 1))
        assert high > low


def test_that_one_bad_block_does_not_take_all_the_colours() -> None:
    values = np.full((200, 64), 9.0)
    values += np.linspace(0, 1, 64)
    values[0, 0] = 500.0
    made = ErrorGrid(values, ("x",) * 200, "", "", (0, 1), lambda *_: "", lambda *_: None)
    assert made.limits[1] < 11
    only_some = ErrorGrid(values, ("x",) * 200, "", "", (0, 1), lambda *_: "", lambda *_: None, scaled_by=(0,))
    assert only_some.limits[1] > 100
    nothing = ErrorGrid(np.full((1, 4), np.nan), ("x",), "", "", (0, 1), lambda *_: "", lambda *_: None)
    assert nothing.limits == (0.0, 1.0)


def test_that_equal_errors_are_not_stretched_over_all_the_colours() -> None:
    made = ErrorGrid(np.full((2, 4), 9.0), ("a", "b"), "", "", (0, 1), lambda *_: "", lambda *_: None)
    low, high = made.limits
    assert low < 9.0 < high


def test_that_a_click_picks_a_tensor_on_the_map_and_on_its_name(plot: ErrorMap, qtbot: Any) -> None:
    with qtbot.waitSignal(plot.key_picked) as caught:
        plot.chart.clicked.emit(50.0, 2.5)
    assert caught.args == ["t2"]
    with qtbot.waitSignal(plot.key_picked) as caught:
        QTest.mouseClick(plot.names, Qt.MouseButton.LeftButton, pos=QPoint(10, int(y_of(plot, 4))))
    assert caught.args == ["t4"]


def test_that_arrows_walk_from_row_to_row_within_the_map(plot: ErrorMap) -> None:
    picked: list[str] = []
    plot.key_picked.connect(picked.append)
    plot.key_picked.connect(plot.select_key)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Up):
        QTest.keyClick(plot.pad, key)
    QTest.keyClick(plot.pad, Qt.Key.Key_Right)  # a row is a tensor: there is nothing beside it
    assert picked == ["t0", "t1", "t0"]


def test_that_a_selected_tensor_out_of_view_is_brought_into_view(plot: ErrorMap) -> None:
    plot.set_grid(grid(300))
    plot.chart.setYRange(0, 20, padding=0)
    plot.select_key("t250")
    low, high = plot.chart.getViewBox().viewRange()[1]
    assert low <= 250 <= high
    assert plot.place == (250, -1)
    plot.select_key("nothing of the kind")
    assert plot.place is None


def test_that_of_many_rows_the_picked_and_the_worst_are_named_first(plot: ErrorMap) -> None:
    plot.set_grid(grid(300, worst=("t7", "t123")))
    plot.select_key("t201")
    shown = plot.names.shown_rows()
    assert shown[:3] == [201, 7, 123]
    assert len(shown) < 40
    ordered = sorted(shown)
    assert all(b > a for a, b in itertools.pairwise(ordered))


def test_that_a_cell_is_read_where_it_lies(plot: ErrorMap) -> None:
    assert plot.describe(0.0, 0.5) == "0,0"
    assert plot.describe(99.9, 5.2) == "5,7"
    assert plot.describe(101.0, 1.0) is None
    assert plot.describe(1.0, 6.0) is None


def test_that_the_scale_of_colours_says_percent_and_what_lies_beyond(plot: ErrorMap) -> None:
    top, middle, bottom = plot.bar.labels()
    assert top.startswith("≥")
    assert bottom.startswith("≤")
    assert middle.endswith("%")


def test_that_the_zoom_stays_while_a_report_keeps_its_size_and_shows_all_when_it_grows(plot: ErrorMap) -> None:
    plot.set_grid(grid(40))
    plot.chart.setYRange(10, 20, padding=0)
    plot.set_grid(grid(40))
    assert plot.chart.getViewBox().viewRange()[1] == pytest.approx([10, 20])
    plot.set_grid(grid(41))
    assert plot.chart.getViewBox().viewRange()[1] == pytest.approx([0, 41])
    plot.set_grid(None)
    assert plot.is_empty
