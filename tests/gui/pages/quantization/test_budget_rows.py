"""A whole model's weights in each format."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from core.topics.quantization.plan import GpuMemory, ModelMemory
from gui import theme as themes
from gui.charts.row_chart import RowChart
from gui.pages.quantization.deployment_rows import NO_BUDGET, budget_rows
from kernels.quantization.formats import FormatId

BF16 = ModelMemory("model", None, 16.0, 120e9, 2e9)
NF4 = ModelMemory("model", FormatId.NF4, 4.127, 31e9, 2e9)
INT8 = ModelMemory("model", FormatId.INT8, 8.127, 61e9, 2e9)
MEMORIES = (GpuMemory("GeForce", 24e9), GpuMemory("A100, H100", 80e9), GpuMemory("H200", 141e9))


@pytest.fixture
def plot(qtbot: Any) -> RowChart:
    chart = RowChart(NO_BUDGET, "Whole model")
    qtbot.addWidget(chart)
    chart.resize(420, 280)
    chart.set_rows(budget_rows((BF16, NF4, INT8), MEMORIES))
    chart.choose("nf4")
    chart.show()
    return chart


def test_that_no_rows_are_one_sentence(plot: RowChart) -> None:
    plot.set_rows(budget_rows(()))
    assert plot.is_empty
    assert plot.empty_sentence.endswith(".")


def test_that_a_row_is_read_out_with_its_parts_and_what_holds_it(plot: RowChart) -> None:
    text = plot.describe(1)
    assert "4.127 bits per parameter" in text
    assert "weights: 33.0 GB (33,000,000,000 B)" in text
    assert "linear layers 31.0 GB, the rest 2.00 GB" in text
    assert "27.0% of bf16" in text
    assert "smallest GPU memory that fits: 80.0 GB (A100, H100)" in text


def test_that_weights_larger_than_any_memory_say_so(plot: RowChart) -> None:
    plot.set_rows(budget_rows((ModelMemory("model", None, 16.0, 800e9, 2e9),), MEMORIES))
    assert "more than the 141 GB of H200" in plot.describe(0)
    plot.set_rows(budget_rows((BF16,)))
    assert "holds them" not in plot.describe(0)


def test_that_the_smallest_memory_is_in_view_even_where_every_bar_is_shorter(plot: RowChart) -> None:
    def lines() -> list[float]:
        return [line.value for line, _ in plot.view.strips[0].axes[0].lines()]

    assert lines() == list(plot.view.panels[0].lines.opts["x"]) == [24e9, 80e9]
    plot.set_rows(budget_rows((ModelMemory("model", FormatId.NF4, 4.127, 3e9, 1e9),), MEMORIES))
    assert lines() == [24e9]


def test_that_bars_are_to_scale_and_stay_inside(plot: RowChart) -> None:
    ends = {row: box.right() for row, _, box in plot.view.segments()}
    zero = plot.view.strips[0].axes[0].x(0.0)
    assert (ends[0] - zero) / (ends[1] - zero) == pytest.approx(122 / 33)
    assert ends[0] < plot.view.width()


def test_that_a_click_and_the_keyboard_pick_a_format(plot: RowChart, qtbot: Any) -> None:
    place = plot.view.row_boxes[2].center().toPoint()
    with qtbot.waitSignal(plot.picked) as caught:
        qtbot.mouseClick(plot.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == ["int8"]
    qtbot.keyClick(plot.view, Qt.Key.Key_Up)
    assert plot.tip.text() == plot.describe(1)
    with qtbot.waitSignal(plot.picked) as caught:
        qtbot.keyClick(plot.view, Qt.Key.Key_Return)
    assert caught.args == ["nf4"]
    for _ in range(5):
        qtbot.keyClick(plot.view, Qt.Key.Key_Up)
    assert plot.tip.text() == plot.describe(0)


def test_that_the_pointer_reads_a_row_out(plot: RowChart, qtbot: Any) -> None:
    qtbot.mouseMove(plot.view.viewport(), QPoint(100, round(plot.view.row_boxes[1].center().y())))
    qtbot.waitUntil(lambda: plot.tip.text() == plot.describe(1))


@pytest.mark.parametrize("size", [(300, 160), (420, 280), (900, 500)])
def test_that_it_paints_at_any_size_in_both_themes(plot: RowChart, qapp: QApplication, size: tuple[int, int]) -> None:
    plot.resize(*size)
    dark = plot.grab().toImage()
    themes.apply(qapp, "light")
    light = plot.grab().toImage()
    themes.apply(qapp, "dark")
    assert light != dark
