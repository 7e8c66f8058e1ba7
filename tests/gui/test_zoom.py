from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF, QSize

from gui import zoom
from gui.zoom import Px

OPERATIONS = (operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod)
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    yield
    zoom.use(1)


@given(st.integers(1, 500), st.integers(1, 500), st.sampled_from(zoom.STEPS))
def test_that_a_length_is_used_like_the_number_that_it_is_now(length: int, other: int, factor: float) -> None:
    zoom.use(factor)
    now = round(length * factor)
    assert (int(Px(length)), float(Px(length)), list(range(Px(length)))[-1]) == (now, now, now - 1)
    for operation in (*OPERATIONS, *COMPARISONS):
        assert operation(Px(length), other) == operation(now, other)
        assert operation(other, Px(length)) == operation(other, now)
        assert operation(Px(length), Px(length)) == operation(now, now)
    assert max(Px(length), other) == max(now, other)
    assert (-Px(length), round(Px(length)), f"{Px(length)}px") == (-now, now, f"{now}px")
    zoom.use(1)


def test_that_at_100_percent_a_length_is_exactly_what_was_declared() -> None:
    assert type(Px(3).now) is int
    assert Px(2.5).now == 2.5


def test_that_qt_and_numpy_take_lengths() -> None:
    zoom.use(1.5)
    assert QSize(Px(10), 1).width() == 15
    assert QRectF(0, 0, Px(5.0), 1).width() == 7.5
    assert (np.minimum(np.array([1.0, 100.0]), Px(10)) == [1.0, 15.0]).all()


def test_that_what_was_measured_is_forgotten_when_the_size_changes() -> None:
    calls: list[float] = []

    @zoom.cached(8)
    def measured(text: str) -> float:
        calls.append(zoom.factor())
        return len(text) * zoom.factor()

    assert measured("ab") == measured("ab") == 2
    zoom.use(1.5)
    assert measured("ab") == 3
    assert calls == [1, 1.5]


@pytest.mark.parametrize(("factor", "nearest"), [(0, 0.8), (1.2, 1.25), (99, 2.0), (-1, 0.8)])
def test_that_any_factor_gives_a_step(factor: float, nearest: float) -> None:
    zoom.use(factor)
    assert zoom.factor() == nearest


def test_that_steps_end_at_the_smallest_and_the_largest() -> None:
    assert (zoom.stepped(1), zoom.stepped(-1), zoom.stepped(99), zoom.stepped(-99)) == (1.1, 0.9, 2.0, 0.8)
