"""The histogram of errors: shares of every format in a bin, the nearest line is picked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gui.pages.quantization.error_histogram import ErrorCounts, ErrorHistogram

EDGES = np.linspace(-0.3, 0.3, 7)
WIDE = ErrorCounts("wide", "Wide", np.array([1, 10, 39, 39, 10, 1]), 0)
NARROW = ErrorCounts("narrow", "Narrow", np.array([0, 0, 50, 50, 0, 0]), 1)


@pytest.fixture
def plot(qtbot: Any) -> ErrorHistogram:
    made = ErrorHistogram()
    qtbot.addWidget(made)
    made.resize(460, 260)
    made.show()
    made.set_errors([WIDE, NARROW], EDGES, "narrow")
    return made


def test_that_a_bin_reads_every_format_the_chosen_one_first(plot: ErrorHistogram) -> None:
    lines = (plot.describe(0.05, 0.0) or "").splitlines()
    assert lines == [
        "error +0 to +0.1 of absmax",
        "Narrow: 50.000% of the weights (50)",
        "Wide: 39.000% of the weights (39)",
    ]
    assert "above" in (plot.describe(0.29, 0) or "")
    assert "below" in (plot.describe(-0.29, 0) or "")
    assert plot.describe(0.5, 0) is None


def test_that_a_click_picks_the_nearest_line(plot: ErrorHistogram, qtbot: Any) -> None:
    with qtbot.waitSignal(plot.format_picked) as caught:
        plot.chart.clicked.emit(0.15, 1.0)
    assert caught.args == ["wide"]
    with qtbot.waitSignal(plot.format_picked) as caught:
        plot.chart.clicked.emit(0.15, -3.0)
    assert caught.args == ["narrow"]


def test_that_errors_of_nothing_are_the_empty_state_and_formats_may_go(plot: ErrorHistogram) -> None:
    plot.set_errors([WIDE], EDGES, "wide")
    assert len(plot._lines) == 1
    plot.set_errors([ErrorCounts("none", "None", np.zeros(6, int), 0)], EDGES, "none")
    assert plot.is_empty
    assert plot.describe(0.05, 0) is None
