"""The online softmax of one row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.topics.flash_attention.softmax import RowSoftmax
from gui.pages.flash_attention.softmax_state import SoftmaxState


def row(iterations: int = 6, *, whole: bool = True, seen: int | None = None) -> RowSoftmax:
    rng = np.random.default_rng(0)
    maximum = np.maximum.accumulate(rng.normal(size=iterations))
    if seen is not None:
        maximum[seen:] = np.nan
    total = np.cumsum(rng.random(iterations) + 0.5)
    acc = rng.normal(size=(iterations, 32))
    return RowSoftmax(7, maximum, total, acc if whole else None, None if whole else np.linalg.norm(acc, axis=1))


@pytest.fixture
def view(qtbot: Any) -> SoftmaxState:
    widget = SoftmaxState()
    qtbot.addWidget(widget)
    widget.resize(320, 140)
    widget.show()
    return widget


def test_that_a_row_that_sees_no_key_says_so(view: SoftmaxState) -> None:
    view.set_row(row(seen=0), 0, "Query 7 sees no key: its output is zero.")
    assert view.is_empty
    assert view.empty_sentence == "Query 7 sees no key: its output is zero."


def test_that_tiles_after_the_last_visited_are_not_drawn(view: SoftmaxState) -> None:
    view.set_row(row(seen=4), 99)
    assert view.iteration == 3
    assert view._max_ahead.xData.size == 4


def test_that_a_step_moves_marker_past_and_bars(view: SoftmaxState) -> None:
    state = row()
    view.set_row(state, 2)
    assert view._max_done.xData.size == 3
    assert view._max_dot.data["y"][0] == state.maximum[2]
    view.set_iteration(5)
    assert view._sum_done.xData.size == 6
    assert np.array_equal(view._bars.opts["height"], state.accumulator[5])


def test_that_the_norm_stands_in_for_an_accumulator_too_big_to_keep(view: SoftmaxState) -> None:
    state = row(whole=False)
    view.set_row(state, 1)
    assert not view._bars.isVisible()
    assert view._norm_dot.data["y"][0] == state.accumulator_norm[1]
    assert "‖accumulator‖" in (view.describe_value(1, 0) or "")


def test_that_hover_reads_exact_values(view: SoftmaxState) -> None:
    state = row()
    view.set_row(state, 3)
    text = view.describe_scalars(2.2, 0)
    assert text is not None
    assert "row 7 after KV tile 2" in text
    assert f"{state.total[2]:.4f}" in text
    value = view.describe_value(4.4, 0)
    assert value is not None
    assert "element 4 after KV tile 3" in value


@pytest.mark.parametrize("unseen", [np.nan, -np.inf])
def test_that_values_missing_at_the_start_are_gaps(view: SoftmaxState, unseen: float) -> None:
    state = row()
    state.maximum[0] = unseen
    view.set_row(state, 0)
    assert not view.is_empty
    assert view.iteration == 0
    assert len(view._max_dot.data) == 0
    view.grab()
    view.set_iteration(1)
    assert view._max_dot.data["y"][0] == state.maximum[1]
