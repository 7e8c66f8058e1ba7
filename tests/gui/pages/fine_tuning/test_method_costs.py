"""Methods as tiles and as rows: costs to scale, exact read-outs, the same choice from either side."""

from __future__ import annotations

import gc
import math
import weakref
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QRectF, Qt
from PySide6.QtWidgets import QApplication

from gui import theme as themes
from gui.pages.fine_tuning import memory_bars, trainable_bars
from gui.pages.fine_tuning.memory_bars import MemorySplit
from gui.pages.fine_tuning.method_costs import MethodBoard, MethodCost
from gui.pages.fine_tuning.method_picker import MethodTile, MethodTiles
from gui.pages.fine_tuning.module_map import PlacesMap
from gui.pages.fine_tuning.transformer_grid import Place, PlacesGrid, PlacesOf
from gui.widgets.figure import Figure

FULL = MethodCost("full", "Full", 1_000_000, 1_000_000, MemorySplit(4e6, 4e6, 8e6, 4e6, "tensor sizes"), (0.9, 0.5))
LORA = MethodCost("lora", "LoRA", 10_000, 1_010_000, MemorySplit(4.04e6, 4e4, 8e4, 3e6), (1.0, 0.0), about="A and B")
PLANNED = MethodCost("qlora", "QLoRA", 10_000, 1_010_000, MemorySplit(1e6, 4e4, 8e4), error="the loss was NaN")
ABSENT = MethodCost("adalora", "AdaLoRA", 0, 0, MemorySplit())
GRID = PlacesGrid((Place("layer.0.q_proj", "q", 0, "q_proj", 10), Place("layer.1.q_proj", "q", 1, "q_proj", 10)))


@pytest.fixture
def board(qtbot: Any) -> MethodBoard:
    made = MethodBoard()
    qtbot.addWidget(made)
    made.resize(560, 220)
    made.set_rows((FULL, LORA, PLANNED, ABSENT))
    made.show()
    return made


@pytest.fixture
def tiles(qtbot: Any) -> MethodTiles:
    made = MethodTiles()
    qtbot.addWidget(made)
    made.resize(640, made.height())
    made.set_tiles(
        GRID,
        [
            MethodTile(
                "full", "Full", "Full", ("100% trains", "100%"), PlacesOf((10, 10), np.array([0.1, 1.0])), "all"
            ),
            MethodTile(
                "lora", "LoRA", "LoRA", ("1% trains", "1%"), PlacesOf((2, 0), np.array([0.5, np.nan])), "some", ink=4
            ),
            MethodTile("none", "Nothing at all here", "None", ("stopped",), PlacesOf((0, 0)), "none", broken=True),
        ],
        (0.1, 1.0),
    )
    made.show()
    return made


def test_that_a_row_is_read_out_exactly(board: MethodBoard) -> None:
    assert board.describe(0).splitlines() == [
        "Full",
        "1,000,000 of 1,000,000 parameters train (100%)",
        "memory 20.0 MB (20,000,000 B), tensor sizes",
        "  weights 4,000,000 B",
        "  gradients 4,000,000 B",
        "  optimizer 8,000,000 B",
        "  activations 4,000,000 B",
        "exact match, unseen people: 90.0%",
        "exact match, untold facts: 50.0%",
    ]
    assert "A and B" in board.describe(1)
    assert "activations: comes with a run" in board.describe(2)
    assert "stopped: the loss was NaN" in board.describe(2)


def test_that_memory_bars_are_to_scale_and_parts_follow_one_another() -> None:
    assert FULL.memory.total == 20e6
    assert PLANNED.memory.total == pytest.approx(1.12e6)
    assert memory_bars.longest([FULL.memory, LORA.memory]) == 20e6
    assert memory_bars.longest([MemorySplit()]) == 1.0


@pytest.mark.parametrize("most", [42e6, 1e6, 20e6, 3.3e9])
@pytest.mark.parametrize("width", [20.0, 70.0, 140.0])
def test_that_the_memory_axis_has_a_number_besides_zero(most: float, width: float) -> None:
    ticks = memory_bars._ticks(most, width)
    assert ticks[0] == 0
    assert 0 < ticks[1] <= most


