"""Small matrices over tokens: what a cell reads, what a click and the arrows pick, and where cells and labels lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QTest

from gui import theme as themes
from gui.charts.matrix_page import MatrixPage
from gui.charts.token_axes import fitted_axes
from gui.charts.token_map import TokenMap

ROWS, COLUMNS = ("<bos>", "mat", "a"), ("the", "cat", "sat", "<pad>")
VISIBLE = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]], bool)
WEIGHTS = np.where(VISIBLE, 0.25, 0).astype(np.float32)


def head(index: int) -> MatrixPage:
    values = np.where(VISIBLE, 0.1 * (index + 1), 0).astype(np.float32)
    return MatrixPage(str(index), f"head {index}", ROWS, COLUMNS, values, VISIBLE, exact=True, top=1.0)


@pytest.fixture
def plot(qtbot: Any) -> TokenMap:
    made = TokenMap()
    qtbot.addWidget(made)
    made.resize(320, 260)
    made.set_pages([head(0), head(1)])
    made.show()
    return made


def middle(plot: TokenMap, row: int, column: int) -> QPoint:
    return plot.matrix.axes.cell_rect(row, column).center().toPoint()


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((1, 0), "head 0\nquery 1 'mat' → key 0 'the'\nweight: 0.1"),
        ((0, 3), "head 0\nquery 0 '<bos>' → key 3 '<pad>'\nhidden by the mask: weight is exactly 0"),
        ((2, -1), "head 0\nquery 2 'a'"),
        ((-1, 1), "head 0\nkey 1 'cat'"),
    ],
)
def test_that_a_cell_reads_its_exact_weight_or_why_there_is_none(
    plot: TokenMap, place: tuple[int, int], expected: str
) -> None:
    assert plot.describe(place) == expected


def test_that_before_a_run_only_the_mask_is_read() -> None:
    page = MatrixPage("mask", "the mask", ROWS, COLUMNS, None, VISIBLE)
    assert page.read(0, 0).endswith("visible; run to see its weight")
    assert page.read(0, 1).endswith("weight is exactly 0")


def test_that_only_values_compared_exactly_are_called_exactly_zero() -> None:
    zeros = np.zeros((1, 2), np.float32)
    rounded = MatrixPage("t", "t", ("x",), (), zeros, what="value", elements=("0", "1..2, their mean"))
    assert rounded.read(0, 1) == "t\nquery 0 'x' → key 1..2, their mean\nvalue: 0"
    assert MatrixPage("t", "t", ("x",), ("y", "z"), zeros, exact=True).read(0, 1).endswith("weight: exactly 0")


def test_that_hidden_cells_look_unlike_weak_ones_and_strong_ones_unlike_both(plot: TokenMap) -> None:
    weights = np.array([[0.0, 0.0, 1.0]], np.float32)
    page = MatrixPage("1", "h", ("x",), ("a", "b", "c"), weights, np.array([[False, True, True]]), top=1.0)
    image = page.image(themes.current())
    assert len({image.pixelColor(column, 0).name() for column in range(3)}) == 3


def test_that_signed_values_take_two_colours() -> None:
    page = MatrixPage("t", "t", ("x",), (), np.array([[-1.0, 0.0, 1.0]]), signed=True)
    image = page.image(themes.current())
    negative, zero, positive = (image.pixelColor(column, 0) for column in range(3))
    assert negative.blue() > negative.red()
    assert positive.red() > positive.blue()
    assert zero not in (negative, positive)


def test_that_clicks_pick_cells_rows_and_columns(plot: TokenMap) -> None:
    picked: list[tuple[int, int]] = []
    plot.cell_picked.connect(lambda row, column: picked.append((row, column)))
    area = plot.matrix.axes.area
    for point in (middle(plot, 1, 2), QPoint(int(area.left()) - 8, middle(plot, 2, 0).y())):
        QTest.mouseClick(plot.matrix, Qt.MouseButton.LeftButton, pos=point)
    QTest.mouseClick(plot.matrix, Qt.MouseButton.LeftButton, pos=QPoint(middle(plot, 0, 3).x(), int(area.top()) - 8))
    QTest.mouseClick(plot.matrix, Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert picked == [(1, 2), (2, -1), (-1, 3)]


def test_that_the_arrows_walk_and_stop_at_the_edge(plot: TokenMap) -> None:
    plot.cell_picked.connect(lambda row, column: plot.select(row, column))
    plot.select(1, 2)
    for key, expected in (
        (Qt.Key.Key_Right, (1, 3)), (Qt.Key.Key_Right, (1, 3)), (Qt.Key.Key_Down, (2, 3)), (Qt.Key.Key_Down, (2, 3)),
        (Qt.Key.Key_Left, (2, 2)), (Qt.Key.Key_Up, (1, 2)),
    ):  # fmt: skip
        QTest.keyClick(plot.matrix, key)
        assert (plot.row, plot.column) == expected


def test_that_a_selection_is_drawn_and_emits_nothing(plot: TokenMap, qtbot: Any) -> None:
    before = plot.grab().toImage()
    with qtbot.assertNotEmitted(plot.cell_picked):
        plot.select(1, None)
    assert plot.grab().toImage() != before
    plot.select(None, None)
    assert plot.grab().toImage() == before


def test_that_a_thumbnail_asks_for_its_matrix_and_the_owner_brings_it(plot: TokenMap) -> None:
    plot.page_picked.connect(plot.show_page)
    for size in ((320, 260), (200, 400)):  # beside the large matrix, then above it
        plot.resize(*size)
        for index in (1, 0):
            QTest.mouseClick(plot.thumbs, Qt.MouseButton.LeftButton, pos=plot.thumbs.box_of(index).center().toPoint())
            assert (plot.index, plot.thumbs.front) == (index, index)
    plot.show_page(7)
    assert plot.index == 0


def test_that_the_head_in_front_stays_when_a_run_brings_as_many(plot: TokenMap) -> None:
    plot.show_page(1)
    plot.set_pages([head(2), head(3)])
    assert plot.index == 1
    plot.set_pages([head(2)])
    assert plot.index == 0
    plot.set_pages([])
    assert plot.is_empty


words = st.lists(st.text("abc<>", min_size=1, max_size=14), min_size=1, max_size=96)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words, words, st.integers(90, 900), st.integers(80, 600), st.booleans())
def test_that_every_cell_is_found_where_it_is_drawn_and_inside_its_room(
    plot: TokenMap, rows: list[str], columns: list[str], width: int, height: int, square: bool
) -> None:
    room = QRectF(0, 0, width, height)
    axes = fitted_axes(room, rows, columns, (len(rows), len(columns)), QFontMetrics(plot.font()), square=square)
    assert room.contains(axes.area)
    for row, column in ((0, 0), (len(rows) - 1, len(columns) - 1)):
        centre = axes.cell_rect(row, column).center()
        assert axes.find(centre.x(), centre.y()) == (row, column)
