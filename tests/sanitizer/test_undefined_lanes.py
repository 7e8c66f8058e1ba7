"""Undefined lanes of masked loads: followed to stores, addresses and conditions, and dropped by masks."""

from __future__ import annotations

import pytest

from core.interpreter import intercept
from core.sanitizer.kinds import UNDEFINED_LANES
from core.trace.record import Fault
from tests.sanitizer import undefined_kernels as kernels


def found(name: str) -> list[Fault]:
    with intercept(faults="record") as tracer:
        getattr(kernels, name)()
    return [fault for launch in tracer.launches for fault in launch.faults]


@pytest.mark.parametrize(
    ("name", "tensor", "count"),
    [
        ("sum_of_undefined", "x", 3),
        ("undefined_address", "index", 14),
        ("undefined_condition", "x", 1),
        ("undefined_in_a_loop", "x", 1),
        ("undefined_product", "a", 256),
        ("undefined_after_early_return", "x", 2),
    ],
)
def test_that_undefined_lanes_that_reach_a_result_are_found(name: str, tensor: str, count: int) -> None:
    (fault,) = found(name)
    assert (fault.kind, fault.severity, fault.access, fault.count) == (UNDEFINED_LANES, "fault", "load", count)
    assert f"The load of {tensor} " in str(fault.sentence)
    assert str(fault.repair).endswith(".")


@pytest.mark.parametrize(
    "name",
    ["sum_of_whole_rows", "guarded_sum", "masked_store", "guarded_address", "guarded_in_a_loop", "guarded_product",
     "mask_of_data", "running_sum"],
)  # fmt: skip
def test_that_undefined_lanes_that_are_masked_again_are_silent(name: str) -> None:
    assert found(name) == []


@pytest.mark.parametrize(("how", "count"), [("gather", 12), ("flip", 12), ("histogram", 32)])
def test_that_undefined_lanes_are_followed_where_elements_move(how: str, count: int) -> None:
    with intercept(faults="record") as tracer:
        kernels.moving(how, guard=False)
        kernels.moving(how, guard=True)
    assert [(fault.kind, fault.count) for fault in tracer.launches[0].faults] == [(UNDEFINED_LANES, count)]
    assert tracer.launches[1].faults == ()
