"""A whole model's weights in each format."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from gui import theme as themes
from gui.pages.quantization.bit_budget import BitBudget, Memory, ModelBytes

BF16 = ModelBytes("", "bf16", 16.0, 120e9, 2e9)
NF4 = ModelBytes("nf4", "NF4", 4.127, 31e9, 2e9)
INT8 = ModelBytes("int8", "INT8", 8.127, 61e9, 2e9)
MEMORIES = (Memory("GeForce", 24e9), Memory("A100, H100", 80e9), Memory("H200", 141e9))


@pytest.fixture
def plot(qtbot: Any) -> BitBudget:
    made = BitBudget()
    qtbot.addWidget(made)
    made.resize(420, 280)
    made.set_model((BF16, NF4, INT8), MEMORIES, "nf4")
    made.show()
    return made


def test_that_no_rows_are_one_sentence(plot: BitBudget) -> None:
    plot.set_model(())
    assert plot.is_empty
    assert plot.empty_sentence.endswith(".")


def test_that_a_row_is_read_out_with_its_parts_and_what_holds_it(plot: BitBudget) -> None:
    text = plot.describe(1)
    assert "4.127 bits a parameter" in text
    assert "weights 33.0 GB (33,000,000,000 B)" in text
    assert "linear layers 31.0 GB, the rest 2.00 GB" in text
    assert "27.0% of bf16" in text
    assert "the smallest that holds them: 80.0 GB (A100, H100)" in text


def test_that_weights_larger_than_any_memory_say_so(plot: BitBudget) -> None:
    plot.set_model((ModelBytes("", "bf16", 16.0, 800e9, 2e9),), MEMORIES)
    assert "more than the 141 GB of H200" in plot.describe(0)
    plot.set_model((BF16,))
    assert "holds them" not in plot.describe(0)


def test_that_the_smallest_memory_is_in_view_even_where_every_bar_is_shorter(plot: BitBudget) -> None:
    assert [memory.bytes for memory in plot.bars.lines()] == [24e9, 80e9]
    plot.set_model((ModelBytes("nf4", "NF4", 4.127, 3e9, 1e9),), MEMORIES)
    assert [memory.bytes for memory in plot.bars.lines()] == [24e9]


def test_that_bars_are_to_scale_and_stay_inside(plot: BitBudget) -> None:
    zero = plot.bars._x(0.0)
    assert (plot.bars._x(BF16.bytes) - zero) / (plot.bars._x(NF4.bytes) - zero) == pytest.approx(122 / 33)
    assert plot.bars._x(BF16.bytes) < plot.bars.width()


def test_that_a_click_and_the_keyboard_pick_a_format(plot: BitBudget, qtbot: Any) -> None:
    place = plot.bars.row_boxes()[2].center().toPoint()
    with qtbot.waitSignal(plot.format_picked) as caught:
        qtbot.mouseClick(plot.bars, Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == ["int8"]
    qtbot.keyClick(plot.bars, Qt.Key.Key_Up)
    assert plot.tip.text() == plot.describe(1)
    with qtbot.waitSignal(plot.format_picked) as caught:
        qtbot.keyClick(plot.bars, Qt.Key.Key_Return)
    assert caught.args == ["nf4"]
    for _ in range(5):
        qtbot.keyClick(plot.bars, Qt.Key.Key_Up)
    assert plot.tip.text() == plot.describe(0)


def test_that_the_pointer_reads_a_row_out(plot: BitBudget, qtbot: Any) -> None:
    qtbot.mouseMove(plot.bars, QPoint(100, round(plot.bars.row_boxes()[1].center().y())))
    qtbot.waitUntil(lambda: plot.tip.text() == plot.describe(1))


@pytest.mark.parametrize("size", [(300, 160), (420, 280), (900, 500)])
def test_that_it_paints_at_any_size_in_both_themes(plot: BitBudget, qapp: QApplication, size: tuple[int, int]) -> None:
    plot.resize(*size)
    dark = plot.grab().toImage()
    themes.apply(qapp, "light")
    light = plot.grab().toImage()
    themes.apply(qapp, "dark")
    assert light != dark
