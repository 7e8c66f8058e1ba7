"""The row map: colours, names by group, reading, picking, walking, zoom; nothing disappears where rows are many."""

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
from gui.charts.palette import colour_map, colour_table
from gui.charts.row_grid import ColourScale, RowGrid, pooled
from gui.charts.row_labels import group_spans
from gui.charts.row_map import RowMap

RANKS = ColourScale("viridis", (-0.5, 8.5), ((0.0, "rank 0"), (8.0, "8 start"), (4.0, "4 target")), steps=9)
ERRORS = ColourScale("inferno", (9.0, 10.0), ((10.0, "≥ 10%"), (9.0, "≤ 9%")), "relative RMSE")


def ranks(done: int = 20, layers: int = 3, kinds: int = 2) -> RowGrid:
    """Ranks of matrices at 30 steps, of which so many are done."""
    rows = layers * kinds
    values = np.full((rows, 30), np.nan)
    values[:, :done] = np.clip(8 - np.arange(done) // 4 - np.arange(rows)[:, None], 0, 8)
    return RowGrid(
        values=values, names=tuple(f"k{row % kinds}" for row in range(rows)), scale=RANKS,
        groups=tuple(f"L{row // kinds}" for row in range(rows)), x_name="step", x_range=(0.5, 30.5), done=done,
        read=lambda row, column: f"{row},{column}", edge_marks=(4.0, 8.0, 12.0), lines=((4.0, "tinit 4"),),
    )  # fmt: skip


def errors(rows: int, columns: int = 8, highlighted: tuple[int, ...] = ()) -> RowGrid:
    """Errors of blocks in percent, a row per tensor."""
    return RowGrid(
        values=9.0 + np.arange(rows * columns, dtype=float).reshape(rows, columns) / (rows * columns),
        names=tuple(f"t{row}" for row in range(rows)), scale=ERRORS, x_name="position in the tensor", x_unit="%",
        x_range=(0.0, 100.0), read=lambda row, column: f"{row},{column}", highlighted=highlighted,
    )  # fmt: skip


@pytest.fixture
def steps(qtbot: Any) -> RowMap:
    """Columns are steps of time."""
    made = RowMap("Run to see ranks.", "Ranks", steps=True)
    qtbot.addWidget(made)
    made.resize(500, 300)
    made.show()
    made.set_grid(ranks())
    return made


@pytest.fixture
def cells(qtbot: Any) -> RowMap:
    """Columns are parts of what a row is."""
    made = RowMap("Run to see errors.", "Errors")
    qtbot.addWidget(made)
    made.resize(460, 260)
    made.show()
    made.set_grid(errors(6))
    return made


def listen(plot: RowMap) -> list[tuple[int, int]]:
    """What is picked from now on."""
    picked: list[tuple[int, int]] = []
    plot.picked.connect(lambda row, column: picked.append((row, column)))
    return picked


def y_of(plot: RowMap, row: int) -> int:
    low, high = plot.chart.getViewBox().viewRange()[1]
    box = plot.chart.getViewBox().sceneBoundingRect()
    return int(box.top() + (row + 0.5 - low) / (high - low) * box.height())


def pixel(plot: RowMap, x: float, row: int) -> list[int]:
    """The colour [red, green, blue] on the screen at a point of the axis in a row."""
    box = plot.chart.getViewBox()
    (low, high), area = box.viewRange()[0], box.sceneBoundingRect()
    point = QPoint(int(area.left() + (x - low) / (high - low) * area.width()), y_of(plot, row))
    shown = plot.chart.grab().toImage().pixelColor(point)
    return [shown.red(), shown.green(), shown.blue()]


def test_that_without_a_row_or_a_step_there_is_a_sentence(steps: RowMap) -> None:
    steps.set_grid(ranks(done=0))
    assert steps.is_empty
    assert steps.empty_sentence == "Run to see ranks."
    steps.set_grid(ranks(done=1))
    assert not steps.is_empty
    steps.set_grid(errors(0))
    assert steps.is_empty


@pytest.mark.parametrize("theme_name", themes.NAMES)
@pytest.mark.parametrize("name", ["inferno", "viridis"])
def test_that_larger_values_stand_out_more_in_both_themes(theme_name: str, name: str) -> None:
    theme = themes.load(theme_name)
    ground = np.array([int(theme.sunken[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)
    distance = np.abs(colour_table(theme, name).astype(float) - ground).sum(1)
    assert distance[-1] > distance[0] > 20
    blocks = colour_map(theme, name, 13).getLookupTable(nPts=256)
    assert len({tuple(pixel_colour) for pixel_colour in blocks.tolist()}) == 13


def test_that_each_cell_has_the_colour_of_its_value_and_a_missing_one_has_none(steps: RowMap) -> None:
    theme = themes.current()
    table = colour_table(theme, "viridis")[np.linspace(0, 255, 9).round().astype(int)]
    grid = ranks()
    shown = steps._image.image
    assert shown.shape == (6, 30)
    assert np.array_equal(shown, grid.values, equal_nan=True)
    for column, row in ((1, 0), (9, 0), (9, 2), (18, 5)):
        assert pixel(steps, column + 1.2, row) == table[int(grid.values[row, column])].tolist()
    ground = [int(theme.sunken[i : i + 2], 16) for i in (1, 3, 5)]
    assert pixel(steps, 25.2, 2) == ground


def test_that_rows_are_grouped_and_every_one_is_named_where_there_is_room(steps: RowMap) -> None:
    assert list(group_spans(ranks().groups)) == [("L0", 0, 2), ("L1", 2, 4), ("L2", 4, 6)]
    assert steps.labels.named_rows() == list(range(6))
    steps.set_grid(ranks(layers=30, kinds=7))
    assert steps.labels.named_rows() == []
    steps.select(100, None)
    assert steps.labels.named_rows() == [100]


def test_that_of_many_rows_the_selected_and_the_highlighted_are_named_first(cells: RowMap) -> None:
    cells.set_grid(errors(300, highlighted=(7, 123)))
    cells.select(201, None)
    named = cells.labels.named_rows()
    assert named[:3] == [201, 7, 123]
    assert len(named) < 40
    assert all(b > a for a, b in itertools.pairwise(sorted(named)))


def test_that_a_cell_is_read_where_it_lies(cells: RowMap, steps: RowMap) -> None:
    assert cells.describe(0.0, 0.5) == "0,0"
    assert cells.describe(99.9, 5.2) == "5,7"
    assert cells.describe(101.0, 1.0) is None
    assert cells.describe(1.0, 6.0) is None
    assert steps.describe(9.4, 2.5) == "2,8"
    assert steps.describe(25.0, 2.5) == "2,24"
    assert steps.describe(31.0, 2.5) is None
    assert steps.describe(9.0, 6.1) is None


def test_that_a_click_picks_row_and_column_and_a_name_only_the_row(steps: RowMap) -> None:
    picked = listen(steps)
    steps.chart.clicked.emit(9.4, 2.5)
    steps.chart.clicked.emit(29.0, 3.5)  # not done yet: the newest step
    QTest.mouseClick(steps.labels, Qt.MouseButton.LeftButton, pos=QPoint(8, y_of(steps, 5)))
    assert picked == [(2, 8), (3, 19), (5, -1)]


def test_that_the_arrows_walk_over_rows_and_steps_apart_and_within_the_map(steps: RowMap) -> None:
    picked = listen(steps)
    steps.picked.connect(
        lambda row, column: steps.select(
            row if row >= 0 else steps.row, column if column >= 0 else steps.column
        )
    )  # fmt: skip
    steps.select(None, 18)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left):
        QTest.keyClick(steps.pad, key)
    assert picked == [(0, -1), (-1, 19), (-1, 18)]


def test_that_the_arrows_walk_from_row_to_row_and_from_cell_to_cell_within_the_map(cells: RowMap) -> None:
    picked = listen(cells)
    cells.picked.connect(lambda row, column: cells.select(row, column if column >= 0 else None))
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Up):
        QTest.keyClick(cells.pad, key)
    QTest.keyClick(cells.pad, Qt.Key.Key_Right)  # a whole row is selected: there is nothing beside it
    assert picked == [(0, -1), (1, -1), (0, -1)]
    cells.select(5, 6)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Up):
        QTest.keyClick(cells.pad, key)
    assert picked[3:] == [(5, 7), (4, 7)]


def test_that_selecting_from_outside_frames_the_row_and_picks_nothing(steps: RowMap, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(steps.picked):
        steps.select(3, 6)
    assert steps._frame.isVisible()
    assert steps._frame.rect().top() == 3
    assert steps._cursor.value() == 7
    steps.select(None, 6)
    assert not steps._frame.isVisible()


def test_that_a_selected_cell_is_framed_alone(cells: RowMap) -> None:
    cells.select(3, 6)
    assert cells._frame.rect().getRect() == (75.0, 3.0, 12.5, 1.0)
    assert not cells._cursor.isVisible()
    cells.select(3, None)
    assert cells._frame.rect().getRect() == (0.0, 3.0, 100.0, 1.0)


def test_that_a_selected_row_out_of_view_is_brought_into_view(cells: RowMap) -> None:
    cells.set_grid(errors(300))
    cells.chart.setYRange(0, 20, padding=0)
    cells.select(250, None)
    low, high = cells.chart.getViewBox().viewRange()[1]
    assert low <= 250 <= high - 1


def test_that_the_zoom_stays_while_steps_come_and_all_is_shown_when_rows_do(steps: RowMap, cells: RowMap) -> None:
    steps.set_grid(ranks(layers=20))
    steps.chart.setYRange(0, 8, padding=0)
    steps.set_grid(ranks(layers=20, done=25))
    assert steps.chart.getViewBox().viewRange()[1] == pytest.approx([0, 8])
    steps.select(30, None)
    low, high = steps.chart.getViewBox().viewRange()[1]
    assert low <= 30 <= high - 1
    steps.set_grid(ranks(layers=21, done=25))
    assert steps.chart.getViewBox().viewRange()[1] == pytest.approx([0, 42])
    cells.set_grid(errors(40))
    cells.chart.setYRange(10, 20, padding=0)
    cells.set_grid(errors(40))
    assert cells.chart.getViewBox().viewRange()[1] == pytest.approx([10, 20])
    cells.set_grid(errors(41))
    assert cells.chart.getViewBox().viewRange()[1] == pytest.approx([0, 41])
    cells.set_grid(None)
    assert cells.is_empty


def test_that_the_colour_bar_and_the_lines_say_what_the_grid_says(steps: RowMap) -> None:
    assert steps.bar.axis._tickLevels == [[(0.0, "rank 0"), (8.0, "8 start"), (4.0, "4 target")]]
    assert tuple(steps.bar.levels()) == (-0.5, 8.5)
    assert [line.label.format for line in steps._lines] == ["tinit 4"]


def test_that_the_insets_are_the_room_beside_the_cells(steps: RowMap) -> None:
    QTest.qWait(1)
    box = steps.chart.getViewBox().sceneBoundingRect()
    left = steps.chart.mapTo(steps, box.topLeft().toPoint()).x()
    right = steps.width() - steps.chart.mapTo(steps, box.topRight().toPoint()).x()
    assert (left, right) == pytest.approx(steps.insets, abs=1.5)


@given(st.integers(1, 400), st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_that_the_largest_value_is_in_the_picture_however_few_pixels_there_are(
    rows: int, most: int, data: st.DataObject
) -> None:
    values = np.full((rows, 3), 1.0)
    values[data.draw(st.integers(0, rows - 1)), 1] = 7.0
    values[data.draw(st.integers(0, rows - 1)), 2] = np.nan
    shown = pooled(values, 0, rows, most)
    assert len(shown) <= most
    assert np.nanmax(shown) == 7.0
