"""Rasters of accesses and their pictures."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gui.pages.flash_attention.raster import AddressRaster, Band, picture

INKS = [(1, 2, 3), (4, 5, 6)]
WRITE = (9, 9, 9)
WHOLE = ((0.0, 100.0), (0.0, 1024.0))


def raster_of(height: int, width: int, reads: np.ndarray, writes: np.ndarray) -> AddressRaster:
    bands = (Band("Q", 0, 511), Band("K", 512, 1023))
    return AddressRaster("Flash", reads, writes, bands, 100.0, 1024.0, np.array([0.0, 25.0, 100.0]))


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.integers(1, 40), st.data())
@settings(max_examples=60, deadline=None)
def test_that_a_single_access_never_disappears(
    height: int, width: int, rows: int, columns: int, data: st.DataObject
) -> None:
    reads, writes = np.zeros((height, width), np.uint32), np.zeros((height, width), np.uint32)
    at = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    (writes if data.draw(st.booleans()) else reads)[at] = 1
    image = picture(raster_of(height, width, reads, writes), INKS, WRITE, WHOLE, (rows, columns)).image
    assert image.shape[0] <= rows
    assert image.shape[1] <= columns
    assert np.count_nonzero(image[..., 3]) == 1


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 1024), st.floats(0, 1024))
@settings(max_examples=60, deadline=None)
def test_that_a_part_covers_what_is_in_view(x0: float, x1: float, y0: float, y1: float) -> None:
    reads = np.ones((64, 50), np.uint32)
    raster = raster_of(64, 50, reads, 0 * reads)
    (x0, x1), (y0, y1) = sorted((x0, x1)), sorted((y0, y1))
    shown = picture(raster, INKS, WRITE, ((x0, x1), (y0, y1)), (1000, 1000))
    left, bottom, width, height = shown.covers
    tiny = 1e-6
    assert left <= x0 + tiny
    assert left + width >= x1 - tiny
    assert bottom <= y0 + tiny
    assert bottom + height >= y1 - tiny
    assert width <= x1 - x0 + 2 * 2 + tiny
    assert height <= y1 - y0 + 2 * 16 + tiny
    assert shown.image.shape[:2] == (round(height / 16), round(width / 2))


def test_that_reads_take_their_tensor_s_ink_and_writes_theirs() -> None:
    reads, writes = np.zeros((4, 3), np.uint32), np.zeros((4, 3), np.uint32)
    reads[0, 0], reads[3, 1], writes[1, 2] = 1, 50, 1
    image = picture(raster_of(4, 3, reads, writes), INKS, WRITE, WHOLE, (100, 100)).image
    assert tuple(image[0, 0, :3]) == INKS[0]
    assert tuple(image[3, 1, :3]) == INKS[1]
    assert tuple(image[1, 2, :3]) == WRITE
    assert 0 < image[0, 0, 3] < image[3, 1, 3]


def test_that_points_map_to_bands_programs_and_pixels() -> None:
    zeros = np.zeros((4, 4), np.uint32)
    raster = raster_of(4, 4, zeros, zeros)
    assert raster.programs == 2
    assert [raster.program_at(x) for x in (0, 24.9, 25, 99, 100, -1)] == [0, 0, 1, 1, None, None]
    assert [getattr(raster.band_at(y), "tensor", None) for y in (0, 511.9, 512, 1023, 1024)] == [
        "Q",
        "Q",
        "K",
        "K",
        None,
    ]
    assert raster.pixel_at(99, 1023) == (3, 3)
    assert raster.pixel_at(100, 0) is None
