"""Ticks of a logarithmic axis: more than decades, never so many that they run into each other."""

from __future__ import annotations

import itertools
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gui.charts.axis import QuantityAxis


@given(
    st.sampled_from(["left", "bottom"]),
    st.sampled_from(["1-2-5", "powers"]),
    st.floats(-3, 3),
    st.floats(0.3, 6),
    st.floats(60, 1200),
)
def test_that_ticks_lie_inside_ascend_and_leave_room(
    side: str, steps: Any, low: float, span: float, size: float
) -> None:
    axis = QuantityAxis(side, "weights", steps, log=True)
    ((_, ticks),) = axis.logTickValues(low, low + span, size, [])
    assert all(low - 1e-6 <= tick <= low + span + 1e-6 for tick in ticks)
    assert all(b > a for a, b in itertools.pairwise(ticks))
    assert len(axis.logTickStrings(ticks, 1, 1)) == len(ticks)
    if len(ticks) > 4 and side == "left":
        assert min(b - a for a, b in itertools.pairwise(ticks)) * size / span >= 17 - 1e-6


def test_that_a_decade_has_more_than_one_tick_and_blocks_come_in_powers_of_two() -> None:
    percent = QuantityAxis("left", "%", "1-2-5", log=True)
    ((_, ticks),) = percent.logTickValues(math.log10(0.5), math.log10(20), 200, [])
    assert percent.logTickStrings(ticks, 1, 1) == ["0.5%", "1%", "2%", "5%", "10%", "20%"]
    blocks = QuantityAxis("bottom", "", "powers", log=True)
    ((_, ticks),) = blocks.logTickValues(math.log10(16), math.log10(4096), 600, [])
    assert blocks.logTickStrings(ticks, 1, 1) == ["16", "32", "64", "128", "256", "512", "1,024", "2,048", "4,096"]


def test_that_long_numbers_below_a_short_one_get_the_room_that_they_take() -> None:
    axis = QuantityAxis("bottom", "", "whole")
    ((spacing, _),) = axis.tickSpacing(0.0, 950_272.0, 190.0)
    assert spacing == 500_000, "200,000 and its multiples would run into each other, though 1 M is short"
    ((spacing, _),) = axis.tickSpacing(0.0, 64.0, 190.0)
    assert spacing == 10
