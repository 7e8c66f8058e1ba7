"""Levels, scales and errors against a float64 search through all levels, and against bitsandbytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.checkpoint import coding
from kernels.quantization.formats import FORMATS, FormatId

CODEBOOKS = [name for name, format_ in FORMATS.items() if not format_.affine]
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


def errors(blocks: np.ndarray, name: FormatId) -> coding.BlockErrors:
    if FORMATS[name].affine:
        return coding.affine_errors(blocks)
    absmax = coding.absmax_of(blocks)
    return coding.codebook_errors(coding.shares_of(blocks, absmax), absmax, name)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(blocks=finite)
def test_that_no_level_is_nearer_than_the_one_taken(name: FormatId, blocks: np.ndarray) -> None:
    expected, found = oracle(blocks, name), errors(blocks, name)
    # One rounding of float32 in the share, one in the difference: relative to the block's largest magnitude.
    rounding = 4 * np.finfo(np.float32).eps * np.maximum(abs(blocks).max(1), np.finfo(np.float32).tiny).astype(float)
    assert abs(found.largest - expected.max()) <= rounding.max()
    exact = (expected**2).sum(1)
    assert (abs(np.sqrt(found.squares) - np.sqrt(exact)) <= 8 * rounding).all()


@pytest.mark.parametrize("name", CODEBOOKS)
def test_that_every_level_and_every_boundary_is_found(name: FormatId) -> None:
    format_ = FORMATS[name]
    levels = format_.levels.astype(np.float32)
    assert np.array_equal(coding.coder(name).nearest(levels[None], coding.Scratch())[0], levels)
    for nudge, expected in ((-1e-6, levels[:-1]), (1e-6, levels[1:])):
        beside = (format_.boundaries + nudge).astype(np.float32)
        assert coding.coder(name).nearest(beside[None], coding.Scratch())[0] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("name", "theirs"), [(FormatId.NF4, "nf4"), (FormatId.FP4_E2M1, "fp4")])
@pytest.mark.parametrize("block", [64, 128, 1024])
@pytest.mark.parametrize("nested", [False, True])
def test_that_errors_are_those_of_bitsandbytes(name: FormatId, theirs: str, block: int, nested: bool) -> None:
    functional = pytest.importorskip("bitsandbytes.functional")
    weights = torch.from_numpy(np.random.default_rng(0).standard_t(4, 64 * 1024).astype(np.float32))
    packed, state = functional.quantize_4bit(weights, None, None, block, nested, theirs)
    expected = functional.dequantize_4bit(packed, state).double().sub(weights.double()).view(-1, block)
    blocks = weights.numpy().reshape(-1, block)
    absmax = coding.absmax_of(blocks)
    ratio = coding.restored_scales(absmax, 256) / absmax if nested else None
    found = coding.codebook_errors(coding.shares_of(blocks, absmax), absmax, name, ratio)
    # Their tables hold FP4's levels to four decimals, which moves a restored weight by 3e-5 of absmax.
    tolerance = 1e-4 if theirs == "fp4" else 1e-6
    agreeing = np.isclose(found.squares, expected.square().sum(1).numpy(), rtol=20 * tolerance, atol=1e-7).mean()
    assert agreeing == 1 if not nested else agreeing > 0.98, "one scale in some hundred gets a neighbouring code"
    largest = float(expected.abs().max())
    assert found.largest == pytest.approx(largest, rel=0.03 if nested else 10 * tolerance)


@pytest.mark.parametrize("count", [1, 63, 256, 4096])
def test_that_nested_scales_are_those_of_bitsandbytes(count: int) -> None:
    functional = pytest.importorskip("bitsandbytes.functional")
    absmax = np.random.default_rng(1).gamma(9, 0.01, count).astype(np.float32)
    tensor = torch.from_numpy(absmax)
    codes, state = functional.quantize_blockwise(tensor - tensor.mean(), blocksize=256)
    expected = functional.dequantize_blockwise(codes, state) + tensor.mean()
    ours, restored = coding.quantized_scales(absmax, 256)
    # At boundaries its CPU build takes the neighbouring code for two scales in a thousand; and where all are equal,
    # any code, as nothing is left of them but the mean.
    same = ours == codes.numpy() if count > 1 else np.ones(1, dtype=bool)
    assert same.mean() >= 0.995
    assert (abs(ours.astype(int) - codes.numpy())[~same] == 1).all()
    assert restored[same] == pytest.approx(expected.numpy()[same], abs=1e-7)


def test_that_blocks_of_zeros_stay_zeros() -> None:
    blocks = np.zeros((2, 16), dtype=np.float32)
    for name in FORMATS:
        assert errors(blocks, name).largest == 0


def test_that_large_and_tiny_values_neither_overflow_nor_vanish() -> None:
    pattern = np.linspace(-1, 0.9, 64, dtype=np.float32)[None]
    for scale in (1e-37, 1.0, 3e38):
        for name in FORMATS:
            found = errors(pattern * np.float32(scale), name)
            assert found.squares[0] / scale**2 == pytest.approx(errors(pattern, name).squares[0], rel=1e-3), name
