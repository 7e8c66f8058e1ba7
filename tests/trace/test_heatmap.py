"""The heatmap of a tensor, against counting the accesses to its elements."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.interpreter import intercept
from core.trace.affine import from_array
from core.trace.heatmap import tensor_heatmap
from core.trace.record import Access, Buffer, Launch
from tests.interpreter.traced_cases import CASES
from tests.trace.random_launches import ELEMENTS, elements, launches


@pytest.mark.parametrize("largest_dense", [0, 1 << 20], ids=["by pixel", "by element"])
@given(launches(), st.integers(1, 40), st.integers(1, 40), st.one_of(st.none(), st.integers(0, 3)))
@settings(max_examples=60, deadline=None)
def test_that_a_heatmap_counts_elements(
    largest_dense: int, launch: Launch, height: int, width: int, program: int | None
) -> None:
    buffer = launch.buffers[0]
    shape = (4, 5, ELEMENTS // 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.trace.heatmap._DENSE_ELEMENTS", largest_dense)
        heatmap = tensor_heatmap([launch], buffer.data_ptr, buffer.size_bytes, shape, height, width, program)
    rows, columns = 20, ELEMENTS // 20
    size = (min(height, rows), min(width, columns))
    expected = {"load": np.zeros(size), "store": np.zeros(size)}
    for access, by, byte in elements(launch):
        element = byte // buffer.element_bytes
        if access.buffer == 0 and program in (None, by) and element < ELEMENTS:
            pixel = element // columns * size[0] // rows, element % columns * size[1] // columns
            for kind in ("load", "store") if access.kind == "atomic" else (access.kind,):
                expected[kind][pixel] += 1
    assert (heatmap.rows, heatmap.columns) == (rows, columns)
    np.testing.assert_array_equal(heatmap.reads, expected["load"])
    np.testing.assert_array_equal(heatmap.writes, expected["store"])
    cells = [np.bincount(np.arange(n) * pixels // n) for n, pixels in zip((rows, columns), size, strict=True)]
    np.testing.assert_allclose(heatmap.per_element("reads") * np.outer(*cells), expected["load"], atol=1e-9)


def test_that_a_matmul_reads_each_row_once_a_tile_of_columns() -> None:
    with intercept() as tracer:
        CASES["matmul"]()
    (launch,) = tracer.launches
    a = next(b for b in launch.buffers if b.name == "a_ptr")
    heatmap = tensor_heatmap([launch], a.data_ptr, a.size_bytes, (50, 39), 100, 100)
    # The kernel wraps rows past the end, so the last tile reads the first 14 rows again.
    expected = np.where(np.arange(50)[:, None] < 14, 10.0, 5.0) * np.ones((50, 39))
    np.testing.assert_array_equal(heatmap.reads, expected)
    assert not heatmap.writes.any()
    assert tensor_heatmap([launch], a.data_ptr, a.size_bytes, (50, 39), 100, 100, program=0).reads.sum() == 16 * 39


def test_that_a_scalar_has_one_pixel() -> None:
    access = Access("atomic", 0, "k.py", 7, (), np.arange(3), (), 0, None, 4, 0)
    buffer = Buffer("n_ptr", "int32", 4, 4, 4096)
    launch = Launch("k", "k.py", 1, "", "", (3, 1, 1), (buffer,), (access,))
    heatmap = tensor_heatmap([launch], 4096, 4, (), 10, 10)
    assert heatmap.reads.tolist() == heatmap.writes.tolist() == [[3.0]]


@pytest.mark.parametrize("contiguous", [True, False])
def test_that_a_million_accesses_are_all_drawn(contiguous: bool) -> None:
    numbers = np.arange(1_000_000) if contiguous else np.random.default_rng(0).permutation(1_000_000)
    offset = from_array(numbers.reshape(1000, 1000), 1)
    access = Access("load", 0, "k.py", 7, (), np.arange(1000), (1000,), offset, None, 4, 0)
    buffer = Buffer("x_ptr", "float32", 4, 4_000_000, 4096)
    launch = Launch("k", "k.py", 1, "", "", (1000, 1, 1), (buffer,), (access,))
    heatmap = tensor_heatmap([launch], 4096, 4_000_000, (500, 2000), 250, 500)
    np.testing.assert_array_equal(heatmap.reads, np.full((250, 500), 8.0))
