"""Scales, codes and restored weights against bitsandbytes' CPU build, to the last bit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.checkpoint import coding
from core.checkpoint.measuring import Quantization, measure_piece, piece_of
from kernels.quantization.formats import FormatId

THEIR_NAMES = {FormatId.NF4: "nf4", FormatId.FP4_E2M1: "fp4"}
BOTH = pytest.mark.parametrize("name", THEIR_NAMES)
DTYPES = {torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}
LARGEST = {dtype: torch.finfo(dtype).max for dtype in DTYPES}


@cache
def functional() -> Any:
    """Imported by the first test: it takes seconds, and every process of pytest reads all test files."""
    return pytest.importorskip("bitsandbytes.functional")


def stored(weights: torch.Tensor) -> np.ndarray[Any, Any]:
    """As a file gives them: bfloat16 as its bits."""
    if weights.dtype == torch.bfloat16:
        return weights.view(torch.int16).numpy().view(np.uint16)
    return weights.numpy()


def assert_same(weights: torch.Tensor, name: FormatId, block: int) -> None:
    """Scales bit by bit, codes by the levels that they stand for (their FP4 has two codes for zero), and what is
    restored, in float32."""
    packed, state = functional().quantize_4bit(weights, None, None, block, False, THEIR_NAMES[name])
    codes = torch.stack([packed >> 4, packed & 15], -1).flatten()[: weights.numel()]
    values = stored(weights)
    whole = len(values) - len(values) % block
    pieces = [piece_of(part, block) for part in (values[:whole], values[whole:]) if len(part)]
    absmax = np.concatenate([piece.absmax for piece in pieces])
    assert np.array_equal(absmax.view(np.uint32), state.absmax.numpy().view(np.uint32))
    levels = np.concatenate([levels_taken(piece, name, block) for piece in pieces])
    assert np.array_equal(levels, state.code[codes.int()].numpy())
    theirs = state.code[codes.int()] * state.absmax.repeat_interleave(block)[: weights.numel()]
    assert np.array_equal(coding.restored_weights(weights.float().numpy(), name, block, 0), theirs.numpy())


def levels_taken(piece: Any, name: FormatId, block: int) -> np.ndarray[Any, Any]:
    shares = coding.normalize(piece.blocks, piece.absmax, tail=piece.blocks.shape[1] < block)
    cells = coding.find_cells(shares, np.empty(shares.shape, dtype=np.intp), np.empty_like(shares))
    return coding.coder(name).nearest(shares, cells, np.empty_like(shares)).ravel()


def drawn(data: st.DataObject, dtype: torch.dtype) -> torch.Tensor:
    """Any finite values, small and large together or all of one size."""
    bound = float(LARGEST[dtype])
    elements = st.one_of(
        st.floats(-bound, bound, width=32),
        st.floats(-1, 1, width=32),
        st.floats(-(2.0**-125), 2.0**-125, width=32),
        st.sampled_from([0.0, -0.0, 1.0, -1.0, bound, -bound, 1e-38, 1e-45]),
    )
    values = data.draw(hnp.arrays(np.float32, st.integers(1, 150), elements=elements, fill=elements))
    return torch.from_numpy(values).clamp(-bound, bound).to(dtype)


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_that_any_finite_values_are_coded_alike(name: FormatId, dtype: torch.dtype, data: st.DataObject) -> None:
    assert_same(drawn(data, dtype), name, data.draw(st.sampled_from([32, 64])))


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block", [32, 64, 256, 4096])
@pytest.mark.parametrize("kind", ["normal", "heavy-tailed", "tiny", "huge", "rows of all sizes"])
def test_that_many_values_are_coded_alike(name: FormatId, dtype: torch.dtype, block: int, kind: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal(20_000)
    if kind == "heavy-tailed":
        values = rng.standard_cauchy(20_000)
    elif kind == "tiny":
        values *= 1e-39
    elif kind == "huge":
        values *= float(LARGEST[dtype]) / 6
    elif kind == "rows of all sizes":
        values *= np.repeat(10.0 ** rng.uniform(-45, 37, 20_000 // 32), 32)
    largest = float(LARGEST[dtype])
    assert_same(torch.from_numpy(values.clip(-largest, largest).astype(np.float32)).to(dtype), name, block)


@BOTH
@pytest.mark.parametrize("tail", [False, True], ids=["whole blocks", "a tail"])
def test_that_values_beside_every_boundary_are_coded_alike(name: FormatId, tail: bool) -> None:
    rng = np.random.default_rng(1)
    scales = np.concatenate([[1.0, 0.75, 1e-37, 3e38, 2.0**127, 3.4028235e38], np.exp(rng.normal(0, 20, 500))])
    boundaries = coding.coder(name).boundaries
    for scale in scales.astype(np.float32):
        beside = [boundaries * scale]
        for towards in (-np.inf, np.inf):
            near = beside[0]
            for _ in range(2):
                near = np.nextafter(near, np.float32(towards))
                beside.append(near)
        values = np.concatenate([[scale], *beside, [np.float32(0)] * 4]).astype(np.float32)  # 80 of them
        values = values if tail else np.concatenate([values, values])[:128]
        assert_same(torch.from_numpy(values), name, 128)


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block", [64, 1024, 4096])
def test_that_their_own_dequantization_gives_the_same(name: FormatId, dtype: torch.dtype, block: int) -> None:
    weights = torch.from_numpy(np.random.default_rng(0).standard_t(4, 64 * 1024)).to(dtype)
    packed, state = functional().quantize_4bit(weights, None, None, block, False, THEIR_NAMES[name])
    ours = torch.from_numpy(coding.restored_weights(weights.float().numpy(), name, block, 0))
    theirs = functional().dequantize_4bit(packed, state).flatten()
    assert torch.equal(ours.to(dtype), theirs)
    piece = piece_of(stored(weights), block)
    measured = measure_piece(piece, Quantization((name,), block), len(piece.absmax)).errors[name]
    difference = (weights.float() - ours).double()
    assert measured.error.sum() == pytest.approx(float(difference.square().sum()), rel=1e-6)
    assert measured.max_abs == float(difference.abs().max())


def their_scales(absmax: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Codes and restored scales with the mean rounded from float64, which theirs is but for the order of its sum."""
    offset = torch.tensor(absmax.mean(dtype=np.float64), dtype=torch.float32)
    codes, state = functional().quantize_blockwise(torch.from_numpy(absmax) - offset, blocksize=256)
    return codes.numpy(), (functional().dequantize_blockwise(codes, state) + offset).numpy()


