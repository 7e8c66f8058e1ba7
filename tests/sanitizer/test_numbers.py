"""Wrapped addresses, undefined divisions, shifts and casts, broken promises; hashes and correct twins are silent."""

from __future__ import annotations

import pytest

from core.interpreter import intercept
from core.sanitizer import kinds
from core.trace.record import Fault
from tests.sanitizer import number_kernels as kernels


def found(name: str, *, addresses_only: bool = False) -> list[Fault]:
    with intercept(faults="record", addresses_only=addresses_only) as tracer:
        getattr(kernels, name)()
    return [fault for launch in tracer.launches for fault in launch.faults]


@pytest.mark.parametrize("addresses_only", [False, True])
@pytest.mark.parametrize(
    ("name", "words", "count"),
    [
        (
            "offset_wraps_into_bounds",
            "i * stride is 4,294,967,296 in program (0, 0, 0), which wraps to 0 in",
            2,
        ),
        ("offset_wraps", "row * stride is 4,900,000,000 in program (1, 0, 0), which wraps to 605,032,704", 64),
    ],
)
def test_that_a_wrapped_offset_names_its_true_value(name: str, words: str, count: int, addresses_only: bool) -> None:
    faults = [fault for fault in found(name, addresses_only=addresses_only) if fault.kind != kinds.OUT_OF_BOUNDS]
    (fault,) = faults
    assert (fault.kind, fault.severity, fault.count) == (kinds.ADDRESS_OVERFLOW, "fault", count)
    assert words in str(fault.sentence)


@pytest.mark.parametrize(
    ("name", "kind", "count", "value"),
    [
        ("quotient_by_zero", kinds.DIVISION_BY_ZERO, 1, "7"),
        ("remainder_by_zero", kinds.DIVISION_BY_ZERO, 1, "7"),
        ("scalar_remainder_by_zero", kinds.DIVISION_BY_ZERO, 1, "7"),
        ("shift_too_far", kinds.UNDEFINED_SHIFT, 1, "40"),
        ("cast_out_of_range", kinds.UNDEFINED_CAST, 2, "300.0"),
        ("false_assumption", kinds.BROKEN_HINT, 3, ""),
        ("false_multiple", kinds.BROKEN_HINT, 1, "40"),
    ],
)
def test_that_an_undefined_number_or_broken_promise_is_found(name: str, kind: str, count: int, value: str) -> None:
    (fault,) = found(name)
    assert (fault.kind, fault.severity, fault.count, fault.value) == (kind, "fault", count, value)
    assert str(fault.sentence).endswith(".")
    assert str(fault.repair).endswith(".")


@pytest.mark.parametrize(
    "name",
    ["offset_fits", "offset_is_masked", "hash_table", "random_numbers", "guarded_quotient", "quotient_by_ones",
     "shift_in_range", "cast_of_clamped", "cast_in_range", "kept_promises"],
)  # fmt: skip
def test_that_the_correct_twins_are_silent(name: str) -> None:
    assert found(name) == []


def test_that_all_paths_agree_on_division_by_zero() -> None:
    """The quotient is 0, and the remainder the dividend, so that dividend = quotient * divisor + remainder."""
    with intercept(faults="record"):
        assert kernels.quotient_by_zero()[7] == kernels.scalar_by_zero(False)[0] == 0
        assert kernels.remainder_by_zero()[7] == kernels.scalar_by_zero(True)[0] == 7
