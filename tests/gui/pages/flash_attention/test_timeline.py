"""The Gantt of a launch on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.topics.flash_attention.result import GpuTimeline
from gui.pages.flash_attention.timeline import Timeline

LAUNCH = GpuTimeline(
    np.array([0, 1, 0, 1], np.int32), np.array([100.0, 100.0, 110.0, 112.0]), np.array([110.0, 112.0, 118.0, 120.0])
)


@pytest.fixture
def plot(qtbot: Any) -> Timeline:
    widget = Timeline()
    qtbot.addWidget(widget)
    widget.resize(400, 240)
    widget.show()
    return widget


def test_that_without_a_gpu_it_says_why_it_is_empty(plot: Timeline) -> None:
    plot.set_timeline(None)
    assert plot.is_empty
    assert "GPU" in plot.empty_sentence
    plot.set_timeline(GpuTimeline(np.empty(0, np.int32), np.empty(0), np.empty(0)))
    assert plot.is_empty


def test_that_hover_reads_program_sm_and_times(plot: Timeline) -> None:
    plot.set_timeline(LAUNCH)
    assert plot.describe(11e-6, 0.2) == "program 2 on SM 0\n10.0 µs to 18.0 µs: ran 8.00 µs"
    assert plot.describe(19e-6, 0.0) is None


def test_that_a_click_picks_the_program(plot: Timeline, qtbot: Any) -> None:
    plot.set_timeline(LAUNCH)
    with qtbot.waitSignal(plot.program_picked) as caught:
        plot.chart.clicked.emit(5e-6, 1.1)
    assert caught.args == [1]


def test_that_a_selected_program_is_framed(plot: Timeline) -> None:
    plot.set_timeline(LAUNCH)
    plot.select_program(3)
    assert plot._chosen.isVisible()
    assert plot._chosen.rect().left() == pytest.approx(12e-6)
    plot.select_program(None)
    assert not plot._chosen.isVisible()


def test_that_busy_time_counts_overlaps_once() -> None:
    assert LAUNCH.busy_share == pytest.approx((18 + 20) / 40)
    both = GpuTimeline(np.zeros(2, np.int32), np.array([0.0, 0.0]), np.array([10.0, 5.0]))
    assert both.busy_share == pytest.approx(1.0)
