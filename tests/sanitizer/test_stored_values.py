"""Stores to one place: equal values are a remark, different ones a fault, between programs and within one."""

from __future__ import annotations

import pytest

from core.interpreter import intercept
from core.sanitizer import findings
from core.trace.record import Fault
from tests.sanitizer import store_kernels as kernels


def found(name: str) -> tuple[Fault, ...]:
    with intercept(faults="record") as tracer:
        getattr(kernels, name)()
    return findings(tracer.launches[-1])


@pytest.mark.parametrize(
    "name",
    [
        "own_flags",
        "masked_lanes",
        "permuted_lanes",
        "equal_lanes",
        "lanes_of_broadcast",
        "rows_apart",
        "additions_to_places_of_their_own",
        "equal_pairs_of_another_tensor",
    ],
)
def test_that_stores_to_places_of_their_own_and_equal_lanes_are_no_finding(name: str) -> None:
    assert found(name) == ()


@pytest.mark.parametrize("name", ["equal_flags", "equal_in_the_end", "equal_overlap", "not_a_number"])
def test_that_equal_stores_of_several_programs_are_a_remark(name: str) -> None:
    (finding,) = found(name)
    assert (finding.kind, finding.severity) == ("equal stores", "remark")
    assert finding.value in str(finding.sentence)
    assert finding.program != finding.other_program


@pytest.mark.parametrize(
    ("name", "index", "values"),
    [("different_flags", 0, ("0", "1")), ("different_in_the_end", 0, ("2", "3")), ("different_overlap", 8, ("8", "9"))],
)
def test_that_different_stores_of_several_programs_are_a_race(name: str, index: int, values: tuple[str, str]) -> None:
    (finding,) = found(name)
    assert (finding.kind, finding.severity, finding.index) == ("write-write race", "fault", index)
    assert f"store {values[0]} and {values[1]} to index {index}" in str(finding.sentence)


@pytest.mark.parametrize(
    ("name", "index", "count", "elements"),
    [("colliding_lanes", 1, 4, "[1] and [2]"), ("rows_overlap", 12, 8, "[2, 4] and [3, 0]")],
)
def test_that_lanes_of_one_program_that_store_different_values_collide(
    name: str, index: int, count: int, elements: str
) -> None:
    (finding,) = found(name)
    assert (finding.kind, finding.index, finding.count) == ("lanes collide", index, count)
    assert elements in str(finding.sentence)


def test_that_lanes_that_add_equally_to_one_place_lose_additions() -> None:
    (finding,) = found("equal_additions")
    assert (finding.kind, finding.severity, finding.index, finding.count) == ("lanes collide", "fault", 1, 4)
    assert "one of the two changes is lost" in str(finding.sentence)


@pytest.mark.parametrize("name", ["equal_clamps", "additions_of_zero"])
def test_that_lanes_that_could_each_store_for_all_are_a_remark(name: str) -> None:
    (finding,) = found(name)
    assert (finding.kind, finding.severity, finding.index) == ("lanes collide", "remark", 1)


def test_that_programs_that_read_what_others_store_equally_are_a_race() -> None:
    faults = found("equal_updates")
    assert [(each.kind, each.severity) for each in faults] == [("read-write race", "fault"), ("equal stores", "remark")]
    assert "use an atomic" in str(faults[0].repair)
