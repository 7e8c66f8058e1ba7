from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.format import format_quantity


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (40.3e9, "bytes", "40.3 GB"),
        (999.96e3, "bytes", "1.00 MB"),
        (512, "bytes", "512 B"),
        (0, "bytes", "0 B"),
        (0.0241, "s", "24.1 ms"),
        (24.13, "ms", "24.1 ms"),
        (0.0053, "ms", "5.30 µs"),
        (75.2e9, "FLOP", "75.2 GFLOP"),
        (1024, "tokens", "1,024 tokens"),
        (9.137, "x", "9.14×"),
        (12.5, "%", "12.5%"),
        (3.2e-7, "", "3.20e-07"),
        (math.nan, "s", "—"),
        (math.inf, "bytes", "∞ bytes"),
        (-math.inf, "", "-∞"),
        (0.9999, "", "1.000"),
    ],
)
def test_that_a_quantity_is_written_one_way(value: float, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text


@given(st.floats(min_value=1e-11, max_value=1e20), st.sampled_from(["bytes", "s", "FLOP/s"]))
def test_that_a_prefixed_quantity_reads_back_within_half_a_percent(value: float, unit: str) -> None:
    number, prefix = re.fullmatch(r"([\d.e+-]+) ([kMGTPEmµnp]?)(?:B|s|FLOP/s)", format_quantity(value, unit)).groups()
    scale = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
    scale |= {"m": 1e-3, "µ": 1e-6, "n": 1e-9, "p": 1e-12}
    assert float(number) * scale[prefix] == pytest.approx(value, rel=5.1e-3)
