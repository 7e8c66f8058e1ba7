"""Walks through a tensor that stay inside it: by strides that are not its own, out of a row, not to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.interpreter import intercept
from core.proofs import terms
from core.proofs.terms import Symbol
from core.sanitizer import findings
from core.sanitizer.kinds import OUTSIDE_THE_VIEW, UNREAD_INPUT, WRONG_STRIDES
from core.sanitizer.walks.ranges import Ranges
from core.topics.kernel_lab.finding_picture import finding_picture
from core.trace.record import Fault
from core.trace.tables import tables
from tests.sanitizer import view_kernels
from tests.sanitizer import walk_kernels as kernels
from tests.sanitizer.planted import findings_of, pairs
from tests.sanitizer.stride_pairs import STRIDE_BASES

SMALLEST = {(base.name, plant.name): base.sizes[0] for base in STRIDE_BASES for plant in base.plants}
PAIRS = {key: pair for pair in reversed(list(pairs())) if (key := (pair.base, pair.plant.name)) in SMALLEST}
INSIDE = (WRONG_STRIDES, OUTSIDE_THE_VIEW, UNREAD_INPUT)


def found(launch: Callable[[], None]) -> list[Fault]:
    with intercept(faults="record") as tracer:
        launch()
    return [fault for fault in findings(tracer.launches[-1]) if fault.kind in INSIDE]


@pytest.mark.parametrize("key", SMALLEST, ids=" - ".join)
def test_that_a_planted_fault_is_found_and_its_twin_has_nothing(key: tuple[str, str], tmp_path: Path) -> None:
    pair = PAIRS[key]
    assert {row.kind for row in findings_of(pair.faulty, tmp_path)} & set(pair.plant.kinds)
    assert [
        row.kind for row in findings_of(pair.correct, tmp_path) if row.severity == "fault" or row.kind in INSIDE
    ] == []


@pytest.mark.parametrize(
    "name",
    ["transposed_on_purpose", "both_ways", "keys_transposed", "flat_with_equal_strides", "blocks_of_a_packed_tensor",
     "columns_by_a_mask", "loop_to_the_end", "ignored_label_dropped", "ignored_label_skipped",
        "offsets_from_the_row", "rows_by_index",
     "overlapping_windows", "expanded_by_its_strides", "slice_by_its_strides", "index_of_pairs"],
)  # fmt: skip
def test_that_what_is_meant_is_no_finding(name: str) -> None:
    assert found(getattr(kernels, name)) == []


def test_that_a_view_taken_as_packed_names_two_elements_and_asks_for_a_contiguous_tensor() -> None:
    (fault,) = found(view_kernels.transposed_as_packed)
    assert (fault.kind, fault.severity, fault.program, fault.index, fault.element) == (
        WRONG_STRIDES,
        "fault",
        0,
        1,
        (1,),
    )
    assert "for element [0, 1], program (0, 0, 0) reaches index 1, which is element [1, 0]" in str(fault.sentence)
    assert "x.contiguous()" in str(fault.repair)


def test_that_a_flat_kernel_must_not_mix_layouts() -> None:
    (fault,) = found(view_kernels.elementwise_transposed_to_packed)
    assert (fault.kind, fault.severity, fault.count) == (WRONG_STRIDES, "fault", 64 * 40)
    assert "index 1 is element [1, 0] of x, and element [0, 1] of o." in str(fault.sentence)


def test_that_blocks_as_long_as_rows_are_a_remark_because_they_may_be_no_rows() -> None:
    (fault,) = found(kernels.blocks_of_a_view)
    assert (fault.kind, fault.severity) == (WRONG_STRIDES, "remark")


def test_that_a_square_read_as_its_transpose_is_a_remark(tmp_path: Path) -> None:
    rows = findings_of(PAIRS["copy of a square", "swap strides"].faulty, tmp_path)
    (row,) = (row for row in rows if row.kind in INSIDE)
    assert (row.kind, row.severity) == (WRONG_STRIDES, "remark")
    assert "as the transpose of out" in str(row.sentence)


@pytest.mark.parametrize(("name", "index", "count"), [("loop_by_pointers", 64, 24), ("columns_of_one_block", -1, 0)])
def test_that_an_end_is_unread_only_if_it_is_shorter_than_a_block(name: str, index: int, count: int) -> None:
    faults = found(getattr(kernels, name))
    assert [(f.kind, f.severity, f.index, f.count) for f in faults] == (
        [(UNREAD_INPUT, "remark", index, count)] if count else []
    )


@pytest.mark.parametrize(
    ("name", "program", "value", "start", "reached"),
    [
        ("other_label_not_skipped", "(2, 0, 0)", "-1", "[2, 0]", "[1, 9]"),
        ("label_of_the_next_row", "(0, 0, 0)", "10", "[2, 0]", "[3, 0]"),
    ],
)
def test_that_a_loaded_index_leaves_its_row(name: str, program: str, value: str, start: str, reached: str) -> None:
    (fault,) = found(getattr(kernels, name))
    assert (fault.kind, fault.severity, fault.count, fault.value) == (OUTSIDE_THE_VIEW, "fault", 1, value)
    sentence = str(fault.sentence)
    assert f"program {program} takes the loaded value {value} as an index into 10 elements" in sentence
    assert f"from element {start} on, and reaches element {reached}" in sentence


@pytest.mark.parametrize(
    ("launch", "kind", "wrong"),
    [
        (view_kernels.transposed_as_packed, WRONG_STRIDES, [0, 1, 2, 3, 4, 5]),
        (
            kernels.loop_by_pointers,
            UNREAD_INPUT,
            [*range(64, 70), *range(134, 140), *range(204, 210), *range(274, 280)],
        ),
    ],
    ids=["a row of the tile", "what is never read"],
)
def test_that_a_picture_shows_the_elements_of_a_finding(
    launch: Callable[[], None], kind: str, wrong: list[int]
) -> None:
    with intercept(faults="record") as tracer:
        launch()
    (row,) = (row for row in tables(tracer.launches).faults if row.kind == kind)
    picture = finding_picture(tracer.launches, row)
    assert picture is not None
    assert [picture.index_at(*place) for place in zip(*picture.wrong.nonzero(), strict=True)] == wrong


@given(st.integers(1, 40), st.integers(1, 8), st.integers(1, 50), st.integers(1, 9))
def test_that_ranges_hold_all_values_and_are_exact_under_a_mask(grid: int, block: int, size: int, divisor: int) -> None:
    program, axis = Symbol("program", "x"), Symbol("axis", "0")
    index = terms.of(program).times(block) + terms.of(axis)
    part = terms.applied("div", index, terms.number(divisor)) + terms.applied("rem", index, terms.number(divisor))
    ranges = Ranges({program: (0, grid - 1), axis: (0, block - 1)}, terms.less(index, terms.number(size)))
    values = range(min(grid * block, size))
    assert ranges.of(index) == (0, values[-1])
    low, high = ranges.of(part)
    assert all(low <= value // divisor + value % divisor <= high for value in values)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 9))
def test_that_the_steps_of_a_loop_follow_from_its_bounds(end: int, step: int, block: int) -> None:
    count, axis = Symbol("step", "count", 1), Symbol("axis", "0")
    start = terms.of(count).times(step)
    going = terms.all_of((terms.at_most(terms.ZERO, terms.of(count)), terms.less(start, terms.number(end))))
    last = max(range(0, end, step))
    assert Ranges({axis: (0, block - 1)}, going).of(start + terms.of(axis)) == (0, last + block - 1)
