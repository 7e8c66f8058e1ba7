"""What results are stored and sent as: everything comes back as it was, and nothing that could execute gets in."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.contracts import archive
from core.contracts.archive import Array
from core.contracts.params import Params, number
from core.contracts.result import Metric, Provenance, Result
from tests.same_result import same


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class ShapeParams(Params):
    length: int = number(4, minimum=1, maximum=64, label="Length", help="Tokens.")
    shown: int = number(0, minimum=0, maximum=9, label="Shown", help="What is looked at.", view_only=True)


@dataclass(frozen=True)
class Curve:
    name: str
    losses: Array
    colour: Colour = Colour.RED


@dataclass(frozen=True, kw_only=True)
class ShapeResult(Result):
    topic: str = "shape"
    params: ShapeParams
    curves: Mapping[str, Curve] = field(default_factory=dict)
    steps: tuple[tuple[int, float], ...] = ()
    picture: Array | None = None


DTYPES = st.sampled_from([np.float32, np.int32, np.uint8, np.bool_, np.float64, np.uint16])


@given(
    picture=st.none() | hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_side=4)),
    curves=st.dictionaries(st.text(max_size=6), hnp.arrays(DTYPES, hnp.array_shapes(max_side=3)), max_size=3),
    steps=st.lists(st.tuples(st.integers(-(2**60), 2**60), st.floats()), max_size=3),
    compress=st.booleans(),
)
def test_that_a_result_comes_back_to_the_bit(
    picture: np.ndarray | None, curves: dict[str, np.ndarray], steps: list[tuple[int, float]], compress: bool
) -> None:
    before = ShapeResult(
        params=ShapeParams(length=9),
        metrics={"bytes": Metric(3.5, "bytes", Provenance.TRACED, "whole grid")},
        curves={name: Curve(name, losses, Colour.BLUE) for name, losses in curves.items()},
        steps=tuple(steps),
        picture=picture,
    )
    after = ShapeResult.from_bytes(before.to_bytes(compress=compress))
    assert same(after, before)
    assert isinstance(after.params, ShapeParams)
    assert all(curve.colour is Colour.BLUE for curve in after.curves.values())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array([object()]), "picture is an array of objects"),
        (object(), "picture is object: a result holds numpy arrays"),
        ({1.5: 2}, "a key of type float"),
    ],
)
def test_that_what_would_need_pickle_is_refused_where_it_stands(value: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        ShapeResult(params=ShapeParams(), picture=value).to_bytes()


class _Trap:
    def __reduce__(self) -> Any:
        return pytest.fail, ("the archive executed something",)


_WHOLE = archive.pack({"format": 2, "params": {}}, compress=False)
_METHOD = _WHOLE.index(b"PK\x01\x02") + 10
"""Where the archive says how its first member is compressed."""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no archive",
        pickle.dumps(_Trap()),
        archive.pack({"format": 2, "params": {"length": 99}}, compress=False),
        archive.pack({"format": 2, "params": {}, "picture": [1, 2]}, compress=False),
        archive.pack({"format": 2, "params": {}, "steps": "many"}, compress=False),
        archive.pack({"format": 3, "params": {}}, compress=False),
        archive.pack({"params": {}, "environment": {}, "metrics": {}}, compress=False),
        archive.pack({"params": {}, "environment": {}, "metrics": {}, "tables": 1}, compress=False),
        _WHOLE[:_METHOD] + b"\x63" + _WHOLE[_METHOD + 1 :],
        _WHOLE.replace(b"'shape': (), }", b"'shape': (((( "),
    ],
)
def test_that_damaged_or_hostile_bytes_are_an_error_and_execute_nothing(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the sentence is for the log
        ShapeResult.from_bytes(data)


def test_that_json_has_everything_but_the_arrays() -> None:
    result = ShapeResult(params=ShapeParams(), curves={"a": Curve("a", np.ones(2))}, picture=np.ones(3))
    document = result.as_json()
    assert document["curves"] == {"a": {"name": "a", "colour": "red"}}
    assert document["params"] == {"length": 4, "shown": 0}
    assert "picture" not in document


def test_that_a_run_is_of_parameters_that_differ_only_in_what_is_shown() -> None:
    result = ShapeResult(params=ShapeParams(length=9))
    assert result.is_run_of(ShapeParams(length=9, shown=3))
    assert not result.is_run_of(ShapeParams(length=8))


def test_that_an_archive_that_unpacks_to_more_than_it_may_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = archive.pack({"format": 1, "zeros": np.zeros(1 << 20)}, compress=True)
    assert archive.unpack(packed)["zeros"].shape == (1 << 20,)
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1 << 20)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="unpack to more"):
        archive.unpack(packed)
