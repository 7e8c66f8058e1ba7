"""Races against the set of programs that write each byte."""

from __future__ import annotations

from dataclasses import fields
from itertools import product

import numpy as np
from hypothesis import given, settings

from core.contracts.text import Text
from core.csv_text import to_csv
from core.interpreter import intercept
from core.sanitizer.races import races
from core.trace.affine import Affine, Term, from_array
from core.trace.record import Access, Buffer, Launch
from core.trace.tables import tables
from tests.interpreter.traced_cases import CASES
from tests.trace.random_launches import decorated, elements, launches

KINDS = {
    ("store", "store"): "write-write race",
    ("load", "store"): "read-write race",
    ("atomic", "store"): "atomic and plain access",
    ("atomic", "load"): "atomic and plain access",
}


@given(launches(kinds=("store", "store", "load", "atomic")))
@settings(max_examples=60)
def test_that_races_are_the_bytes_that_two_programs_touch(launch: Launch) -> None:
    programs: dict[tuple[str, str, int, int], dict[int, set[int]]] = {}
    for access, program, byte in elements(launch):
        begin = launch.buffers[access.buffer].data_ptr + byte
        site = programs.setdefault((access.kind, access.file, access.line, access.buffer), {})
        for address in range(begin, begin + access.element_bytes):
            site.setdefault(address, set()).add(program)
    stored: set[int] = set()
    expected = []
    for kinds, (a, b) in product(KINDS, product(sorted(programs), repeat=2)):
        if (a[0], b[0]) != kinds or (a[0] == b[0] and b < a):
            continue
        shared = {
            address
            for address in programs[a].keys() & programs[b].keys()
            if any(p != q for p in programs[a][address] for q in programs[b][address])
        }
        shared -= stored if "load" in kinds else set()
        stored |= shared if kinds == ("store", "store") else set()
        if shared:
            buffer = launch.buffers[a[3]]
            index = (min(shared) - buffer.data_ptr) // buffer.element_bytes
            place = KINDS[kinds], *a, *b[1:3], index, len(shared)
            expected.append((place, programs[a][min(shared)], programs[b][min(shared)]))
    found = races(launch)
    places = [(r.kind, r.access, r.file, r.line, r.buffer, r.other_file, r.other_line, r.index, r.count) for r in found]
    assert sorted(places) == sorted(place for place, _, _ in expected)
    for race, place in zip(found, places, strict=True):
        assert race.program != race.other_program
        assert any(e == place and race.program in p and race.other_program in q for e, p, q in expected)
        assert str(race.sentence).endswith(".")
        assert str(race.repair).endswith(".")


def test_that_kernels_that_keep_to_their_own_elements_have_no_races() -> None:
    for case in ("add", "matmul", "transpose", "triton_flash-causal-37x53-1"):
        with intercept() as tracer:
            CASES[case]()
        assert all(races(launch) == () for launch in tracer.launches)


def store(offset: int | Affine, programs: int, tile: int) -> Launch:
    ids = np.arange(programs, dtype=np.int64)
    access = Access("store", 0, "k.py", 7, (), ids, (tile,), offset, None, 4, 0)
    return Launch("k", "k.py", 1, "", "", (programs, 1, 1), (Buffer("o_ptr", "float32", 4, 1 << 40, 0),), (access,))


def test_that_a_million_stores_are_searched() -> None:
    rng = np.random.default_rng(0)
    tile, programs = 1000, 1000
    scattered = from_array(rng.permutation(tile * programs).reshape(programs, tile), 1)
    assert races(store(scattered, programs, tile)) == ()
    lanes, columns = np.arange(programs)[:, None] * (tile - 1), np.arange(tile)[None, :]
    overlapping = Affine(1, 0, (Term(1, lanes, 0, int(lanes.max())), Term(2, columns, 0, tile - 1)))
    (race,) = races(store(overlapping, programs, tile))
    assert (race.program, race.other_program, race.index, race.count) == (0, 1, tile - 1, 4 * (programs - 1))


@given(launches())
@settings(max_examples=40)
def test_that_tables_hold_plain_numbers_that_add_up(launch: Launch) -> None:
    traced = tables([decorated(launch)])
    (row,) = traced.launches
    assert row.accesses == sum(1 for _ in elements(launch)) == sum(line.accesses for line in traced.lines)
    assert row.config == "BLOCK=16"
    assert traced.tensors[0].shape == "[600]"
    assert traced.faults[0].kind == "out of bounds"
    for field in fields(traced):
        rows = [{item.name: getattr(row, item.name) for item in fields(row)} for row in getattr(traced, field.name)]
        assert all(isinstance(v, str | int | float | Text | None) for r in rows for v in r.values())
        assert len(to_csv(rows).splitlines()) == (len(rows) + 1 if rows else 0), field.name
