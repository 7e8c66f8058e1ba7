"""Reads of what other programs write, and plain accesses to what they use atomics on; correct twins are silent."""

from __future__ import annotations

import pytest

from core.interpreter import intercept
from core.sanitizer.races import races
from core.trace.record import Fault
from tests.sanitizer import race_kernels as kernels


def found(name: str) -> tuple[Fault, ...]:
    with intercept(faults="record") as tracer:
        getattr(kernels, name)()
    return tuple(race for launch in tracer.launches for race in races(launch))


@pytest.mark.parametrize(
    "name",
    [
        "in_place",
        "into_another",
        "in_two_launches",
        "interleaved",
        "grid_barrier",
        "last_program",
        "chain",
        "chain_of_volatile_loads",
        "only_atomics",
    ],
)
def test_that_accesses_that_are_apart_or_ordered_are_no_race(name: str) -> None:
    assert found(name) == ()


@pytest.mark.parametrize(
    ("name", "kind", "access", "index", "count"),
    [
        ("shifted", "read-write race", "load", 32, 12),
        ("shifted_through_a_view", "read-write race", "load", 32, 32),
        ("columns_meet", "read-write race", "load", 16, 96),
        ("no_grid_barrier", "read-write race", "load", 0, 16),
        ("atomic_and_store", "atomic and plain access", "atomic", 0, 4),
        ("atomic_and_load", "atomic and plain access", "atomic", 0, 4),
    ],
)
def test_that_unordered_accesses_are_a_race(name: str, kind: str, access: str, index: int, count: int) -> None:
    (race,) = found(name)
    assert (race.kind, race.access, race.index, race.count) == (kind, access, index, count)
    assert race.program != race.other_program
    assert race.other_line > 0
