"""Totals over launches against a recount of every element, and against the rows that they add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.trace.record import Launch
from core.trace.tables import TensorRow, sectors, tables
from core.trace.totals import KernelTotal, TensorTotal, kernel_totals, tensor_totals
from tests.trace.random_launches import launches

several = st.lists(st.tuples(launches(), st.sampled_from("ab")), min_size=1, max_size=4).map(
    lambda pairs: [replace(launch, function=name) for launch, name in pairs]
)


def totals_of(traced: list[Launch]) -> tuple[KernelTotal, ...]:
    rows = tables(traced)
    used = [row for index, launch in enumerate(traced) for row in sectors(launch, index)]
    return kernel_totals(rows.launches, rows.lines, used)


@given(several)
def test_that_totals_count_what_the_launches_accessed(traced: list[Launch]) -> None:
    active: Counter[tuple[str, str, int, str, str]] = Counter()
    elements: Counter[tuple[str, str, int, str, str]] = Counter()
    moved: Counter[tuple[str, str]] = Counter()
    for launch in traced:
        for access in launch.accesses:
            buffer = launch.buffers[access.buffer]
            place = launch.function, access.file, access.line, access.kind, buffer.name
            count = int(access.active().sum())
            active[place] += count
            elements[place] += access.active().size
            moved[launch.function, "read"] += count * buffer.element_bytes * (access.kind != "store")
            moved[launch.function, "written"] += count * buffer.element_bytes * (access.kind != "load")
    totals = totals_of(traced)
    assert {kernel.function for kernel in totals} == {launch.function for launch in traced}
    for kernel in totals:
        assert kernel.launches == sum(launch.function == kernel.function for launch in traced)
        assert (kernel.read_bytes, kernel.written_bytes) == (
            moved[kernel.function, "read"],
            moved[kernel.function, "written"],
        )
    lines = {(k.function, line.file, line.line, line.kind, line.tensor): line for k in totals for line in k.lines}
    assert {place: line.accesses for place, line in lines.items()} == dict(active)
    for place, line in lines.items():
        assert line.masked_share == pytest.approx(1 - active[place] / elements[place])


@given(several)
def test_that_the_heaviest_come_first_and_shares_are_of_everything(traced: list[Launch]) -> None:
    kernels = totals_of(traced)
    moved = [kernel.read_bytes + kernel.written_bytes for kernel in kernels]
    assert moved == sorted(moved, reverse=True)
    assert sum(kernel.share for kernel in kernels) == pytest.approx(1 if sum(moved) else 0)
    for kernel in kernels:
        shares = [line.share for line in kernel.lines]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(kernel.share)
        assert sum(line.read_bytes for line in kernel.lines) == kernel.read_bytes
        assert sum(line.unique_bytes for line in kernel.lines) >= kernel.unique_bytes


@given(launches())
def test_that_the_same_launch_twice_moves_twice_as_much(launch: Launch) -> None:
    (once,), (twice,) = totals_of([launch]), totals_of([launch, launch])
    for name in ("launches", "accesses", "read_bytes", "written_bytes", "unique_bytes", "programs"):
        assert getattr(twice, name) == 2 * getattr(once, name)
    for name in ("reuse", "masked_share", "sector_share"):
        assert getattr(twice, name) == pytest.approx(getattr(once, name))


def tensor(launch: int, name: str, storage: int, read: int, argument: str = "", size: int = 64) -> TensorRow:
    return TensorRow(
        launch, name, "float32", f"[{size // 4}]", size, 0, 0, read, 0, read, 1.0, argument, "f.py:3", storage
    )


def test_that_one_allocation_under_several_names_is_one_tensor() -> None:
    rows = [
        tensor(0, "y_ptr", 5, 100, "h"),
        tensor(0, "x_ptr", 6, 500, "x"),
        tensor(1, "a_ptr", 5, 300, "h[:, 1:]", size=32),
        tensor(1, "b_ptr", 5, 300, "h"),
    ]
    assert tensor_totals(rows) == (
        TensorTotal(("h", "h[:, 1:]"), "f.py:3", "float32", "[16]", 64, 2, 700, 0, 700 / 1200),
        TensorTotal(("x",), "f.py:3", "float32", "[16]", 64, 1, 500, 0, 500 / 1200),
    )


def test_that_tensors_of_old_traces_are_not_added_up() -> None:
    rows = [tensor(0, "x_ptr", -1, 4), tensor(1, "x_ptr", -1, 8)]
    assert [(row.names, row.read_bytes) for row in tensor_totals(rows)] == [(("x_ptr",), 8), (("x_ptr",), 4)]
