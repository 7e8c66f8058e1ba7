"""Stores that atomics order are no races; their twins are."""

from __future__ import annotations

import pytest

from core.interpreter import intercept
from core.sanitizer import findings
from core.trace.record import Fault
from tests.sanitizer import order_kernels as kernels


def found(name: str) -> tuple[Fault, ...]:
    with intercept(faults="record") as tracer:
        getattr(kernels, name)()
    return tuple(each for each in findings(tracer.launches[-1]) if each.severity == "fault")


@pytest.mark.parametrize("name", ["lock", "counter", "atomics"])
def test_that_ordered_stores_are_no_race(name: str) -> None:
    assert found(name) == ()


@pytest.mark.parametrize(
    ("name", "kind", "index", "count"),
    [
        ("store_after_unlocking", "write-write race", 0, 4),
        ("a_lock_each", "read-write race", 0, 4),
        ("first_to_count", "write-write race", 1, 12),
        ("relaxed_counter", "write-write race", 0, 12),
        ("relaxed_lock", "write-write race", 0, 4),
        ("atomics_of_one_program", "write-write race", 0, 4),
        ("cleared_in_the_kernel", "atomic and plain access", 0, 4),
    ],
)
def test_that_stores_without_an_order_are_a_race(name: str, kind: str, index: int, count: int) -> None:
    (race,) = found(name)
    assert (race.kind, race.index, race.count) == (kind, index, count)
    assert race.program != race.other_program
