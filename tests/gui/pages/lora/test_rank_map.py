"""The map of ranks: colours by rank, names by layer, picking and walking, what is not done yet, zoom."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from gui import theme as themes
from gui.charts.step_curves import Mark
from gui.pages.lora.rank_axis_labels import RankGrid, colours
from gui.pages.lora.rank_map import RankMap


def grid(done: int = 20, layers: int = 3, kinds: int = 2, steps: int = 30) -> RankGrid:
    rows = layers * kinds
    ranks = np.clip(8 - np.arange(done)[:, None] // 4 - np.arange(rows), 0, 8).astype(np.int16)
    groups = tuple(f"L{row // kinds}" for row in range(rows))
    return RankGrid(ranks, groups, tuple(f"k{row % kinds}" for row in range(rows)), steps, 8, 4, (4, 8, 12))


@pytest.fixture
def plot(qtbot: Any) -> RankMap:
    made = RankMap("Run to see ranks.")
    qtbot.addWidget(made)
    made.resize(500, 300)
    made.show()
    made.set_ranks(grid(), lambda matrix, step: f"more of {matrix} at {step}", marks=[Mark(4.0, "tinit 4")])
    return made


def test_that_without_a_step_there_is_a_sentence(plot: RankMap) -> None:
    plot.set_ranks(grid(done=0), lambda *_: "")
    assert plot.is_empty
    assert plot.empty_sentence == "Run to see ranks."
    plot.set_ranks(grid(done=1), lambda *_: "")
    assert not plot.is_empty


@pytest.mark.parametrize("name", themes.NAMES)
def test_that_higher_ranks_stand_out_more_in_both_themes(name: str) -> None:
    theme = themes.load(name)
    ground = np.array([int(theme.sunken[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)
    distance = np.abs(colours(theme, 12).astype(float) - ground).sum(1)
    assert distance[-1] > distance[0] > 20
    assert len({tuple(ink) for ink in colours(theme, 12).tolist()}) == 13


def test_that_each_cell_has_the_colour_of_its_rank(plot: RankMap) -> None:
    shown = plot._image.image
    table = colours(themes.current(), 8)
    assert shown.shape[:2] == (6, 20)
    assert (shown[..., :3] == table[grid().ranks.T]).all()


def test_that_layers_are_grouped_and_every_row_is_named_where_there_is_room(plot: RankMap) -> None:
    assert list(grid().spans()) == [("L0", 0, 2), ("L1", 2, 4), ("L2", 4, 6)]
    assert plot.names.named_rows() == list(range(6))
    plot.set_ranks(grid(layers=30, kinds=7), lambda *_: "")
    assert plot.names.named_rows() == []
    plot.select_matrix(100)
    assert plot.names.named_rows() == [100]


def test_that_a_cell_is_read_with_its_rank_and_what_the_page_adds(plot: RankMap) -> None:
    assert plot.describe(9.4, 2.5) == "L1 k0, step 9\nrank 4 of 8\nmore of 2 at 9"
    assert plot.describe(25.0, 2.5) == "step 25: not done"
    assert plot.describe(31.0, 2.5) is None
    assert plot.describe(9.0, 6.1) is None


def test_that_a_click_picks_the_matrix_and_the_step_and_a_name_only_the_matrix(plot: RankMap) -> None:
    matrices: list[int] = []
    steps: list[int] = []
    plot.matrix_picked.connect(matrices.append)
    plot.step_picked.connect(steps.append)
    plot.chart.clicked.emit(9.4, 2.5)
    plot.chart.clicked.emit(29.0, 3.5)  # not done yet: the newest step
    box = plot.chart.getViewBox().sceneBoundingRect()
    QTest.mouseClick(plot.names, Qt.MouseButton.LeftButton, pos=QPoint(8, int(box.top() + box.height() * 5.5 / 6)))
    assert matrices == [2, 3, 5]
    assert steps == [9, 20]


def test_that_the_arrows_walk_over_matrices_and_steps_within_the_map(plot: RankMap) -> None:
    seen: list[tuple[str, int]] = []
    plot.matrix_picked.connect(lambda matrix: (seen.append(("matrix", matrix)), plot.select_matrix(matrix)))
    plot.step_picked.connect(lambda step: (seen.append(("step", step)), plot.select_step(step)))
    plot.select_step(19)
    keys = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left)
    for key in keys:
        QTest.keyClick(plot.pad, key)
    assert seen == [("matrix", 0), ("step", 20), ("step", 19)]


def test_that_selecting_from_outside_frames_the_row_and_picks_nothing(plot: RankMap, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(plot.matrix_picked), qtbot.assertNotEmitted(plot.step_picked):
        plot.select_matrix(3)
        plot.select_step(7)
    assert plot._frame.isVisible()
    assert plot._frame.rect().top() == 3
    assert plot._cursor.value() == 7
    plot.select_matrix(None)
    assert not plot._frame.isVisible()


def test_that_a_zoom_stays_while_steps_come_and_a_selected_row_is_brought_into_view(plot: RankMap) -> None:
    plot.set_ranks(grid(layers=20), lambda *_: "")
    plot.chart.setYRange(0, 8, padding=0)
    plot.set_ranks(grid(layers=20, done=25), lambda *_: "")
    assert plot.chart.getViewBox().viewRange()[1] == pytest.approx([0, 8])
    plot.select_matrix(30)
    low, high = plot.chart.getViewBox().viewRange()[1]
    assert low <= 30 <= high - 1
    plot.set_ranks(grid(layers=21, done=25), lambda *_: "")
    assert plot.chart.getViewBox().viewRange()[1] == pytest.approx([0, 42])


def test_that_the_colour_bar_names_none_the_target_and_the_start(plot: RankMap) -> None:
    assert plot.bar.labels() == {0: "rank 0", 8: "8 start", 4: "4 target"}
    assert [line.label.format for line in plot._mark_lines] == ["tinit 4"]
