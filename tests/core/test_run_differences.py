"""What differs between two runs."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from core.contracts.result import Metric, Provenance
from core.run_differences import NumberPair, different_params, number_pairs
from core.topics.masks.params import MasksParams


def metric(value: float, unit: str = "s") -> Metric:
    return Metric(value, unit, Provenance.TRACED)


def test_that_every_number_of_either_run_is_listed_once_in_the_order_of_b() -> None:
    pairs = number_pairs({"c": metric(1), "a": metric(2)}, {"b": metric(3), "a": metric(4)})
    assert [pair.name for pair in pairs] == ["b", "a", "c"]
    assert [pair.difference for pair in pairs] == [None, 2.0, None]
    assert [pair.ratio for pair in pairs] == [None, 2.0, None]
    assert all(pair.differs for pair in pairs)


def test_that_numbers_of_different_units_are_not_subtracted() -> None:
    pair = NumberPair("x", metric(1, "s"), metric(1, "ms"))
    assert (pair.difference, pair.ratio, pair.differs, pair.unit) == (None, None, True, "ms")


def test_that_there_is_no_ratio_to_zero() -> None:
    pair = NumberPair("x", metric(0), metric(2))
    assert (pair.difference, pair.ratio) == (2.0, None)


@given(st.floats(), st.floats())
def test_that_differences_and_ratios_are_numbers_or_none(a: float, b: float) -> None:
    pair = NumberPair("x", metric(a), metric(b))
    assert pair.difference is None or pair.difference == b - a
    assert pair.difference is None or math.isfinite(pair.difference)
    assert pair.ratio is None or pair.ratio == b / a
    same = a == b or (math.isnan(a) and math.isnan(b))
    assert pair.differs != same


def test_that_parameters_that_only_change_what_is_shown_are_no_difference() -> None:
    a, b = MasksParams(), MasksParams(seq_len=128, sequence=0)
    changed = different_params(a, b)
    assert [(spec.name, before, after) for spec, before, after in changed] == [("seq_len", a.seq_len, 128)]
    assert different_params(a, a) == []