def test_that_counts_lie_on_a_log_axis() -> None:
    area, counts = QRectF(0, 0, 300, 10), [1_000, 1_000_000]
    ends = [trainable_bars.place(area, count, counts) for count in (1_000, 10_000, 100_000, 1_000_000)]
    assert ends == pytest.approx([0, 100, 200, 300])
    assert trainable_bars.place(area, 0, counts) == 0


def test_that_a_method_that_did_not_run_shows_no_number(board: MethodBoard) -> None:
    assert math.isnan(ABSENT.share)
    assert memory_bars.described(ABSENT.memory) == []
    assert not board.grab().isNull()


def test_that_a_row_is_picked_by_mouse_and_keyboard(board: MethodBoard, qtbot: Any) -> None:
    at = board.bars.row_boxes()[1].center().toPoint()
    with qtbot.waitSignal(board.picked) as caught:
        qtbot.mouseClick(board.bars, Qt.MouseButton.LeftButton, pos=at)
    assert caught.args == ["lora"]
    qtbot.keyClick(board.bars, Qt.Key.Key_Down)
    assert board.tip.text() == board.describe(2)
    with qtbot.waitSignal(board.picked) as caught:
        qtbot.keyClick(board.bars, Qt.Key.Key_Return)
    assert caught.args == ["qlora"]


def test_that_choosing_from_outside_emits_nothing_and_is_seen(board: MethodBoard, qtbot: Any) -> None:
    before = board.grab().toImage()
    with qtbot.assertNotEmitted(board.picked):
        board.choose("lora")
    assert board.grab().toImage() != before


def test_that_nothing_is_one_sentence(board: MethodBoard, tiles: MethodTiles) -> None:
    board.set_rows(())
    tiles.set_tiles(GRID, (), (0.1, 1.0))
    for plot in (board, tiles):
        assert plot.is_empty
        assert plot.empty_sentence.endswith(".")


def test_that_a_tile_is_picked_by_mouse_and_arrows(tiles: MethodTiles, qtbot: Any) -> None:
    with qtbot.waitSignal(tiles.picked) as caught:
        qtbot.mouseClick(tiles.row, Qt.MouseButton.LeftButton, pos=tiles.row.box(1).center().toPoint())
    assert caught.args == ["lora"]
    tiles.choose("lora")
    with qtbot.waitSignal(tiles.picked) as caught:
        qtbot.keyClick(tiles.row, Qt.Key.Key_Right)
    assert caught.args == ["none"]
    tiles.choose("none")
    with qtbot.assertNotEmitted(tiles.picked):
        qtbot.keyClick(tiles.row, Qt.Key.Key_Right)


def test_that_tiles_read_out_and_follow_what_they_show(tiles: MethodTiles, qtbot: Any) -> None:
    qtbot.mouseMove(tiles.row, tiles.row.box(0).center().toPoint())
    qtbot.waitUntil(lambda: tiles.tip.text() == "all")
    before = tiles.grab().toImage()
    first = tiles.tiles[0]
    dark = MethodTile(first.key, first.name, first.short, first.facts, PlacesOf((0, 0)), first.tip)
    tiles.set_tiles(GRID, [dark, *tiles.tiles[1:]], (0.1, 1.0))
    assert tiles.grab().toImage() != before


@pytest.mark.parametrize("make", [MethodBoard, MethodTiles, PlacesMap])
def test_that_a_deleted_picture_is_gone_and_no_longer_listens(make: type[Figure], qapp: QApplication) -> None:
    plot = make()  # type: ignore[call-arg]
    alive = weakref.ref(plot)
    plot.deleteLater()
    del plot
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    assert alive() is None
    themes.apply(qapp, "light")
    themes.apply(qapp, "dark")


@pytest.mark.parametrize("width", [300, 560, 1200])
def test_that_both_paint_at_any_width_in_both_themes(
    board: MethodBoard, tiles: MethodTiles, qapp: QApplication, width: int
) -> None:
    for plot in (board, tiles):
        plot.resize(width, plot.height())
        dark = plot.grab().toImage()
        themes.apply(qapp, "light")
        assert plot.grab().toImage() != dark
        themes.apply(qapp, "dark")
