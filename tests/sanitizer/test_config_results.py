"""Configurations of one kernel are compared: results that differ beyond rounding are found, reordered sums are not."""

from __future__ import annotations

import pytest

from core.interpreter import intercept
from core.trace.record import Fault
from tests.sanitizer import config_kernels as kernels


def found(name: str) -> list[Fault]:
    with intercept(faults="record", try_configs=True) as tracer:
        getattr(kernels, name)()
    return [f for launch in tracer.launches for f in launch.faults if f.kind == "configuration changes result"]


@pytest.mark.parametrize(
    "name",
    [
        "grid_of_the_configuration",
        "sums_in_another_order",
        "sums_in_half_precision",
        "atomics",
        "parts",
        "largest_parts_that_a_kernel_reads",
        "noise_by_element",
    ],
)
def test_that_configurations_that_differ_by_rounding_or_by_parts_are_no_finding(name: str) -> None:
    assert found(name) == []


@pytest.mark.parametrize(
    "name", ["grid_of_a_fixed_block", "block_beyond_the_row", "store_instead_of_atomic", "noise_of_tiles"]
)
def test_that_a_result_that_depends_on_the_configuration_is_found(name: str) -> None:
    (fault,) = found(name)
    sentence = str(fault.sentence)
    assert "configuration 1 of" in sentence
    assert "configuration 3 (B=64" in sentence
    assert "2 of 4 configurations give the result of configuration 1." in sentence
    assert fault.severity == "fault"


def test_that_the_finding_names_the_element_and_both_values() -> None:
    (fault,) = found("grid_of_a_fixed_block")
    assert (fault.element, fault.index, fault.access) == ((512,), 512, "store")
    assert str(fault.sentence).startswith("Element [512] of out is 0 with configuration 1 of double (B=32, ")


def test_that_of_two_arguments_that_overlap_the_one_that_is_stored_through_is_named() -> None:
    (fault,) = found("arguments_that_overlap")
    assert str(fault.sentence).startswith("Element [0] of b is 32 with configuration 1 of halves (B=32, ")
