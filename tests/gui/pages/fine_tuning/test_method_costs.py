"""Methods as tiles and as rows: costs to scale, exact read-outs, the same choice from either side."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtWidgets import QApplication

from core.topics.fine_tuning.methods import MethodId
from core.topics.fine_tuning.result import MethodSummary
from core.topics.fine_tuning.trained_modules import Place, StepMemory
from gui import theme as themes
from gui.charts.row_chart import RowChart
from gui.pages.fine_tuning.method_costs import EMPTY, MethodCost, cost_rows
from gui.pages.fine_tuning.method_picker import MethodPicker, MethodTile
from gui.pages.fine_tuning.module_map import ModuleMap
from gui.pages.fine_tuning.transformer_grid import TrainedModules, TransformerGrid
from gui.widgets.figure import Figure


def cost(
    method: MethodId,
    trainable: int,
    total: int,
    memory: StepMemory,
    matches: tuple[float | None, float | None] = (None, None),
    *,
    error: str = "",
    about: str = "",
) -> MethodCost:
    summary = MethodSummary(
        method, trainable, total, 0, 1e-3, memory,
        exact_match_unseen=matches[0], exact_match_untold=matches[1], error=error,
    )  # fmt: skip
    return MethodCost(method, summary, about)


FULL = cost(MethodId.FULL, 1_000_000, 1_000_000, StepMemory(4e6, 4e6, 8e6, 4e6, "tensor sizes"), (0.9, 0.5))
LORA = cost(MethodId.LORA, 10_000, 1_010_000, StepMemory(4.04e6, 4e4, 8e4, 3e6), (1.0, 0.0), about="A and B")
PLANNED = cost(MethodId.QLORA, 10_000, 1_010_000, StepMemory(1e6, 4e4, 8e4), error="the loss was NaN")
ABSENT = MethodCost(MethodId.ADALORA, None, "not in this run")
GRID = TransformerGrid((Place(0, "layer.0.q_proj", 0, "q_proj", 10), Place(1, "layer.1.q_proj", 1, "q_proj", 10)))
ALL, FIRST = TrainedModules((10, 10), np.array([0.1, 1.0])), TrainedModules((2, 0), np.array([0.5, np.nan]))
NONE = TrainedModules((0, 0))


@pytest.fixture
def board(qtbot: Any) -> RowChart:
    made = RowChart(EMPTY, "Costs and results")
    qtbot.addWidget(made)
    made.resize(560, 220)
    made.set_rows(cost_rows((FULL, LORA, PLANNED, ABSENT)))
    made.show()
    return made


@pytest.fixture
def tiles(qtbot: Any) -> MethodPicker:
    made = MethodPicker()
    qtbot.addWidget(made)
    made.resize(640, made.height())
    made.set_tiles(
        GRID,
        [
            MethodTile("full", "Full", "Full", ("100% trains", "100%"), ALL, "all"),
            MethodTile("lora", "LoRA", "LoRA", ("1% trains", "1%"), FIRST, "some", ink=4),
            MethodTile("none", "Nothing at all here", "None", ("stopped",), NONE, "none", broken=True),
        ],
        (0.1, 1.0),
    )
    made.show()
    return made


def test_that_a_row_is_read_out_exactly(board: RowChart) -> None:
    assert board.describe(0).splitlines() == [
        "Full",
        "1,000,000 of 1,000,000 parameters train (100%)",
        "memory 20.0 MB (20,000,000 B): tensor sizes",
        "  weights: 4,000,000 B",
        "  gradients: 4,000,000 B",
        "  optimizer: 8,000,000 B",
        "  activations: 4,000,000 B",
        "exact match, unseen people: 90.0%",
        "exact match, unstated facts: 50.0%",
    ]
    assert "A and B" in board.describe(1)
    assert "activations: run to measure them" in board.describe(2)
    assert "stopped: the loss was NaN" in board.describe(2)


def test_that_memory_bars_are_to_scale_and_parts_follow_one_another(board: RowChart) -> None:
    assert FULL.summary is not None
    assert PLANNED.summary is not None
    assert FULL.summary.memory.total_bytes == 20e6
    assert PLANNED.summary.memory.total_bytes == pytest.approx(1.12e6)
    parts = [box for row, _, box in board.view.segments() if row == 0][:4]
    assert [part.width() / parts[0].width() for part in parts] == pytest.approx([1, 1, 2, 1])
    assert [part.left() for part in parts[1:]] == pytest.approx([part.right() for part in parts[:-1]])
    memory = board.view.strips[0].axes[1]
    assert memory.limits == (0.0, 20e6)
    assert parts[-1].right() == pytest.approx(memory.area.right())


def test_that_counts_lie_on_a_log_axis(board: RowChart) -> None:
    assert board.view.strips[0].axes[0].limits == pytest.approx((1e4, 1e6))
    assert list(board.view.panels[0].marks.getData()[0]) == pytest.approx([6.0, 4.0, 4.0])


def test_that_shares_lie_on_an_axis_to_all_of_them_and_are_said_in_words(board: RowChart) -> None:
    assert board.view.strips[0].axes[2].limits == (0.0, 100.0)
    assert [row.cells[2].texts for row in board.rows] == [("90 · 50%",), ("100 · 0%",), ("—",), ("—",)]


def test_that_a_method_that_did_not_run_shows_no_number(board: RowChart) -> None:
    assert board.describe(3).splitlines() == ["AdaLoRA", "not in this run"]
    trainable, memory, matches = board.rows[3].cells
    assert math.isnan(trainable.mark)
    assert memory.bars == memory.texts == ()
    assert not any(matches.ends)
    assert not [row for row, _, _ in board.view.segments() if row == 3]


def test_that_a_method_that_stopped_is_in_the_colour_of_what_is_bad(board: RowChart) -> None:
    assert [row.ink.role for row in board.rows] == ["text", "text", "bad", "text"]


def test_that_a_row_is_picked_by_mouse_and_keyboard(board: RowChart, qtbot: Any) -> None:
    place = board.view.row_boxes[1].center().toPoint()
    with qtbot.waitSignal(board.picked) as caught:
        qtbot.mouseClick(board.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == ["lora"]
    qtbot.keyClick(board.view, Qt.Key.Key_Down)
    assert board.tip.text() == board.describe(2)
    with qtbot.waitSignal(board.picked) as caught:
        qtbot.keyClick(board.view, Qt.Key.Key_Return)
    assert caught.args == ["qlora"]


def test_that_choosing_from_outside_emits_nothing_and_is_seen(board: RowChart, qtbot: Any) -> None:
    before = board.grab().toImage()
    with qtbot.assertNotEmitted(board.picked):
        board.choose("lora")
    assert board.grab().toImage() != before


def test_that_nothing_is_one_sentence(board: RowChart, tiles: MethodPicker) -> None:
    board.set_rows(cost_rows(()))
    tiles.set_tiles(GRID, (), (0.1, 1.0))
    for plot in (board, tiles):
        assert plot.is_empty
        assert plot.empty_sentence.endswith(".")


def test_that_a_tile_is_picked_by_mouse_and_arrows(tiles: MethodPicker, qtbot: Any) -> None:
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


def test_that_tiles_read_out_and_follow_what_they_show(tiles: MethodPicker, qtbot: Any) -> None:
    qtbot.mouseMove(tiles.row, tiles.row.box(0).center().toPoint())
    qtbot.waitUntil(lambda: tiles.tip.text() == "all")
    before = tiles.grab().toImage()
    first = tiles.tiles[0]
    dark = MethodTile(first.key, first.name, first.short, first.facts, NONE, first.tip)
    tiles.set_tiles(GRID, [dark, *tiles.tiles[1:]], (0.1, 1.0))
    assert tiles.grab().toImage() != before


@pytest.mark.parametrize("make", [lambda: RowChart(EMPTY, "Costs and results"), MethodPicker, ModuleMap])
def test_that_a_deleted_picture_is_gone_and_no_longer_listens(make: Callable[[], Figure], qapp: QApplication) -> None:
    plot = make()
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
    board: RowChart, tiles: MethodPicker, qapp: QApplication, width: int
) -> None:
    for plot in (board, tiles):
        plot.resize(width, plot.height())
        dark = plot.grab().toImage()
        themes.apply(qapp, "light")
        assert plot.grab().toImage() != dark
        themes.apply(qapp, "dark")
