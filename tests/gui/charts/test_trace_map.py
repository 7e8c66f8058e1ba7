from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from core.trace.address_map import bands_of
from core.trace.levels import AddressLevels
from core.trace.record import Launch
from gui.charts.trace_map import TraceMap
from gui.charts.trace_picture import Colours, paint
from tests.gui.latest_work import join_latest_work
from tests.gui.pages.kernel_lab.lab_result import LOAD_LINE, lab_launch

FILE = "copy.py"
COLOURS = Colours(((10, 20, 30), (40, 50, 60)), (250, 250, 250))
WHOLE = ((0.0, 512.0), (0.0, 2048.0))


@pytest.fixture
def launch() -> Launch:
    return lab_launch(FILE)


@pytest.fixture
def chart_map(qtbot: Any, launch: Launch) -> Iterator[TraceMap]:
    made = TraceMap()
    qtbot.addWidget(made)
    made.resize(700, 400)
    made.show()
    made.set_launch(launch)
    settle(made, qtbot)
    yield made
    join_latest_work()


def settle(made: TraceMap, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: made.idle)


def levels_of(launch: Launch) -> AddressLevels:
    return AddressLevels([launch], bands_of([launch]))


def test_that_reads_take_their_tensor_s_ink_and_writes_their_own(launch: Launch) -> None:
    image = paint(levels_of(launch), WHOLE, (32, 64), COLOURS).image
    lower, upper = image[:16], image[16:]
    assert {tuple(pixel) for pixel in lower[lower[..., 3] > 0][:, :3]} == {(10, 20, 30)}
    assert {tuple(pixel) for pixel in upper[upper[..., 3] > 0][:, :3]} == {(250, 250, 250)}


def test_that_one_line_is_lit_and_the_others_fade(launch: Launch) -> None:
    usual = paint(levels_of(launch), WHOLE, (32, 64), COLOURS).image
    lit = paint(levels_of(launch), WHOLE, (32, 64), COLOURS, (FILE, LOAD_LINE)).image
    assert np.array_equal(lit[..., 3] > 0, usual[..., 3] > 0)
    assert (lit[:16, :, 3][lit[:16, :, 3] > 0] == 255).all()
    assert lit[16:, :, 3].max() < 80


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 400), st.floats(1, 112), st.floats(0, 1500), st.floats(1, 500))
def test_that_a_window_of_any_size_draws_what_lies_in_it(x: float, width: float, y: float, height: float) -> None:
    launch = lab_launch(FILE)
    picture = paint(levels_of(launch), ((x, x + width), (y, y + height)), (16, 16), COLOURS)
    assert picture.image.shape == (16, 16, 4)
    assert picture.rectangle == (x, y, x + width - x, y + height - y)


def test_that_zooming_draws_the_part_in_view_anew(chart_map: TraceMap, qtbot: Any) -> None:
    chart_map.chart.setRange(xRange=(100, 200), yRange=(0, 512), padding=0)
    settle(chart_map, qtbot)
    rect = chart_map._detail.boundingRect()
    covered = chart_map._detail.mapRectToParent(rect)
    assert covered.left() == pytest.approx(100, abs=1)
    assert covered.right() == pytest.approx(200, abs=1)
    assert chart_map._overview.opacity() == 0.0, "the fine picture alone is shown where it covers the view"
    chart_map.chart.setRange(xRange=(150, 250), padding=0)
    assert chart_map._overview.opacity() == 1.0, "the coarse picture fills in until the fine one is there"
    settle(chart_map, qtbot)


def test_that_a_click_finds_the_access(chart_map: TraceMap, qtbot: Any) -> None:
    box = chart_map.chart.getViewBox()
    scene = box.mapViewToScene(QPointF(3 * 128 + 10, 100))
    with qtbot.waitSignal(chart_map.picked) as caught:
        position = chart_map.chart.mapFromScene(scene)
        QTest.mouseClick(chart_map.chart.viewport(), Qt.MouseButton.LeftButton, pos=position)
    moment, tensor = caught.args
    assert (moment.program, moment.access.line, tensor) == (3, LOAD_LINE, "x_ptr")


def test_that_the_read_out_names_tensor_program_and_line(chart_map: TraceMap) -> None:
    text = chart_map.describe(130.0, 1030.0)
    assert text is not None
    assert "y_ptr + 6 B" in text
    assert "program 1" in text
    assert f"load at {FILE}:{LOAD_LINE}" in text
    assert chart_map.describe(-1.0, 0.0) is None


def test_that_marks_follow_the_selection(chart_map: TraceMap) -> None:
    chart_map.select_program(2)
    assert chart_map._program_mark.rect().x() == 256
    chart_map.select_tensor("y_ptr")
    assert chart_map._band_mark.rect().y() == 1024
    chart_map.select_access(2, 1)
    assert chart_map._moment.value() == 320
    for clear in (chart_map.select_program, chart_map.select_tensor):
        clear(None)
    chart_map.select_access(None, None)
    assert not any(m.isVisible() for m in (chart_map._program_mark, chart_map._band_mark, chart_map._moment))


def test_that_another_launch_replaces_what_is_drawn_and_none_empties(chart_map: TraceMap, qtbot: Any) -> None:
    chart_map.set_launch(replace(chart_map.launch, function="again"))
    settle(chart_map, qtbot)
    assert not chart_map.is_empty
    chart_map.set_launch(None)
    assert chart_map.is_empty
    assert chart_map.empty_sentence.endswith(".")
