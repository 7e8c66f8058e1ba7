"""The histogram of errors: shares of every format in a bin, the nearest line is picked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gui.charts.line_chart import LineChart
from gui.pages.quantization.error_shares import ErrorCounts, ErrorShares
from gui.pages.quantization.formats_view import error_histogram

EDGES = np.linspace(-0.3, 0.3, 7)
WIDE = ErrorCounts("wide", "Wide", np.array([1, 10, 39, 39, 10, 1]), 0)
NARROW = ErrorCounts("narrow", "Narrow", np.array([0, 0, 50, 50, 0, 0]), 1)


def show(plot: LineChart, shares: ErrorShares) -> None:
    plot.set_series(shares.series, x_range=shares.x_range, y_range=shares.y_range, read=shares.read)


@pytest.fixture
def plot(qtbot: Any) -> LineChart:
    chart = error_histogram()
    qtbot.addWidget(chart)
    chart.resize(460, 260)
    chart.show()
    show(chart, ErrorShares([WIDE, NARROW], EDGES, "narrow"))
    return chart


def test_that_a_bin_reads_every_format_the_chosen_one_first(plot: LineChart) -> None:
    lines = (plot.describe(0.05, 0.0) or "").splitlines()
    assert lines == [
        "error from +0 to +0.1 of absmax",
        "Narrow: 50.000% of the weights (50)",
        "Wide: 39.000% of the weights (39)",
    ]
    assert "above" in (plot.describe(0.29, 0) or "")
    assert "below" in (plot.describe(-0.29, 0) or "")
    assert plot.describe(0.5, 0) is None


def test_that_a_click_picks_the_nearest_line(plot: LineChart, qtbot: Any) -> None:
    with qtbot.waitSignal(plot.series_picked) as caught:
        plot.chart.clicked.emit(0.15, 1.0)
    assert caught.args == ["wide"]
    with qtbot.waitSignal(plot.series_picked) as caught:
        plot.chart.clicked.emit(0.15, -3.0)
    assert caught.args == ["narrow"]


def test_that_the_chosen_format_is_the_filled_one(plot: LineChart) -> None:
    assert [one.name for one in plot.series if one.filled] == ["Narrow"]


def test_that_errors_of_nothing_are_the_empty_state_and_formats_may_go(plot: LineChart) -> None:
    show(plot, ErrorShares([WIDE], EDGES, "wide"))
    assert len(plot._lines) == 1
    show(plot, ErrorShares([ErrorCounts("none", "None", np.zeros(6, int), 0)], EDGES, "none"))
    assert plot.is_empty
    assert plot.describe(0.05, 0) is None
