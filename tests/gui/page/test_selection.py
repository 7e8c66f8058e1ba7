from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gui.page.selection import Selection, SelectionModel

KINDS = st.dictionaries(
    st.sampled_from(["program", "q_block", "kv_block", "head", "line"]), st.none() | st.integers(0, 9), max_size=5
)


def listening(model: SelectionModel) -> list[Selection]:
    heard: list[Selection] = []
    model.changed.connect(heard.append)
    return heard


@given(st.lists(KINDS, max_size=8))
def test_that_only_a_difference_is_announced(updates: list[dict[str, Any]]) -> None:
    model = SelectionModel()
    heard = listening(model)
    expected: dict[str, Any] = {}
    differences = 0
    for update in updates:
        before = {k: v for k, v in expected.items() if v is not None}
        expected |= update
        after = {k: v for k, v in expected.items() if v is not None}
        differences += before != after
        model.update(**update)
    assert len(heard) == differences
    assert model.selection == Selection.of(**expected)


def test_that_two_views_that_follow_each_other_never_loop() -> None:
    first, second = SelectionModel(), SelectionModel()
    heard = listening(first)
    first.changed.connect(second.replace)
    second.changed.connect(first.replace)
    first.update(q_block=3)
    second.update(kv_block=1)
    assert first.selection == second.selection == Selection.of(q_block=3, kv_block=1)
    assert len(heard) == 2


def test_that_an_index_of_numpy_selects_the_same_as_an_int() -> None:
    model = SelectionModel()
    model.update(q_block=3)
    heard = listening(model)
    model.update(q_block=np.int64(3))
    assert not heard
    assert type(Selection.of(row=np.int32(2)).get("row")) is int


def test_that_none_unselects_a_kind_and_clear_all_of_them() -> None:
    model = SelectionModel()
    model.update(q_block=3, tensor="K")
    model.update(q_block=None)
    assert "q_block" not in model.selection
    assert list(model.selection) == ["tensor"]
    assert model.selection.index("tensor") == -1
    model.clear()
    assert not model.selection
