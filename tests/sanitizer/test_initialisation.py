"""Memory that was made without values: reads of it, outputs of which a part stays unwritten, and correct twins."""

from __future__ import annotations

import pytest

from core.interpreter import intercept
from core.sanitizer.kinds import UNINITIALISED_READ, UNWRITTEN_OUTPUT
from core.trace.record import Fault
from tests.sanitizer import initialisation_kernels as kernels


def found(name: str, *, addresses_only: bool = False) -> list[Fault]:
    with intercept(faults="record", addresses_only=addresses_only) as tracer:
        result = getattr(kernels, name)()
    del result
    return [fault for launch in tracer.launches for fault in launch.faults]


@pytest.mark.parametrize("addresses_only", [False, True])
@pytest.mark.parametrize(
    ("name", "kind", "access", "index", "count"),
    [
        ("total_of_empty", UNINITIALISED_READ, "atomic", 0, 4),
        ("accumulator", UNINITIALISED_READ, "load", 0, 1000),
        ("accumulator_after_half", UNINITIALISED_READ, "load", 512, 488),
        ("grid_too_small", UNWRITTEN_OUTPUT, "store", 768, 232),
        ("triangle_with_what_nobody_wrote", UNINITIALISED_READ, "load", 1, 120),
    ],
)
def test_that_memory_without_values_is_found(
    name: str, kind: str, access: str, index: int, count: int, addresses_only: bool
) -> None:
    (fault,) = found(name, addresses_only=addresses_only)
    assert (fault.kind, fault.access, fault.index, fault.count) == (kind, access, index, count)
    assert fault.severity == ("remark" if addresses_only and access == "load" else "fault")
    assert fault.line
    assert str(fault.sentence).endswith(".")
    assert str(fault.repair).endswith(".")


@pytest.mark.parametrize("name", ["total_of_zeros", "total_of_filled", "total_of_numpy", "total_of_data",
                                  "accumulator_after_kernel", "grid_too_small_but_filled_later", "spare_room",
                                  "whole_grid", "two_halves", "workspace", "last_block",
                                  "triangle_that_is_masked_again"])  # fmt: skip
def test_that_the_correct_twins_are_clean(name: str) -> None:
    assert found(name) == []


def test_that_room_left_by_stores_whose_places_depend_on_data_is_a_remark() -> None:
    (fault,) = found("output_of_a_size_that_depends_on_data")
    assert (fault.kind, fault.severity) == (UNWRITTEN_OUTPUT, "remark")
