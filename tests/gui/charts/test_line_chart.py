"""Lines over steps, over logarithmic axes and in bins: exact read-out, the selected x, picking, growing in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui import theme as themes
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.series import Mark, Series, away, corners, point_at

STEPS = np.arange(1, 11)
LOSS = Series("LoRA", STEPS, 5.0 - 0.25 * STEPS, 0)
HELD_OUT = Series("LoRA, held out", np.array([5, 10]), np.array([4.0, 3.0]), 0, "rings")
LENGTHS = np.geomspace(64, 65536, 33)
SQUARE, LINE = Series("square", LENGTHS, LENGTHS**2, 0), Series("line", LENGTHS, 7 * LENGTHS, 1)
HITS = Series("hits", np.array([128.0, 1280.0]), np.array([0.0, 50.0]), 0)


def shown(qtbot: Any, x: Axis, y: Axis, **more: Any) -> LineChart:
    made = LineChart("Lines appear here.", x, y, **more)
    qtbot.addWidget(made)
    made.resize(460, 260)
    made.show()
    return made


@pytest.fixture
def steps(qtbot: Any) -> LineChart:
    return shown(qtbot, Axis("step", steps="whole"), Axis("loss", "nats"))


@pytest.fixture
def powers(qtbot: Any) -> LineChart:
    x, y = Axis("length N", "tokens", log=True), Axis("accesses", "bytes", log=True)
    return shown(qtbot, x, y, selected_label="set in the form")


@pytest.fixture
def reuse(qtbot: Any) -> LineChart:
    made = shown(qtbot, Axis("size of a cache", "bytes", log=True), Axis("requests served", "%"))
    made.set_series([HITS], y_range=(0, 100), note="a note")
    return made


@pytest.mark.parametrize("chart", ["steps", "powers", "reuse"])
def test_that_nothing_to_draw_is_an_empty_state(chart: str, request: pytest.FixtureRequest) -> None:
    plot = request.getfixturevalue(chart)
    plot.set_series([SQUARE])
    assert not plot.is_empty
    plot.set_series([Series("none", STEPS, np.full(10, np.nan), 0)])
    assert plot.is_empty
    plot.set_series([SQUARE])
    plot.set_series([Series("hits", np.zeros(0), np.zeros(0), 0)])
    assert plot.is_empty
    assert plot.describe(1, 1) is None


# What is read.


def test_that_the_read_out_is_each_lines_own_value_and_says_where_it_was_observed(steps: LineChart) -> None:
    steps.set_series([LOSS, HELD_OUT], marks=[Mark(6.0, "tinit")])
    assert steps.describe(5.8, 0.0) == "step 6\nLoRA: 3.500 nats\nLoRA, held out at 5: 4 nats\ntinit"
    assert steps.describe(11.0, 0.0) is None


def test_that_stairs_hold_until_the_next_value_and_a_line_reads_the_nearest() -> None:
    x, y = np.array([1, 5, 9]), np.array([1.0, 2.0, 3.0])
    assert point_at("stairs", x, y, 8, between=False) == (5.0, 2.0)
    assert point_at("line", x, y, 8, between=False) == (9.0, 3.0)
    assert np.isnan(point_at("line", x, y, 10, between=False)[1])


def test_that_power_laws_are_read_exactly_between_points(powers: LineChart) -> None:
    assert powers.point_at(SQUARE, 3.0) == pytest.approx((3.0, 6.0))
    assert np.isnan(powers.point_at(SQUARE, 1.0)[1])


def test_that_hover_reads_every_line_with_units(powers: LineChart) -> None:
    powers.set_series([SQUARE, LINE])
    assert powers.describe(3.0, 5.0) == "length N = 1,000 tokens\nsquare: 1.00 MB\nline: 7.00 kB"


def test_that_the_read_out_interpolates_along_the_logarithm(reuse: LineChart) -> None:
    assert reuse.describe(np.log10(128) + 0.5, 0) == "size of a cache = 405 B\nhits: 25%"


def test_that_observations_are_rings_and_read_where_they_were_made(powers: LineChart) -> None:
    seen = Series("traced", np.array([100.0, 1000.0]), np.array([2e4, 2e6]), 0, "marks")
    powers.set_series([SQUARE, seen])
    assert powers._rings.data["x"] == pytest.approx([2.0, 3.0])
    assert len(powers._lines) == 1
    assert (powers.describe(2.2, 0) or "").endswith("traced at 100 tokens: 20.0 kB")
    powers.set_series([SQUARE])
    assert len(powers._rings.data) == 0
    powers.set_series([seen])
    assert powers.is_empty


# The selected x.


def test_that_the_cursor_stands_at_the_step_with_a_dot_on_each_line_that_has_it(steps: LineChart) -> None:
    steps.set_series([LOSS, HELD_OUT])
    steps.select_x(4)
    assert steps._cursor.value() == 4
    assert steps._dots.data["y"].tolist() == [4.0]
    steps.select_x(5)
    assert steps._dots.data["y"].tolist() == [3.75, 4.0]
    steps.select_x(None)
    assert not steps._cursor.isVisible()
    assert len(steps._dots.data) == 0


def test_that_one_dot_per_line_marks_the_selected_x(powers: LineChart) -> None:
    seen = Series("traced", np.array([1000.0]), np.array([2e6]), 0, "marks")
    powers.set_series([SQUARE, LINE, seen])
    powers.select_x(1000)
    assert powers._dots.data["y"] == pytest.approx([6.0, np.log10(7000)])
    assert [entry.label for entry in powers.legend.entries] == ["square", "line", "traced", "set in the form"]
    powers.select_x(1.0)
    assert len(powers._dots.data) == 0


def test_that_a_click_and_the_arrows_pick_a_step_within_the_axis(steps: LineChart) -> None:
    picked: list[int] = []
    steps.x_picked.connect(picked.append)
    steps.x_picked.connect(steps.select_x)
    steps.set_series([LOSS], x_range=(1, 10))
    steps.chart.clicked.emit(8.7, 4.0)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left):
        QTest.keyClick(steps.pad, key)
    assert picked == [9, 10, 9]


def test_that_selecting_a_step_from_outside_picks_nothing(steps: LineChart, qtbot: Any) -> None:
    steps.set_series([LOSS])
    with qtbot.assertNotEmitted(steps.x_picked):
        steps.select_x(3)


# What is drawn.


def test_that_lines_are_reused_and_dropped(powers: LineChart) -> None:
    powers.set_series([SQUARE, LINE])
    kept = powers._lines[0]
    powers.set_series([LINE])
    assert powers._lines == [kept]
    assert np.allclose(kept.yData, np.log10(LINE.y))


def test_that_lines_grow_in_place_and_a_zoom_stays(steps: LineChart) -> None:
    steps.set_series([LOSS], x_range=(1, 20))
    kept = steps._lines[0]
    steps.chart.setRange(xRange=(4, 8), yRange=(3.0, 4.0), padding=0)
    steps.set_series([Series("LoRA", np.arange(1, 16), 5.0 - 0.25 * np.arange(1, 16), 0)], x_range=(1, 20))
    assert steps._lines == [kept]
    assert steps.chart.getViewBox().viewRange() == [pytest.approx([4, 8]), pytest.approx([3.0, 4.0])]
    steps.chart.go_home()
    low, high = steps.chart.getViewBox().viewRange()[1]
    assert low < 1.25
    assert high > 4.75


def test_that_a_zoom_along_the_steps_stays_while_the_values_grow(steps: LineChart) -> None:
    steps.set_series([LOSS], x_range=(1, 20))
    steps.chart.setXRange(4, 8, padding=0)
    steps.set_series([Series("LoRA", STEPS, 50.0 * STEPS, 0)], x_range=(1, 20))
    (left, right), (_, high) = steps.chart.getViewBox().viewRange()
    assert (left, right) == pytest.approx((4, 8))
    assert high > 500


def test_that_the_view_follows_what_grows_beyond_it(steps: LineChart) -> None:
    steps.set_series([LOSS], x_range=(1, 20))
    steps.set_series([Series("LoRA", STEPS, 50.0 * STEPS, 0)], x_range=(1, 20))
    assert steps.chart.getViewBox().viewRange()[1][1] > 500


def test_that_stairs_are_drawn_by_their_corners() -> None:
    x, y = corners("stairs", np.arange(1, 7), np.array([3, 3, 2, 2, 2, 2]))
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == [(1, 3), (3, 3), (3, 2), (6, 2), (6, 2)]


def test_that_bins_are_drawn_from_edge_to_edge_and_read_where_they_are() -> None:
    edges, counts = np.array([0.0, 1.0, 3.0]), np.array([4, 2])
    x, y = corners("bins", edges, counts)
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == [(0, 4), (1, 4), (1, 2), (3, 2)]
    assert [point_at("bins", edges, counts, x_at, between=True)[1] for x_at in (0, 0.9, 1, 3)] == [4, 4, 2, 2]


@given(st.integers(1201, 6000), st.data())
@settings(max_examples=30, deadline=None)
def test_that_no_peak_is_lost_however_many_points_there_are(points: int, data: st.DataObject) -> None:
    y = np.zeros(points)
    high, low = (data.draw(st.integers(0, points - 1)) for _ in range(2))
    y[high], y[low] = 9.0, -9.0
    shown_x, shown_y = corners("line", np.arange(points), y)
    assert (shown_y.min(), shown_y.max()) == (y.min(), y.max())
    assert shown_y.size < points
    assert (np.diff(shown_x) >= 0).all()


def test_that_both_themes_draw_the_marks_names(steps: LineChart, qapp: QApplication) -> None:
    steps.set_series([LOSS], marks=[Mark(3.0, "tinit")])
    themes.apply(qapp, "light")
    assert steps._mark_lines[0].label.format == "tinit"
    steps.set_series([LOSS])
    assert steps._mark_lines == []


def test_that_lines_take_the_colours_of_the_theme(reuse: LineChart, qapp: QApplication) -> None:
    themes.apply(qapp, "light")
    assert reuse.legend.entries[0].colour == themes.current().series[0]
    themes.apply(qapp, "dark")


# A path.


def test_that_a_path_goes_back_in_x_and_a_click_picks_the_nearest_of_its_legs(qtbot: Any) -> None:
    chart = shown(qtbot, Axis("KL", "nats"), Axis("reward"))
    there_and_back = Series("there", np.array([0.0, 3.0, 1.0]), np.array([0.0, 3.0, 6.0]), 0, "path", key="there")
    low = Series("low", np.array([0.0, 3.0]), np.array([-1.0, -1.0]), 1, "path", key="low")
    chart.set_series([there_and_back, low])
    assert chart.chart.getViewBox().viewRange()[0] == pytest.approx([0.0, 3.0])
    assert chart._lines[0].getData()[0].tolist() == [0.0, 3.0, 1.0]
    assert len(chart._rings.data) == 5
    with qtbot.waitSignal(chart.series_picked) as picked:
        chart._on_click(2.0, 5.0)  # near the way back, which is at 4.5
    assert picked.args == ["there"]
    with qtbot.waitSignal(chart.series_picked) as picked:
        chart._on_click(2.0, 0.0)  # 1 above the low line, 2 below the way there
    assert picked.args == ["low"]


def test_that_a_path_is_away_from_nothing_beside_it() -> None:
    path = np.array([1.0, 2.0]), np.array([4.0, 8.0])
    assert away("path", *path, (1.5, 7.0), between=True) == 1.0
    assert np.isnan(away("path", *path, (0.5, 7.0), between=True))


# A band.


def test_that_a_band_is_read_with_both_its_ends_and_has_a_dot_at_neither(qtbot: Any) -> None:
    chart = shown(qtbot, Axis("N"), Axis("time", "ms"))
    low, high = np.array([1.0, 2.0, np.nan]), np.array([2.0, 4.0, np.nan])
    chart.set_series([Series("band", np.array([0.0, 1.0, 2.0]), low, 0, upper=high)])

    outline_x, outline_y = chart._lines[0].getData()
    assert outline_x.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]  # closed, without the point that is missing
    assert outline_y.tolist() == [1.0, 2.0, 4.0, 2.0, 1.0]
    assert chart.chart.getViewBox().viewRange()[1][1] > 4.0
    chart.select_x(1.0)
    assert len(chart._dots.data) == 0
    assert "band: 2.00 ms to 4.00 ms" in (chart.describe(1.0, 0.0) or "")
