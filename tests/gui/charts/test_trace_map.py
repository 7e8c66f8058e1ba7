from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.trace.address_map import bands_of
from core.trace.affine import from_array
from core.trace.levels import AddressLevels
from core.trace.record import Access, Buffer, Launch
from gui import theme as themes
from gui.charts import trace_map
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
    made.set_launches([launch])
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
    chart_map.set_launches([replace(chart_map.launches[0], function="again")])
    settle(chart_map, qtbot)
    assert not chart_map.is_empty
    chart_map.set_launches([])
    assert chart_map.is_empty
    assert chart_map.empty_sentence.endswith(".")


def test_that_launches_share_one_axis_and_programs_count_through_them(chart_map: TraceMap, qtbot: Any) -> None:
    first = chart_map.launches[0]
    chart_map.set_launches([first, replace(first, function="again")])
    settle(chart_map, qtbot)
    assert chart_map.chart.getViewBox().viewRange()[0] == [0, 1024]
    chart_map.select_program(5)
    assert chart_map.marked_program is not None
    assert (chart_map.marked_program.left(), chart_map.marked_program.width()) == (640, 128)
    with qtbot.waitSignal(chart_map.picked) as caught:
        chart_map.chart.clicked.emit(650.0, 100.0)
    assert (caught.args[0].launch, caught.args[0].program) == (1, 5)


def test_that_named_tensors_are_stacked_first_in_their_order(qtbot: Any, launch: Launch) -> None:
    made = TraceMap(("y_ptr",))
    qtbot.addWidget(made)
    made.set_launches([launch])
    settle(made, qtbot)
    assert [name for name, _, _ in made.band_extents()] == ["y_ptr", "x_ptr"]
    join_latest_work()


def test_that_a_given_extent_is_the_whole_until_it_is_taken_back(chart_map: TraceMap, qtbot: Any) -> None:
    chart_map.set_extent(1000, 5000)
    assert chart_map.chart.getViewBox().viewRange() == [[0, 1000], [0, 5000]]
    settle(chart_map, qtbot)
    chart_map.set_extent(None)
    assert chart_map.chart.getViewBox().viewRange() == [[0, 512], [0, 2048]]
    settle(chart_map, qtbot)


def test_that_the_map_is_drawn_once_however_often_it_is_moved(
    chart_map: TraceMap, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Mock(wraps=paint)
    monkeypatch.setattr(trace_map, "paint", drawn)
    for right in (400, 300, 200):
        chart_map.chart.setRange(xRange=(0, right), padding=0)
    assert not drawn.called
    settle(chart_map, qtbot)
    assert [call.args[1][0] for call in drawn.call_args_list] == [(0, 200)]


def test_that_the_map_follows_the_theme(chart_map: TraceMap, qtbot: Any, qapp: QApplication) -> None:
    dark = chart_map.grab().toImage()
    themes.apply(qapp, "light")
    settle(chart_map, qtbot)
    assert chart_map.grab().toImage() != dark
    themes.apply(qapp, "dark")
    settle(chart_map, qtbot)
    assert chart_map.grab().toImage() == dark


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 63), st.integers(0, 63), st.booleans(), st.integers(1, 40), st.integers(1, 40))
def test_that_a_single_access_never_disappears(program: int, byte: int, write: bool, rows: int, columns: int) -> None:
    """Among 64 programs that touch other tensors, each once."""
    programs, one = np.arange(64), np.array([program])
    buffers = (Buffer("x", "uint8", 1, 64, 4096), Buffer("elsewhere", "uint8", 1, 64, 8192))
    kind = "store" if write else "load"
    accesses = (
        Access("load", 1, FILE, 1, (), programs, (1,), from_array(programs[:, None], 1), None, 1, 0),
        Access(kind, 0, FILE, 2, (), one, (1,), byte, None, 1, 1),  # type: ignore[arg-type]
    )
    launch = Launch("k", FILE, 1, "", "", (64, 1, 1), buffers, accesses)
    levels = AddressLevels([launch], bands_of([launch])[:1])
    image = paint(levels, ((0.0, 65.0), (0.0, 64.0)), (rows, columns), COLOURS).image
    assert np.count_nonzero(image[..., 3]) == 1


def test_that_data_count_every_access_where_it_was(chart_map: TraceMap, launch: Launch) -> None:
    table = chart_map.data_table()
    assert table is not None
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    exact = levels_of(launch).picture(192, 96)
    assert sum(row["reads"] for row in rows) == int(exact.read.sum()) > 0
    assert sum(row["writes"] for row in rows) == int(exact.write.sum()) > 0
    assert {row["tensor"] for row in rows} == {buffer.name for buffer in launch.buffers}
    sizes = {buffer.name: buffer.size_bytes for buffer in launch.buffers}
    assert all(-1e-6 <= row["first_byte"] < row["last_byte"] <= sizes[row["tensor"]] + 1e-6 for row in rows)
