"""The loss that each format adds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from core.topics.quantization.result import OutputLoss
from gui import theme as themes
from gui.charts.row_chart import RowChart
from gui.pages.quantization.deployment_rows import NO_LOSSES, loss_rows

AS_IT_IS = OutputLoss("small model", "", 1.834, None, math.exp(1.834), 0.0, None, 12345, 0, 32.0)
NF4 = OutputLoss("small model", "nf4", 1.8463, None, math.exp(1.8463), 0.0123, 0.002, 12345, 28, 4.127)
INT8 = OutputLoss("small model", "int8", 1.8337, None, math.exp(1.8337), -0.0003, 0.001, 12345, 28, 8.127)


@pytest.fixture
def plot(qtbot: Any) -> RowChart:
    chart = RowChart(NO_LOSSES, "Effect on outputs")
    qtbot.addWidget(chart)
    chart.resize(420, 280)
    chart.set_rows(loss_rows((AS_IT_IS, NF4, INT8)))
    chart.choose("nf4")
    chart.show()
    return chart


@pytest.mark.parametrize("losses", [(), (AS_IT_IS,)])
def test_that_without_a_format_it_asks_for_a_run(plot: RowChart, losses: tuple[OutputLoss, ...]) -> None:
    plot.set_rows(loss_rows(losses))
    assert plot.is_empty
    assert "Run" in plot.empty_sentence


def test_that_a_row_is_read_out_beside_the_weights_as_they_are(plot: RowChart) -> None:
    text = plot.describe(0)
    assert "loss 1.8463 nats per token: +0.0123 ± 0.002 (standard error)" in text
    assert "unquantized: loss 1.8340, perplexity 6.259" in text
    assert "12,345 tokens, 28 linear layers quantized; measured (CPU)" in text
    assert "−3.00e-04" in plot.describe(1)


def test_that_a_standard_error_is_named_only_where_there_is_one(plot: RowChart) -> None:
    assert "standard error" in [entry.label for entry in plot.legend]
    plot.set_rows(loss_rows((AS_IT_IS, replace(NF4, increase_stderr=None))))
    assert "standard error" not in [entry.label for entry in plot.legend]
    assert "±" not in plot.describe(0)


def test_that_lost_answers_are_words_and_no_dot(plot: RowChart) -> None:
    lost = replace(NF4, loss=None, perplexity=None, loss_increase=None, increase_stderr=None)
    plot.set_rows(loss_rows((AS_IT_IS, lost, INT8)))
    assert "NaN or inf" in plot.describe(0)
    assert plot.rows[0].cells[0].texts == ("NaN or inf",)
    assert len(plot.view.panels[0].marks.getData()[0]) == 1
    assert "NaN or inf" in [word.text for word in plot.view.words]
    assert not plot.grab().isNull()


def test_that_each_model_has_its_own_scale(plot: RowChart) -> None:
    folder = [
        replace(loss, model="folder", loss_increase=100 * (loss.loss_increase or 0.0)) for loss in (AS_IT_IS, NF4)
    ]
    plot.set_rows(loss_rows((AS_IT_IS, NF4, *folder)))
    first, second = (strip.axes[0].limits for strip in plot.view.strips)
    assert first == pytest.approx((0.0, 0.0143))
    assert second == pytest.approx((0.0, 1.232))
    assert [strip.band.title for strip in plot.view.strips] == ["small model", "folder"]
    boxes = plot.view.row_boxes
    assert boxes[0].bottom() < boxes[1].top()


def test_that_a_click_picks_a_format(plot: RowChart, qtbot: Any) -> None:
    place = plot.view.row_boxes[1].center().toPoint()
    with qtbot.waitSignal(plot.picked) as caught:
        qtbot.mouseClick(plot.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == ["int8"]


def test_that_a_loss_within_its_error_is_no_worse(plot: RowChart) -> None:
    assert [row.cells[0].ink.role for row in plot.rows] == ["series.0", "good"]
    assert list(plot.view.panels[0].errors.opts["left"]) == pytest.approx([0.002, 0.001])


@pytest.mark.parametrize("size", [(300, 160), (420, 280), (900, 500)])
def test_that_it_paints_at_any_size_in_both_themes(plot: RowChart, qapp: QApplication, size: tuple[int, int]) -> None:
    plot.resize(*size)
    dark = plot.grab().toImage()
    themes.apply(qapp, "light")
    light = plot.grab().toImage()
    themes.apply(qapp, "dark")
    assert light != dark
