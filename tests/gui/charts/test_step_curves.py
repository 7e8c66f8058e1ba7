"""Curves over steps: exact read-out, the cursor, picking, growing, and no peak lost when there are many points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.charts.step_curves import Mark, Series, StepCurves, drawn, value_at

STEPS = np.arange(1, 11)
LOSS = Series("LoRA", STEPS, 5.0 - 0.25 * STEPS, 0)
HELD_OUT = Series("LoRA, held out", np.array([5, 10]), np.array([4.0, 3.0]), 0, "rings")


@pytest.fixture
def plot(qtbot: Any) -> StepCurves:
    made = StepCurves()
    qtbot.addWidget(made)
    made.set_axes("step", "loss", "nats")
    made.resize(460, 260)
    made.show()
    return made


def test_that_nothing_to_draw_is_an_empty_state(plot: StepCurves) -> None:
    assert plot.is_empty
    plot.set_series([LOSS])
    assert not plot.is_empty
    plot.set_series([Series("none", STEPS, np.full(10, np.nan), 0)])
    assert plot.is_empty


def test_that_the_read_out_is_each_curves_own_value_and_says_where_it_was_observed(plot: StepCurves) -> None:
    plot.set_series([LOSS, HELD_OUT], marks=[Mark(6.0, "tinit")])
    assert plot.describe(5.8, 0.0) == "step 6\nLoRA: 3.500 nats\nLoRA, held out at 5: 4 nats\ntinit"
    assert plot.describe(11.0, 0.0) is None


def test_that_stairs_hold_until_the_next_value_and_a_line_reads_the_nearest() -> None:
    x, y = np.array([1, 5, 9]), np.array([1.0, 2.0, 3.0])
    assert value_at(Series("s", x, y, 0, "stairs"), 8) == (5.0, 2.0)
    assert value_at(Series("s", x, y, 0), 8) == (9.0, 3.0)
    assert np.isnan(value_at(Series("s", x, y, 0), 10)[1])


def test_that_stairs_are_drawn_by_their_corners() -> None:
    x, y = drawn(Series("s", np.arange(1, 7), np.array([3, 3, 2, 2, 2, 2]), 0, "stairs"))
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == [(1, 3), (3, 3), (3, 2), (6, 2), (6, 2)]


def test_that_the_cursor_stands_at_the_step_with_a_dot_on_each_curve_that_has_it(plot: StepCurves) -> None:
    plot.set_series([LOSS, HELD_OUT])
    plot.select_step(4)
    assert plot._cursor.value() == 4
    assert plot._dots.data["y"].tolist() == [4.0]
    plot.select_step(5)
    assert plot._dots.data["y"].tolist() == [3.75, 4.0]
    plot.select_step(None)
    assert not plot._cursor.isVisible()


def test_that_a_click_and_the_arrows_pick_a_step_within_the_axis(plot: StepCurves) -> None:
    picked: list[int] = []
    plot.step_picked.connect(picked.append)
    plot.step_picked.connect(plot.select_step)
    plot.set_series([LOSS], x_range=(1, 10))
    plot.chart.clicked.emit(8.7, 4.0)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left):
        QTest.keyClick(plot.pad, key)
    assert picked == [9, 10, 9]


def test_that_selecting_a_step_from_outside_picks_nothing(plot: StepCurves, qtbot: Any) -> None:
    plot.set_series([LOSS])
    with qtbot.assertNotEmitted(plot.step_picked):
        plot.select_step(3)


def test_that_curves_grow_in_place_and_a_zoom_stays(plot: StepCurves) -> None:
    plot.set_series([LOSS], x_range=(1, 20))
    kept = plot._lines[0]
    plot.chart.setYRange(3.0, 4.0, padding=0)
    plot.set_series([Series("LoRA", np.arange(1, 16), 5.0 - 0.25 * np.arange(1, 16), 0)], x_range=(1, 20))
    assert plot._lines == [kept]
    assert plot.chart.getViewBox().viewRange()[1] == pytest.approx([3.0, 4.0])
    plot.chart.go_home()
    low, high = plot.chart.getViewBox().viewRange()[1]
    assert low < 1.25
    assert high > 4.75


def test_that_the_view_follows_what_grows_beyond_it(plot: StepCurves) -> None:
    plot.set_series([LOSS], x_range=(1, 20))
    plot.set_series([Series("LoRA", STEPS, 50.0 * STEPS, 0)], x_range=(1, 20))
    assert plot.chart.getViewBox().viewRange()[1][1] > 500


@given(st.integers(1201, 6000), st.data())
@settings(max_examples=30, deadline=None)
def test_that_no_peak_is_lost_however_many_points_there_are(points: int, data: st.DataObject) -> None:
    y = np.zeros(points)
    high, low = (data.draw(st.integers(0, points - 1)) for _ in range(2))
    y[high], y[low] = 9.0, -9.0
    shown_x, shown_y = drawn(Series("noisy", np.arange(points), y, 0))
    assert (shown_y.min(), shown_y.max()) == (y.min(), y.max())
    assert shown_y.size < points
    assert (np.diff(shown_x) >= 0).all()


def test_that_both_themes_draw_the_marks_names(plot: StepCurves, qapp: Any) -> None:
    from gui import theme as themes

    plot.set_series([LOSS], marks=[Mark(3.0, "tinit")])
    themes.apply(qapp, "light")
    assert plot._mark_lines[0].label.format == "tinit"
    plot.set_series([LOSS])
    assert plot._mark_lines == []
