"""The tile schedule: what it says, what it emits, what it draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from core.masks import TileClass
from gui.charts.tile_schedule import TileSchedule
from gui.charts.tiles import TileGrid


def causal(blocks: int, block: int = 64, length: int | None = None) -> TileGrid:
    classes = np.tril(np.ones((blocks, blocks), np.uint8))
    np.fill_diagonal(classes, 2)
    tokens = length or blocks * block
    return TileGrid.from_tiles(classes, np.argwhere(classes > 0), block, block, tokens, tokens)


@pytest.fixture
def schedule(qtbot: Any) -> TileSchedule:
    made = TileSchedule()
    qtbot.addWidget(made)
    made.resize(400, 400)
    made.show()
    return made


def test_that_nothing_to_show_says_what_would_help(schedule: TileSchedule) -> None:
    assert schedule.is_empty
    assert schedule.empty_sentence.endswith(".")
    schedule.set_grid(causal(4))
    assert not schedule.is_empty
    schedule.set_grid(None)
    assert schedule.is_empty
    assert schedule.describe(3, 3) is None


def test_that_hover_reads_blocks_tokens_class_and_step(schedule: TileSchedule) -> None:
    schedule.set_grid(causal(4, length=250))
    assert schedule.describe(70, 200) == ("Q block 3: queries 192–249\nKV block 1: keys 64–127\nfull · step 8 of 10")
    assert "partial" in (schedule.describe(200, 200) or "")
    assert "never loaded" in (schedule.describe(200, 10) or "")
    assert schedule.describe(-1, 10) is None
    assert schedule.describe(10, 251) is None


def test_that_a_click_says_which_tile_and_query(schedule: TileSchedule, qtbot: Any) -> None:
    schedule.set_grid(causal(4))
    with qtbot.waitSignal(schedule.tile_picked) as caught:
        schedule.chart.clicked.emit(70.5, 200.5)
    assert caught.args == [3, 1, 200]
    with qtbot.assertNotEmitted(schedule.tile_picked):
        schedule.chart.clicked.emit(-5, 20)


def test_that_a_click_of_the_mouse_reaches_the_tile_under_it(schedule: TileSchedule, qtbot: Any) -> None:
    schedule.set_grid(causal(4))
    qtbot.waitExposed(schedule)
    box = schedule.chart.getViewBox()
    scene = box.mapViewToScene(box.viewRect().center())
    position: QPoint = schedule.chart.mapFromScene(scene)
    with qtbot.waitSignal(schedule.tile_picked, timeout=1000) as caught:
        qtbot.mouseClick(schedule.chart.viewport(), Qt.MouseButton.LeftButton, pos=position)
    assert caught.args[:2] in ([1, 1], [1, 2], [2, 1], [2, 2])


def test_that_a_step_moves_the_frame_and_shades_what_was_loaded(schedule: TileSchedule) -> None:
    schedule.set_grid(causal(4))
    schedule.set_step(0)
    before = schedule._image.image.copy()
    schedule.set_step(9)
    assert schedule._frame.rect().getRect() == (192, 192, 64, 64)
    assert np.count_nonzero(schedule._image.image != before) == 9
    schedule.set_step(99)
    assert schedule.step == 9


def test_that_a_chosen_tile_is_framed_and_unframed(schedule: TileSchedule) -> None:
    schedule.set_grid(causal(4))
    schedule.choose(2, 3)
    assert schedule._chosen.isVisible()
    assert schedule._chosen.rect().getRect() == (192, 128, 64, 64)
    schedule.choose(None)
    assert not schedule._chosen.isVisible()


def test_that_thousands_of_blocks_are_drawn_from_a_small_image(schedule: TileSchedule) -> None:
    schedule.set_grid(causal(3000, 16))
    assert max(schedule._image.image.shape) <= 512
    schedule.chart.getViewBox().setRange(xRange=(0, 1600), yRange=(0, 1600), padding=0)
    assert schedule._image.image.shape == (100, 100)


@pytest.mark.parametrize("blocks", [3, 300])
def test_that_data_have_every_tile_with_its_class_and_step_or_groups_of_many_tiles(qtbot: Any, blocks: int) -> None:
    classes = np.tril(np.full((blocks, blocks), TileClass.FULL, np.uint8))
    np.fill_diagonal(classes, TileClass.PARTIAL)
    tiles = np.argwhere(classes != TileClass.EMPTY)
    made = TileSchedule()
    qtbot.addWidget(made)
    made.set_grid(TileGrid.from_tiles(classes, tiles, 16, 16, 16 * blocks, 16 * blocks))
    table = made.data_table()
    assert table is not None
    rows = {(row[0], row[1]): row[2:] for row in table.rows}
    if blocks == 3:
        assert len(rows) == 9
        assert (rows[0, 0], rows[0, 1], rows[2, 1]) == ((1, "partial", 0), (1, "skipped", None), (1, "full", 4))
    else:
        assert len(rows) == 100**2
        assert (rows[0, 0], rows[0, 3], rows[3, 0]) == ((3, "partial", 0), (3, "skipped", None), (3, "full", 6))
