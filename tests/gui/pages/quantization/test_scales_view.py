"""Double quantization opened up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from core.checkpoint.nested_scales import NestedScales
from gui import theme as themes
from gui.pages.quantization.scales_view import ScalesView

SCALES = NestedScales(
    tensor="model.layers.0.mlp.up_proj.weight",
    block_size=64,
    nested_block=256,
    absmax=np.array([2.0, 0.0, 1.0, 4.0], np.float32),
    codes=np.array([90, 3, 40, 255], np.uint8),
    restored=np.array([1.98, 0.0, 1.01, 4.0], np.float32),
)


@pytest.fixture
def plot(qtbot: Any) -> ScalesView:
    view = ScalesView()
    qtbot.addWidget(view)
    view.resize(420, 280)
    view.set_scales(SCALES)
    view.show()
    return view


def charts_shown(plot: ScalesView) -> list[bool]:
    return [chart.isVisible() for chart in (plot.values, plot.codes, plot.errors)]


def test_that_no_scales_are_one_sentence(plot: ScalesView) -> None:
    for nothing in (None, replace(SCALES, absmax=np.empty(0))):
        plot.set_scales(nothing)
        assert plot.is_empty
        assert plot.empty_sentence.endswith(".")
        assert plot.describe_scale(0, 0) is None


def test_that_a_scale_is_read_out_before_and_after(plot: ScalesView) -> None:
    text = plot.describe_scale(1.2, 0.0)
    assert text is not None
    assert "scale 2 of 4" in text
    assert "float32: 1\n" in text
    assert "code 40, restored 1.01, +1.000%" in text
    assert "%" not in str(plot.describe_scale(0, 0))
    assert plot.describe_scale(4.0, 0.0) is None


def test_that_codes_and_errors_are_counted(plot: ScalesView) -> None:
    assert plot.describe_code(254.8, 0) == "code 255: 1 scales"
    assert plot.describe_code(300, 0) is None
    assert str(plot.describe_error(0.0, 0)).startswith("+0% to +0.0333%: 1 scales")
    assert str(plot.describe_error(0.99, 0)).startswith("+0.967% to +1%: 1 scales")
    assert "RMS error 0.488% of their RMS" in str(plot.describe_error(0.0, 0))
    assert plot.describe_error(7.0, 0) is None


def test_that_the_arithmetic_of_the_bits_is_written_out(plot: ScalesView) -> None:
    assert plot.bits.describe(0) == "one float32 per block: 32/64 = 0.5 bits per parameter"
    text = plot.bits.describe(1)
    assert "8/64 = 0.125" in text
    assert "32/(64 × 256) = 0.001953125" in text
    assert "together 0.1269531, which saves 0.3730469 bits per parameter" in text


def test_that_a_narrow_view_shows_one_chart_and_a_wide_one_all(plot: ScalesView) -> None:
    assert charts_shown(plot) == [True, False, False]
    plot.segments.choose(2)
    assert charts_shown(plot) == [False, False, True]
    plot.resize(900, 500)
    assert charts_shown(plot) == [True, True, True]
    assert not plot.segments.isVisible()
    assert plot.legend.isVisible()


def test_that_a_narrow_view_names_its_colours_beside_the_buttons(plot: ScalesView) -> None:
    assert plot.legend.isVisible()
    assert plot.legend.y() <= plot.segments.geometry().bottom()
    assert plot.legend.width() > 60


def test_that_the_arrows_read_the_bits_out(plot: ScalesView, qtbot: Any) -> None:
    for _ in range(2):
        qtbot.keyClick(plot.bits.view, Qt.Key.Key_Down)
    assert plot.tip.text() == plot.bits.describe(1)


@pytest.mark.parametrize(
    ("scales", "used"),
    [
        (replace(SCALES, absmax=np.zeros(4), restored=np.zeros(4)), True),  # no relative error
        (replace(SCALES, absmax=np.ones(1), restored=np.ones(1), codes=np.zeros(1, np.uint8)), True),
        (replace(SCALES, tensor="a.very.long.name" * 20), False),
        (replace(SCALES, tensor=""), False),  # a run of an earlier version
    ],
)
@pytest.mark.parametrize("size", [(300, 170), (900, 500)])
def test_that_any_scales_can_be_painted(
    plot: ScalesView, scales: NestedScales, used: bool, size: tuple[int, int]
) -> None:
    plot.resize(*size)
    plot.set_scales(scales, used=used)
    assert not plot.is_empty
    assert not plot.grab().isNull()


def test_that_it_follows_the_theme(plot: ScalesView, qapp: QApplication) -> None:
    dark = plot.grab().toImage()
    themes.apply(qapp, "light")
    light = plot.grab().toImage()
    themes.apply(qapp, "dark")
    assert light != dark
    assert plot.grab().toImage() == dark
