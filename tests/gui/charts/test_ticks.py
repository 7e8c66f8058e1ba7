"""Ticks and short quantities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.charts.ticks import decade_ticks, nice_ticks, positive_range, short_quantity


@given(st.floats(1e-6, 1e15), st.integers(1, 12))
def test_that_ticks_start_at_zero_stay_within_and_are_few(highest: float, most: int) -> None:
    ticks = nice_ticks(highest, most)
    assert ticks[0] == 0
    assert ticks[-1] <= highest * (1 + 1e-6)
    assert len(ticks) <= most + 1


@given(st.floats(1e-12, 1.0), st.floats(2.0, 1e6), st.integers(1, 8))
def test_that_decades_lie_within_and_are_few(low: float, factor: float, most: int) -> None:
    ticks = decade_ticks(low, low * factor, most)
    assert len(ticks) <= most
    assert all(low * (1 - 1e-6) <= tick <= low * factor * (1 + 1e-6) for tick in ticks)


def test_that_nothing_to_scale_has_one_tick() -> None:
    assert nice_ticks(0.0) == [0.0]
    assert nice_ticks(float("nan")) == [0.0]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (40e9, "bytes", "40 GB"),
        (1.555e12, "B/s", "1.56 TB/s"),
        (0, "bytes", "0 B"),
        (2.50, "", "2.5"),
        (29.62e6, "", "29.6 M"),
        (1e9, "", "1 G"),
        (500_000, "", "500,000"),
    ],
)
def test_that_quantities_lose_only_zeros(value: float, unit: str, text: str) -> None:
    assert short_quantity(value, unit) == text


def test_that_a_log_range_is_whole_decades_around_what_is_positive() -> None:
    assert positive_range([0.0, 3e-4, 2e-3, float("nan")]) == pytest.approx((1e-4, 1e-2))
    assert positive_range([1e-3]) == pytest.approx((1e-3, 1e-2))
    assert positive_range([0.0, -1.0]) is None
