"""Integers that wrap where they are no offsets, and quotients of negative ones: remarks, unless they are meant."""

from __future__ import annotations

import pytest
import torch

from core.interpreter import intercept
from core.sanitizer import kinds
from core.trace.record import Fault
from tests.sanitizer import integer_kernels as kernels


def found(function, given) -> list[Fault]:  # type: ignore[no-untyped-def]
    with intercept(faults="record") as tracer:
        function(given)
    return [fault for launch in tracer.launches for fault in launch.faults]


@pytest.mark.parametrize(
    ("how", "count", "words"),
    [
        ("int32", 50, "5,000 * 1,000,000 is 5,000,000,000 in program (0, 0, 0), which wraps to 705,032,704 in 32 bits"),
        ("float", 50, "5,000 * 1,000,000 is 5,000,000,000"),
        ("sum", 50, "the sum of 32 elements is 16,049,600,000"),
    ],
)
def test_that_a_number_that_wraps_is_a_remark_where_it_reaches_a_store(how: str, count: int, words: str) -> None:
    (remark,) = found(kernels.scale, how)
    assert (remark.kind, remark.severity, remark.count) == (kinds.INTEGER_OVERFLOW, "remark", count)
    assert words in str(remark.sentence)
    assert "int64" in str(remark.repair)


@pytest.mark.parametrize("how", ["int64", "dropped", "congruential", "hash", "random"])
def test_that_wider_dropped_hashed_and_random_numbers_are_silent(how: str) -> None:
    assert found(kernels.scale, how) == []


def test_that_signed_bytes_that_wrap_are_a_remark_and_unsigned_ones_are_not() -> None:
    (remark,) = found(kernels.add, torch.int8)
    assert "100 + 100 is 200 in program (0, 0, 0), which wraps to -56 in 8 bits" in str(remark.sentence)
    assert found(kernels.add, torch.uint8) == []


@pytest.mark.parametrize(
    ("how", "count", "words"),
    [
        ("quotient", 16, "-21 // 4 is -5 in program (0, 0, 0), because kernels round towards zero; in Python it is -6"),
        ("remainder", 16, "-21 % 4 is -1 in program (0, 0, 0), because kernels round towards zero; in Python it is 3"),
        ("address", 1, "-1 % 50 is -1"),
    ],
)
def test_that_the_rounding_of_negative_numbers_is_a_remark_where_it_matters(how: str, count: int, words: str) -> None:
    (remark,) = found(kernels.divide, how)
    assert (remark.kind, remark.severity, remark.count) == (kinds.NEGATIVE_DIVISION, "remark", count)
    assert words in str(remark.sentence)


@pytest.mark.parametrize("how", ["exact", "floor", "modulo", "dropped", "clamped", "padding"])
def test_that_exact_corrected_and_dropped_quotients_are_silent(how: str) -> None:
    assert found(kernels.divide, how) == []