@pytest.mark.parametrize("kind", ["gamma", "heavy-tailed", "one outlier"])
@pytest.mark.parametrize("count", [2, 63, 256, 100_000])
def test_that_scales_are_quantized_alike(kind: str, count: int) -> None:
    rng = np.random.default_rng(1)
    absmax = rng.gamma(9, 0.01, count) if kind != "heavy-tailed" else abs(rng.standard_cauchy(count))
    absmax[0] *= 1000 if kind == "one outlier" else 1
    absmax = absmax.astype(np.float32)
    ours, restored = coding.quantized_scales(absmax, 256)
    codes, theirs = their_scales(absmax)

    assert np.array_equal(ours, codes)
    assert np.array_equal(restored.view(np.uint32), theirs.view(np.uint32))


def test_that_scales_that_are_all_alike_come_back() -> None:
    for value in (0.0, 0.1, 3.4e38):
        absmax = np.full(300, value, dtype=np.float32)
        assert np.array_equal(coding.restored_scales(absmax, 256), absmax)
        assert np.array_equal(their_scales(absmax)[1], absmax)


@BOTH
def test_that_nested_weights_are_theirs_where_the_scales_are(name: FormatId) -> None:
    weights = torch.from_numpy(np.random.default_rng(0).standard_t(4, 64 * 3000).astype(np.float32))
    packed, state = functional().quantize_4bit(weights, None, None, 64, True, THEIR_NAMES[name])
    theirs = functional().dequantize_4bit(packed, state).numpy().reshape(-1, 64)
    ours = coding.restored_weights(weights.numpy(), name, 64, 256).reshape(-1, 64)
    absmax = coding.absmax_of(weights.numpy().reshape(-1, 64))
    alike = coding.quantized_scales(absmax, 256)[0] == state.absmax.numpy()
    assert alike.mean() > 0.999
    # Their mean is a float32 sum, whose order depends on the threads.
    assert abs(ours - theirs)[alike].max() <= 4 * np.spacing(absmax.mean())
