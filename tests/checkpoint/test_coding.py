"""Levels, scales and errors against a float64 search through all levels, and against bitsandbytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.checkpoint import coding
from kernels.quantization.formats import FORMATS, FormatId

CODEBOOKS = [name for name, format_ in FORMATS.items() if not format_.affine]
SMALLEST = np.finfo(np.float32).tiny
finite = hnp.arrays(np.float32, (3, 16), elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False))


def oracle(blocks: np.ndarray, name: FormatId) -> np.ndarray:
    """Errors in float64, by trying every level."""
    wide, levels = blocks.astype(np.float64), FORMATS[name].levels
    if FORMATS[name].affine:
        lowest, highest = wide.min(1)[:, None, None], wide.max(1)[:, None, None]
        tried = lowest + levels * (highest - lowest)
    else:
        tried = abs(wide).max(1)[:, None, None] * levels
    return abs(wide[..., None] - tried).min(-1)


def find_cells(shares: np.ndarray) -> np.ndarray:
    return coding.find_cells(shares, np.empty(shares.shape, dtype=np.intp), np.empty_like(shares))


def errors(blocks: np.ndarray, name: FormatId) -> coding.BlockErrors:
    if FORMATS[name].affine:
        return coding.affine_errors(blocks)
    absmax = coding.absmax_of(blocks)
    shares = coding.normalize(blocks, absmax)
    return coding.codebook_errors(blocks, shares, find_cells(shares), absmax, name)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(blocks=finite)
@example(blocks=np.float32([[SMALLEST], [-SMALLEST], [SMALLEST * 3]]) * (np.arange(16) == 0))
def test_that_no_level_is_nearer_than_the_one_taken(name: FormatId, blocks: np.ndarray) -> None:
    expected, sums = oracle(blocks, name), errors(blocks, name)
    # One rounding of float32 in the share, one in the difference: relative to the block's largest magnitude.
    rounding = 4 * np.finfo(np.float32).eps * np.maximum(abs(blocks).max(1), SMALLEST).astype(float)
    # The affine step is a fifteenth of the range: below SMALLEST it is off by half a subnormal, and that 15 times.
    rounding += 16 * float(np.finfo(np.float32).smallest_subnormal)
    assert abs(sums.largest - expected.max()) <= rounding.max()
    exact = (expected**2).sum(1)
    assert (abs(np.sqrt(sums.squares) - np.sqrt(exact)) <= 8 * rounding).all()


@pytest.mark.parametrize("name", CODEBOOKS)
def test_that_the_table_finds_what_a_search_finds(name: FormatId) -> None:
    coder = coding.coder(name)
    rng = np.random.default_rng(0)
    edges = np.concatenate([coder.boundaries, coder.levels, np.linspace(-1, 1, 2**14 + 1, dtype=np.float32)])
    beside = [edges, *(edges + np.float32(nudge) for nudge in (-2e-7, -6e-8, 6e-8, 2e-7))]
    shares = np.concatenate([*beside, rng.uniform(-1, 1, 200_000), rng.normal(0, 1e-3, 10_000)]).astype(np.float32)
    shares = np.clip(shares, -1, 1)[None]
    assert np.array_equal(
        coder.nearest(shares, find_cells(shares), np.empty_like(shares)), coder.nearest_by_search(shares)
    )
    assert np.array_equal(coder.nearest_by_search(coder.levels), coder.levels)
    assert np.array_equal(coder.nearest_by_search(coder.boundaries), coder.levels[:-1]), (
        "half-way values go to the lower level"
    )


def test_that_blocks_of_zeros_stay_zeros() -> None:
    blocks = np.zeros((2, 16), dtype=np.float32)
    for name in FORMATS:
        assert errors(blocks, name).largest == 0


@pytest.mark.parametrize("value", [0.1, -3.3e38, 1e-30, 7e-42])
def test_that_a_constant_has_no_error(value: float) -> None:
    blocks = np.full((2, 64), value, dtype=np.float32)
    for name in CODEBOOKS:
        restored = coding.restored_weights(blocks.ravel(), name, 64, 0)
        if abs(value) > 1e-38:
            assert np.array_equal(restored, blocks.ravel())
            assert errors(blocks, name).largest == 0
        assert np.isfinite(restored).all()


def test_that_shares_do_not_leave_their_range_where_reciprocals_are_subnormal() -> None:
    absmax = np.random.default_rng(0).uniform(2.0**126, 3.4e38, 10_000).astype(np.float32)
    assert (absmax * (1 / absmax)).max() > 1, "as they would"
    for sign in (1, -1):
        assert abs(coding.normalize(sign * absmax[:, None], absmax)).max() == 1


def test_that_large_and_tiny_values_neither_overflow_nor_vanish() -> None:
    pattern = np.linspace(-1, 0.9, 64, dtype=np.float32)[None]
    for scale in (1e-37, 1e-20, 1.0, 1e20, 3e38):
        for name in FORMATS:
            sums = errors(pattern * np.float32(scale), name)
            assert sums.squares[0] / scale**2 == pytest.approx(errors(pattern, name).squares[0], rel=1e-3), name


def test_that_a_tiny_block_beside_a_large_one_keeps_its_error() -> None:
    pattern = np.linspace(-1, 0.9, 64, dtype=np.float32)
    both = np.stack([pattern, pattern * np.float32(1e-30), pattern * np.float32(1e30)])
    for name in FORMATS:
        relative = errors(both, name).squares / np.array([1.0, 1e-60, 1e60])
        assert relative == pytest.approx(np.full(3, relative[0]), rel=1e-3), name
