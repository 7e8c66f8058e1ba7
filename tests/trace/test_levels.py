"""An address map at any pan and zoom, against counting the accesses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.trace.address_map import bands_of
from core.trace.affine import from_array
from core.trace.levels import AddressLevels
from core.trace.record import Access, Buffer, Launch
from tests.trace.random_launches import ELEMENTS, elements, launches


def points(launch: Launch) -> list[tuple[Access, int, int, int]]:
    """Access, x, first byte on the stacked axis and size of each element."""
    tops = np.cumsum([0, *(ELEMENTS * b.element_bytes for b in launch.buffers)]).tolist()
    return [
        (access, x, tops[access.buffer] + byte, access.element_bytes)
        for x, (access, _, byte) in enumerate(elements(launch))
    ]


@given(launches(), st.data())
@settings(max_examples=80, deadline=None)
def test_that_pixels_of_single_accesses_and_bytes_count_elements(launch: Launch, data: st.DataObject) -> None:
    levels = AddressLevels([launch], bands_of([launch]))
    element_points = points(launch)
    assert levels.accesses == len(element_points)
    left = data.draw(st.integers(0, max(0, len(element_points) - 1)))
    low = data.draw(st.integers(0, levels.bytes - 1))
    wide, high = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 60))
    line = data.draw(st.one_of(st.none(), st.tuples(st.sampled_from(["a.py", "b.py"]), st.integers(1, 4))))
    picture = levels.picture(wide, high, x_range=(left, left + wide), y_range=(low, low + high), line=line)
    expected = {"load": np.zeros((high, wide), dtype=bool), "store": np.zeros((high, wide), dtype=bool)}
    for access, x, byte, size in element_points:
        inside = left <= x < left + wide and (line is None or line == (access.file, access.line))
        for byte_row in range(max(byte, low), min(byte + size, low + high)) if inside else ():
            for kind in ("load", "store") if access.kind == "atomic" else (access.kind,):
                expected[kind][byte_row - low, x - left] = True
    np.testing.assert_array_equal(picture.read > 0, expected["load"])
    np.testing.assert_array_equal(picture.write > 0, expected["store"])
    assert picture.sampled == 1.0


@given(launches())
@settings(max_examples=60, deadline=None)
def test_that_a_whole_picture_counts_every_access(launch: Launch) -> None:
    bands = bands_of([launch])
    levels = AddressLevels([launch], bands)
    picture = levels.picture(1, 1)
    for kind, plane in (("load", picture.read), ("store", picture.write)):
        assert int(plane.sum()) == sum(access.kind in (kind, "atomic") for access, *_ in elements(launch))
    programs = [program for _, program, _ in elements(launch)]
    accesses = np.bincount(programs, minlength=launch.programs)
    np.testing.assert_array_equal(picture.program_edges, np.concatenate(([0], accesses.cumsum())))
    tops = np.cumsum([0, *(band.size_bytes for band in bands)]).tolist()
    placed = [(band.name, top, top + band.size_bytes - 1) for band, top in zip(bands, tops, strict=False)]
    assert [(band.name, band.first_byte, band.last_byte) for band in picture.bands] == placed


def irregular(programs: int, tile: int) -> Launch:
    offset = from_array(np.random.default_rng(0).integers(0, 1 << 22, (programs, tile)), 1)
    access = Access("load", 0, "k.py", 7, (), np.arange(programs), (tile,), offset, None, 4, 0)
    return Launch("k", "k.py", 1, "", "", (programs, 1, 1), (Buffer("x_ptr", "float32", 4, 4 << 22, 4096),), (access,))


def test_that_a_sample_says_so_and_stands_for_all() -> None:
    launch = irregular(2000, 500)
    levels = AddressLevels([launch], bands_of([launch]))
    assert len(levels) == levels.accesses == 1_000_000
    whole = levels.picture(20, 10)
    assert 0 < whole.sampled < 1
    exact = levels.picture(20, 10, drawn_rows=len(levels))
    assert exact.sampled == 1.0
    assert exact.read.sum() == 1_000_000
    assert int(whole.read.sum()) == pytest.approx(1_000_000, rel=1e-3)
    assert np.abs(whole.read / exact.read - 1).max() < 0.15
    part = levels.picture(20, 10, x_range=(0, 50_000))
    assert part.sampled == 1.0
    assert part.read.sum() == 50_000


def test_that_an_empty_launch_has_an_empty_picture() -> None:
    launch = Launch("k", "k.py", 1, "", "", (1, 1, 1), (), ())
    picture = AddressLevels([launch], ()).picture(4, 3)
    assert picture.read.shape == picture.write.shape == (3, 4)
    assert not picture.read.any()
