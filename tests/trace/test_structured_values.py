"""Structured integers and masks, and every integer operation, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.interpreter.ir import UNKNOWN_LOCATION, Operation, Type, Value
from core.interpreter.ops.registry import PURE
from core.interpreter.values import cut, join, to_integer, to_predicate, to_torch
from core.trace import affine, mask
from core.trace.affine import Affine, Integer

LANES, ROWS, COLUMNS = 3, 4, 2

small = st.integers(-60, 60)


@st.composite
def structured(draw: st.DrawFn) -> Integer:
    """A sum of a constant and terms on any axes of a [LANES, ROWS, COLUMNS] tile."""
    value: Integer = draw(small)
    for shape in draw(st.lists(st.sampled_from([(LANES, 1, 1), (1, ROWS, 1), (1, 1, COLUMNS), (LANES, ROWS, 1)]))):
        numbers = draw(st.lists(small, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        value = affine.add(value, affine.from_array(np.array(numbers).reshape(shape), 2))
    return value


def full(value: Integer) -> np.ndarray:
    return np.broadcast_to(affine.dense(value, 2), (LANES, ROWS, COLUMNS))


def full_mask(value: mask.Predicate) -> np.ndarray:
    return np.broadcast_to(value if isinstance(value, bool) else value.array, (LANES, ROWS, COLUMNS))


@given(structured(), structured())
def test_that_sums_and_products_stay_exact_and_within_their_bounds(a: Integer, b: Integer) -> None:
    for result, expected in (
        (affine.add(a, b), full(a) + full(b)),
        (affine.subtract(a, b), full(a) - full(b)),
        (affine.multiply(a, b), full(a) * full(b)),
    ):
        np.testing.assert_array_equal(full(result), expected)
        if isinstance(result, Affine):
            assert result.low <= expected.min()
            assert expected.max() <= result.high


@given(structured(), structured(), st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]))
def test_that_comparisons_decide_as_numpy_does(a: Integer, b: Integer, predicate: str) -> None:
    import operator

    expected = getattr(operator, predicate)(full(a), full(b))
    compared = mask.compare(predicate, a, b)
    np.testing.assert_array_equal(full_mask(compared), expected)
    np.testing.assert_array_equal(full_mask(mask.invert(compared)), ~expected)
    if isinstance(compared, mask.Mask):
        lanes = np.broadcast_to(compared.full_lanes(), LANES)
        assert not (lanes & ~expected.all(axis=(1, 2))).any()


@given(structured(), structured(), structured())
def test_that_conjunctions_and_cuts_of_masks_keep_their_elements(a: Integer, b: Integer, c: Integer) -> None:
    both = mask.both(mask.compare("lt", a, b), mask.compare("ge", b, c))
    expected = (full(a) < full(b)) & (full(b) >= full(c))
    np.testing.assert_array_equal(full_mask(both), expected)
    lanes = np.array([2, 0])
    part = cut(both, lanes, torch.from_numpy(lanes))
    array = np.broadcast_to(part if isinstance(part, bool) else part.array, (2, ROWS, COLUMNS))
    np.testing.assert_array_equal(array, expected[lanes])


@given(structured(), structured())
def test_that_joined_lanes_are_those_of_the_parts(a: Integer, b: Integer) -> None:
    joined = join([(LANES, a), (LANES, b)], Type("i64", (ROWS, COLUMNS)))
    expected = np.concatenate([full(a), full(b)])
    np.testing.assert_array_equal(np.broadcast_to(affine.dense(joined, 2), expected.shape), expected)


def test_that_a_moved_axis_carries_its_numbers() -> None:
    row = affine.add(affine.arange(0, ROWS), 5)
    column = affine.reshaped(row, 2, (1,))
    assert isinstance(column, Affine)
    np.testing.assert_array_equal(column.dense(), np.arange(5, 5 + ROWS).reshape(1, 1, ROWS))
    turned = affine.reshaped(affine.add(column, affine.reshaped(affine.arange(0, 2), 2, (0,))), 2, (1, 0))
    np.testing.assert_array_equal(affine.dense(turned, 2), (np.arange(5, 9)[:, None] + np.arange(2)[None, :])[None])


def pure(name: str, element: str, result: str | None = None, words: tuple[Any, ...] = (), operands: int = 2) -> Any:
    type_ = Type(element, (ROWS, COLUMNS))
    values = tuple(Value(i, str(i), type_) for i in range(operands))
    out = Value(operands, "r", Type(result or element, (ROWS, COLUMNS)))
    return PURE[name](Operation(name, (out,), values, {"words": words}, (), UNKNOWN_LOCATION))


DTYPES = {"i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64}


def _trunc(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([int(abs(int(x)) // abs(int(y))) * (1 if (x < 0) == (y < 0) else -1) for x, y in zip(a, b)])  # noqa: B905


def _unsigned(a: np.ndarray) -> np.ndarray:
    return a.view(np.dtype(f"u{a.dtype.itemsize}"))


REFERENCES: dict[str, Any] = {
    "arith.addi": lambda a, b: a + b,
    "arith.subi": lambda a, b: a - b,
    "arith.muli": lambda a, b: a * b,
    "arith.divsi": _trunc,
    "arith.remsi": lambda a, b: np.fmod(a, b),
    "arith.floordivsi": lambda a, b: a // b,
    "arith.ceildivsi": lambda a, b: -((-a.astype(object)) // b.astype(object)),
    "arith.divui": lambda a, b: _unsigned(a) // _unsigned(b),
    "arith.remui": lambda a, b: _unsigned(a) % _unsigned(b),
    "arith.minsi": np.minimum,
    "arith.maxsi": np.maximum,
    "arith.minui": lambda a, b: np.minimum(_unsigned(a), _unsigned(b)),
    "arith.maxui": lambda a, b: np.maximum(_unsigned(a), _unsigned(b)),
    "arith.andi": np.bitwise_and,
    "arith.ori": np.bitwise_or,
    "arith.xori": np.bitwise_xor,
    "tt.mulhiui": lambda a, b: (_unsigned(a).astype(object) * _unsigned(b).astype(object)) >> (8 * a.dtype.itemsize),
}


def _wrapped(values: np.ndarray, dtype: Any) -> np.ndarray:
    bits = np.dtype(dtype).itemsize * 8
    return np.array([((int(v) + 2 ** (bits - 1)) % 2**bits) - 2 ** (bits - 1) for v in values], dtype=dtype)


@pytest.mark.parametrize("name", REFERENCES)
@given(data=st.data())
@settings(max_examples=40)
def test_that_integer_operations_are_twos_complement(name: str, data: st.DataObject) -> None:
    element = data.draw(st.sampled_from(sorted(DTYPES)))
    dtype, count = DTYPES[element], LANES * ROWS * COLUMNS
    numbers = st.integers(int(np.iinfo(dtype).min) + 1, int(np.iinfo(dtype).max)) | st.integers(-9, 9)
    a = np.array(data.draw(st.lists(numbers, min_size=count, max_size=count)), dtype=dtype)
    b = np.array(data.draw(st.lists(numbers.filter(bool), min_size=count, max_size=count)), dtype=dtype)
    with np.errstate(over="ignore"):
        expected = _wrapped(np.asarray(REFERENCES[name](a, b)), dtype).reshape(LANES, ROWS, COLUMNS)
    shaped = [x.reshape(LANES, ROWS, COLUMNS) for x in (a, b)]
    function = pure(name, element)
    type_ = Type(element, (ROWS, COLUMNS))
    structured_result = function(*(affine.from_array(x.astype(np.int64), 2) for x in shaped))
    np.testing.assert_array_equal(full(structured_result), expected)
    tensors = function(*(torch.from_numpy(x) for x in shaped))
    np.testing.assert_array_equal(to_torch(tensors, type_).numpy(), expected)
    mixed = function(affine.from_array(shaped[0].astype(np.int64), 2), torch.from_numpy(shaped[1]))
    np.testing.assert_array_equal(mixed.numpy(), expected)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=8, max_size=8), st.integers(0, 31))
def test_that_shifts_move_the_bits_of_the_declared_width(numbers: list[int], by: int) -> None:
    a = np.array(numbers, dtype=np.int32).reshape(1, ROWS, COLUMNS)
    for name, expected in (
        ("arith.shli", (a.view(np.uint32) << np.uint32(by)).view(np.int32)),
        ("arith.shrsi", a >> by),
        ("arith.shrui", (a.view(np.uint32) >> np.uint32(by)).view(np.int32)),
    ):
        function = pure(name, "i32")
        shifted = function(affine.from_array(a.astype(np.int64), 2), by)
        np.testing.assert_array_equal(np.broadcast_to(affine.dense(shifted, 2), a.shape), expected)
        tensor = function(torch.from_numpy(a), by)
        np.testing.assert_array_equal(tensor.numpy(), expected)


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=8, max_size=8))
def test_that_widths_change_as_declared(numbers: list[int]) -> None:
    a = np.array(numbers, dtype=np.int16).reshape(1, ROWS, COLUMNS)
    for name, target, expected in (
        ("arith.extsi", "i32", a.astype(np.int32)),
        ("arith.extui", "i32", a.view(np.uint16).astype(np.int32)),
        ("arith.trunci", "i8", a.astype(np.int8)),
    ):
        function = pure(name, "i16", target, operands=1)
        for operand in (affine.from_array(a.astype(np.int64), 2), torch.from_numpy(a)):
            converted = affine.dense(to_integer(function(operand)), 2)
            np.testing.assert_array_equal(np.broadcast_to(converted, a.shape), expected)


@given(st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(-3, 3), min_size=16, max_size=16))
def test_that_signed_and_unsigned_comparisons_differ_where_they_should(numbers: list[int]) -> None:
    a, b = np.array(numbers, dtype=np.int32).reshape(2, 1, ROWS, COLUMNS)
    for word, expected in (
        ("slt", a < b), ("sge", a >= b), ("eq", a == b),
        ("ult", a.view(np.uint32) < b.view(np.uint32)), ("uge", a.view(np.uint32) >= b.view(np.uint32)),
    ):  # fmt: skip
        function = pure("arith.cmpi", "i32", "i1", (word,))
        for operands in (
            [affine.from_array(x.astype(np.int64), 2) for x in (a, b)],
            [torch.from_numpy(x) for x in (a, b)],
        ):
            compared = to_predicate(function(*operands))
            array = compared if isinstance(compared, bool) else compared.array
            np.testing.assert_array_equal(np.broadcast_to(array, a.shape), expected)


finite = st.floats(-100, 100, width=32)


@pytest.mark.parametrize("element", ["bf16", "f16", "f32"])
@given(st.lists(finite, min_size=16, max_size=16))
def test_that_floats_round_as_torch_rounds(element: str, numbers: list[float]) -> None:
    dtype = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}[element]
    a, b = torch.tensor(numbers).to(dtype).reshape(2, 1, ROWS, COLUMNS)
    for name, expected in (("arith.addf", a + b), ("arith.mulf", a * b), ("arith.subf", a - b)):
        function = pure(name, element)
        torch.testing.assert_close(function(a, b), expected, rtol=0, atol=0)
        x, y = a.reshape(-1)[0], b.reshape(-1)[0]
        uniform = function(float(x), float(y))
        assert uniform == expected.reshape(-1)[0].item()
    narrowed = pure("arith.truncf", "f32", element, operands=1)
    torch.testing.assert_close(narrowed(a.float() / 3), (a.float() / 3).to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("oeq", [True, False, False]), ("une", [False, True, True]), ("olt", [False, True, False]),
     ("ult", [False, True, True]), ("ord", [True, True, False]), ("uno", [False, False, True]),
     ("one", [False, True, False]), ("uge", [True, False, True])],
)  # fmt: skip
def test_that_comparisons_with_nan_are_ordered_or_unordered(word: str, expected: list[bool]) -> None:
    a, b = torch.tensor([1.0, 1.0, torch.nan]), torch.tensor([1.0, 2.0, 2.0])
    assert pure("arith.cmpf", "f32", "i1", ("fast", word))(a, b).tolist() == expected


def test_that_maxnum_ignores_nan_and_maximum_does_not() -> None:
    a, b = torch.tensor([torch.nan, 1.0]), torch.tensor([2.0, torch.nan])
    assert pure("arith.maxnumf", "f32")(a, b).tolist() == [2.0, 1.0]
    assert bool(torch.isnan(pure("arith.maximumf", "f32")(a, b)).all())
