"""The loss that each format adds."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from gui import theme as themes
from gui.pages.quantization.output_effect import Outcome, OutputEffect, _ticks

AS_IT_IS = Outcome("small model", "", "as it is", 1.834, math.exp(1.834), 0.0, 12345, 32.0, 0)
NF4 = Outcome("small model", "nf4", "NF4", 1.8463, math.exp(1.8463), 0.0123, 12345, 4.127, 28, 0.002)
INT8 = Outcome("small model", "int8", "INT8", 1.8337, math.exp(1.8337), -0.0003, 12345, 8.127, 28, 0.001)


@pytest.fixture
def plot(qtbot: Any) -> OutputEffect:
    made = OutputEffect()
    qtbot.addWidget(made)
    made.resize(420, 280)
    made.set_outcomes((AS_IT_IS, NF4, INT8), "nf4")
    made.show()
    return made


@pytest.mark.parametrize("outcomes", [(), (AS_IT_IS,)])
def test_that_without_a_format_it_asks_for_a_run(plot: OutputEffect, outcomes: tuple[Outcome, ...]) -> None:
    plot.set_outcomes(outcomes)
    assert plot.is_empty
    assert "Run" in plot.empty_sentence


def test_that_a_row_is_read_out_beside_the_weights_as_they_are(plot: OutputEffect) -> None:
    text = plot.describe(0)
    assert "loss 1.8463 nats a token: +0.0123 ± 0.002 (standard error)" in text
    assert "as it is: loss 1.8340, perplexity 6.259" in text
    assert "12,345 tokens, 28 linear layers quantized; measured (CPU)" in text
    assert "−3.00e-04" in plot.describe(1)


def test_that_a_standard_error_is_named_only_where_there_is_one(plot: OutputEffect) -> None:
    assert "standard error" in [entry.label for entry in plot.legend.entries]
    plot.set_outcomes((AS_IT_IS, replace(NF4, stderr=None)))
    assert "standard error" not in [entry.label for entry in plot.legend.entries]
    assert "±" not in plot.describe(0)


def test_that_lost_answers_are_words_and_no_dot(plot: OutputEffect) -> None:
    lost = replace(NF4, loss=math.nan, perplexity=math.nan, increase=math.nan, stderr=None)
    plot.set_outcomes((AS_IT_IS, lost, INT8))
    assert "not a number" in plot.describe(0)
    assert not plot.grab().isNull()


def test_that_each_model_has_its_own_scale(plot: OutputEffect) -> None:
    folder = [replace(outcome, model="folder", increase=100 * outcome.increase) for outcome in (AS_IT_IS, NF4)]
    plot.set_outcomes((AS_IT_IS, NF4, *folder))
    first, second = plot.rows_view.bands
    assert first.limits == pytest.approx((0.0, 0.0143))
    assert second.limits == pytest.approx((0.0, 1.232))
    assert [row.model for row in plot.rows] == ["small model", "folder"]
    boxes = plot.rows_view.row_boxes()
    assert boxes[0].bottom() < boxes[1].top()


def test_that_a_click_picks_a_format(plot: OutputEffect, qtbot: Any) -> None:
    place = plot.rows_view.row_boxes()[1].center().toPoint()
    with qtbot.waitSignal(plot.format_picked) as caught:
        qtbot.mouseClick(plot.rows_view, Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == ["int8"]


@given(st.floats(-1e3, 0), st.floats(0, 1e3), st.integers(2, 12))
def test_that_ticks_are_even_within_the_limits_and_include_zero(low: float, high: float, most: int) -> None:
    if high - low < 1e-6:
        return
    ticks = _ticks(low, high, most)
    assert 0.0 in ticks
    span = high - low
    assert low - 1e-6 * span <= min(ticks) <= max(ticks) <= high + 1e-6 * span
    steps = [b - a for a, b in pairwise(ticks)]
    assert all(step == pytest.approx(steps[0]) for step in steps)
    assert len(ticks) <= most + 2


@pytest.mark.parametrize("size", [(300, 160), (420, 280), (900, 500)])
def test_that_it_paints_at_any_size_in_both_themes(
    plot: OutputEffect, qapp: QApplication, size: tuple[int, int]
) -> None:
    plot.resize(*size)
    dark = plot.grab().toImage()
    themes.apply(qapp, "light")
    light = plot.grab().toImage()
    themes.apply(qapp, "dark")
    assert light != dark
