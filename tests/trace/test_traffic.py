"""Traffic and address maps against the trace, element by element."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.interpreter import Access, Launch, intercept
from core.trace.address_map import Band, bands_of
from core.trace.affine import Affine, Term
from core.trace.distinct_traffic import distinct_traffic, launch_totals
from core.trace.levels import AddressLevels
from core.trace.rows import row_count, rows_of
from core.trace.traffic import covered, traffic, union
from kernels.attention import Impl, attention
from tests.interpreter.traced_cases import CASES
from tests.trace.random_launches import launches


def launches_of(case: str) -> list[Launch]:
    with intercept() as tracer:
        CASES[case]()
    return tracer.launches


@pytest.mark.parametrize("case", CASES)
def test_that_traffic_counts_every_unmasked_element_once(case: str) -> None:
    for launch in launches_of(case):
        counted = traffic(launch)
        for index, row in enumerate(counted.buffers):
            mine = [a for a in launch.accesses if a.buffer == index]
            size = launch.buffers[index].element_bytes
            for kind, size_bytes in (("load", row.read_bytes), ("store", row.written_bytes)):
                assert size_bytes == size * sum(int(a.active().sum()) for a in mine if a.kind in (kind, "atomic"))
            distinct = {int(o) for a in mine for o in a.offsets()[a.active()]}
            assert row.unique_bytes == size * len(distinct)
        both_ways = sum(line.bytes * (2 if line.kind == "atomic" else 1) for line in counted.lines)
        assert both_ways == counted.read_bytes + counted.written_bytes


def assert_rows_are_the_elements(launch: Launch) -> None:
    for access in launch.accesses:
        rows = rows_of(access)
        starts, lengths = (np.broadcast_to(a, rows.shape) for a in (rows.starts, rows.lengths))
        for lane in range(len(access.programs)):
            spans = [np.arange(s, s + n) for s, n in zip(starts[lane], lengths[lane], strict=True)]
            expected = access.offsets()[lane][access.active()[lane]]
            np.testing.assert_array_equal(np.sort(np.concatenate(spans)), np.sort(expected.reshape(-1)))


@given(launches())
def test_that_totals_are_those_of_the_tensors(launch: Launch) -> None:
    (total,) = launch_totals([launch])
    counted = traffic(launch)

    assert (total.read_bytes, total.written_bytes) == (counted.read_bytes, counted.written_bytes)
    assert total.bytes == counted.read_bytes + counted.written_bytes
    assert total.distinct_bytes == sum(row.bytes for row in distinct_traffic(launch))


@pytest.mark.parametrize("case", CASES)
def test_that_rows_are_the_elements_of_an_access(case: str) -> None:
    for launch in launches_of(case):
        assert_rows_are_the_elements(launch)


@given(launches())
def test_that_rows_are_the_elements_whatever_the_offsets_are(launch: Launch) -> None:
    assert_rows_are_the_elements(launch)


def test_that_gathered_rows_stay_rows() -> None:
    """As many rows as the kernel gathers, and not as many as they have elements."""
    numbers = np.array([[[5], [90], [7]], [[1], [1], [300]]], dtype=np.int64)
    along = np.arange(16, dtype=np.int64)[None, None, :]
    offset = Affine(2, 100, (Term(0b011, numbers * 20, 0, 6000), Term(0b100, along, 0, 15, 1)))
    access = Access("load", 0, "k.py", 1, (), np.arange(2), (3, 16), offset, None, 4, 0)

    rows = rows_of(access)

    np.testing.assert_array_equal(rows.starts, 100 + 20 * numbers[..., 0])
    assert rows.lengths.tolist() == [[16]]
    assert row_count(access) == 6


@given(launches())
def test_that_distinct_bytes_are_counted_once_for_reads_and_once_for_writes(launch: Launch) -> None:
    for index, row in enumerate(distinct_traffic(launch)):
        for bytes_, other in ((row.read_bytes, "store"), (row.written_bytes, "load")):
            mine = [a for a in launch.accesses if a.buffer == index and a.kind != other]
            distinct = {int(o) for a in mine for o in a.offsets()[a.active()]}
            assert bytes_ == launch.buffers[index].element_bytes * len(distinct)
        assert (row.function, row.buffer) == (launch.function, launch.buffers[index].name)
        assert row.bytes == row.read_bytes + row.written_bytes


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=20))
def test_that_a_union_covers_each_element_once(spans: list[tuple[int, int]]) -> None:
    parts = [np.array([[start, start + length]], dtype=np.int64) for start, length in spans]
    joined = union(parts)
    assert covered(joined) == len({x for start, length in spans for x in range(start, start + length)})
    assert (joined[1:, 0] > joined[:-1, 1]).all()


def flash(causal: bool = True) -> list[Launch]:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, 64, 32, generator=generator) for _ in range(3))
    with intercept() as tracer:
        attention(q, k, v, impl=Impl.TRITON_FLASH, causal=causal, block_q=16, block_kv=16)
    return tracer.launches


def test_that_flash_reads_keys_once_a_query_tile() -> None:
    (launch,) = flash(causal=False)
    rows = {row.buffer: row for row in traffic(launch).buffers}
    tensor = 2 * 64 * 32 * 4
    assert rows["q_ptr"].read_bytes == rows["o_ptr"].written_bytes == tensor
    assert rows["k_ptr"].read_bytes == rows["v_ptr"].read_bytes == 4 * tensor
    assert rows["k_ptr"].unique_bytes == tensor
    (causal,) = flash(causal=True)
    assert {r.buffer: r for r in traffic(causal).buffers}["k_ptr"].read_bytes == tensor * (1 + 2 + 3 + 4) // 4


def pixels(launches: Sequence[Launch], bands: Sequence[Band], kind: str) -> dict[tuple[int, int], int]:
    """Accesses by (byte on the stacked axis, position on x), one element at a time."""
    tops = np.cumsum([0, *(band.size_bytes for band in bands)])
    counts: dict[tuple[int, int], int] = {}
    x = 0
    for launch in launches:
        for program in range(launch.programs):
            for access in sorted(launch.accesses, key=lambda a: a.order):
                lanes = np.flatnonzero(access.programs == program)
                for lane in lanes:
                    for offset in access.offsets()[lane][access.active()[lane]].reshape(-1):
                        buffer = launch.buffers[access.buffer]
                        address = buffer.data_ptr + int(offset) * access.element_bytes
                        for top, band in zip(tops, bands, strict=False):
                            if access.kind == kind and 0 <= address - band.data_ptr < band.size_bytes:
                                counts[(int(top) + address - band.data_ptr, x)] = 1
                        x += 1
    return counts


@pytest.mark.parametrize("case", ["add", "transpose", "softmax", "gather", "triton_flash-causal-37x53-1"])
def test_that_the_address_map_is_a_histogram_of_single_accesses(case: str) -> None:
    launches = launches_of(case)
    bands = bands_of(launches)
    picture = AddressLevels(launches, bands).picture(40, 30)
    for kind, plane in (("load", picture.read), ("store", picture.write)):
        expected = np.zeros((30, 40))
        for byte, x in pixels(launches, bands, kind):
            expected[int((byte + 0.5) * 30 / picture.bytes), int((x + 0.5) * 40 / picture.accesses)] += 1
        assert abs(int(plane.sum()) - expected.sum()) <= 0.02 * expected.sum() + plane.size * 0.05
        blurred = np.lib.stride_tricks.sliding_window_view(np.pad(expected, 1), (3, 3)).max(axis=(2, 3))
        assert (blurred[plane > 0] > 0).all()


def test_that_program_edges_and_bands_span_the_picture() -> None:
    launches = flash()
    order = ("q_ptr", "k_ptr", "v_ptr", "o_ptr")
    bands = bands_of(launches, order)
    picture = AddressLevels(launches, bands).picture(64, 64)
    assert tuple(band.name for band in picture.bands)[:4] == order
    assert {band.name for band in picture.bands} == {band.name for band in bands_of(launches)}
    assert picture.bands[0].first_byte == 0
    assert picture.bands[-1].last_byte + 1 == picture.bytes == sum(band.size_bytes for band in bands)
    assert len(picture.program_edges) == launches[0].programs + 1
    assert picture.program_edges[0] == 0
    assert picture.program_edges[-1] == picture.accesses
    assert (np.diff(picture.program_edges) > 0).all()
    assert picture.read.dtype == picture.write.dtype == np.uint32


def test_that_a_zoom_shows_the_part_it_names() -> None:
    launches = flash()
    bands = bands_of(launches)
    whole = AddressLevels(launches, bands).picture(64, 64)
    left = AddressLevels(launches, bands).picture(64, 64, x_range=(0, whole.accesses / 2))
    right = AddressLevels(launches, bands).picture(64, 64, x_range=(whole.accesses / 2, whole.accesses))
    total = int(whole.read.sum())
    assert abs(int(left.read.sum()) + int(right.read.sum()) - total) < 0.02 * total
    assert 0 < left.read.sum() < total


def test_that_the_trace_of_millions_of_accesses_is_small() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 4, 512, 64, generator=generator) for _ in range(3))
    with intercept() as tracer:
        attention(q, k, v, impl=Impl.TRITON_STANDARD, causal=False, block_q=64, block_kv=64)
    elements = sum(len(a.programs) * int(np.prod(a.shape)) for launch in tracer.launches for a in launch.accesses)
    assert elements > 5_000_000
    assert sum(launch.trace_bytes() for launch in tracer.launches) < 1 << 20
