"""Curves on logarithmic axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gui.charts.curves import Curve, Curves

X = np.geomspace(64, 65536, 33)
SQUARE, LINE = Curve("square", X, X**2, 0), Curve("line", X, 7 * X, 1)


@pytest.fixture
def plot(qtbot: Any) -> Curves:
    made = Curves()
    qtbot.addWidget(made)
    made.set_axes("length N", "tokens", "accesses", "bytes")
    made.resize(400, 260)
    made.show()
    return made


def test_that_no_curve_is_an_empty_state(plot: Curves) -> None:
    assert plot.is_empty
    plot.set_curves([SQUARE])
    assert not plot.is_empty
    plot.set_curves([])
    assert plot.is_empty


def test_that_power_laws_are_read_exactly_between_points(plot: Curves) -> None:
    assert plot.value_at(SQUARE, 1000) == pytest.approx(1e6)
    assert np.isnan(plot.value_at(SQUARE, 10))


def test_that_hover_reads_every_curve_with_units(plot: Curves) -> None:
    plot.set_curves([SQUARE, LINE], here=1000)
    assert plot.describe(3.0, 5.0) == "length N = 1,000 tokens\nsquare: 1.00 MB\nline: 7.00 kB"


def test_that_one_dot_a_curve_marks_where_one_stands(plot: Curves) -> None:
    plot.set_curves([SQUARE, LINE], here=1000)
    assert plot._dots.data["y"] == pytest.approx([6.0, np.log10(7000)])
    assert [entry.label for entry in plot.legend.entries] == ["square", "line", "set in the form"]
    plot.set_curves([SQUARE], here=1.0)
    assert len(plot._dots.data) == 0


def test_that_lines_are_reused_and_dropped(plot: Curves) -> None:
    plot.set_curves([SQUARE, LINE])
    kept = plot._lines[0]
    plot.set_curves([LINE])
    assert plot._lines == [kept]
    assert np.allclose(kept.yData, np.log10(LINE.y))


def test_that_observations_are_rings_and_read_where_they_were_made(plot: Curves) -> None:
    seen = Curve("traced", np.array([100.0, 1000.0]), np.array([2e4, 2e6]), 0, marks=True)
    plot.set_curves([SQUARE, seen], here=1000)
    assert plot._rings.data["x"] == pytest.approx([2.0, 3.0])
    assert len(plot._lines) == 1
    assert (plot.describe(2.2, 0) or "").endswith("traced at 100 tokens: 20.0 kB")
    plot.set_curves([SQUARE])
    assert len(plot._rings.data) == 0
    plot.set_curves([seen])
    assert plot.is_empty
