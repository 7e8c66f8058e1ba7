"""Modelled bytes against a count of the algorithm, step by step."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import plan
from core.topics.flash_attention.tiles import flash_accesses, gain_limit, standard_accesses

SIZES = {"fp32": 4, "fp16": 2, "bf16": 2}

PARAMS = st.builds(
    lambda heads, **values: FlashAttentionParams(heads=heads[0], kv_heads=heads[1], **values),
    heads=st.sampled_from([(1, 1), (2, 1), (4, 2)]),
    seq_len=st.integers(1, 150),
    kv_len=st.integers(0, 150),
    batch=st.integers(1, 2),
    head_dim=st.sampled_from([32, 64]),
    dtype=st.sampled_from(["fp32", "fp16"]),
    causal=st.booleans(),
    block_q=st.sampled_from([16, 64]),
    block_kv=st.sampled_from([16, 32]),
)


def rows_in(tile: int, block: int, length: int) -> int:
    return min(block, length - tile * block)


def count_flash(params: FlashAttentionParams) -> Counter[tuple[str, str]]:
    """Walks the loops of the flash kernel and adds up every load and store, in bytes."""
    size, moved = SIZES[params.dtype], Counter[tuple[str, str]]()
    shift = params.key_len - params.seq_len
    for _ in range(params.batch * params.heads):
        for q_block in range(-(-params.seq_len // params.block_q)):
            rows = rows_in(q_block, params.block_q, params.seq_len)
            moved["Q", "read"] += rows * params.head_dim * size
            last_row = q_block * params.block_q + rows - 1
            keys_end = min(params.key_len, last_row + shift + 1) if params.causal else params.key_len
            for kv_block in range(-(-max(0, keys_end) // params.block_kv)):
                keys = rows_in(kv_block, params.block_kv, params.key_len)
                moved["K", "read"] += keys * params.head_dim * size
                moved["V", "read"] += keys * params.head_dim * size
            moved["O", "written"] += rows * params.head_dim * size
            moved["LSE", "written"] += rows * 4
    return moved


def count_standard(params: FlashAttentionParams) -> Counter[tuple[str, str]]:
    """Walks the three standard kernels, in bytes."""
    size, moved = SIZES[params.dtype], Counter[tuple[str, str]]()
    for _ in range(params.batch * params.heads):
        for q_block in range(-(-params.seq_len // params.block_q)):
            rows = rows_in(q_block, params.block_q, params.seq_len)
            for kv_block in range(-(-params.key_len // params.block_kv)):
                keys = rows_in(kv_block, params.block_kv, params.key_len)
                moved["Q", "read"] += rows * params.head_dim * size
                moved["K", "read"] += keys * params.head_dim * size
                moved["V", "read"] += keys * params.head_dim * size
                for name in ("S", "P"):
                    moved[name, "read"] += rows * keys * size
                    moved[name, "written"] += rows * keys * size
            moved["O", "written"] += rows * params.head_dim * size
    return moved


@settings(max_examples=60)
@given(PARAMS)
def test_that_modelled_bytes_equal_a_walk_through_the_loops(params: FlashAttentionParams) -> None:
    counted = {"flash": count_flash(params), "standard": count_standard(params)}
    for row in plan(params).traffic:
        assert row.read_bytes == counted[row.kernel][row.tensor, "read"]
        assert row.written_bytes == counted[row.kernel][row.tensor, "written"]
        assert row.unique_bytes <= max(row.bytes, 0)


def test_that_flash_moves_no_scores_and_fewer_bytes() -> None:
    planned = plan(FlashAttentionParams())
    moved = {(row.kernel, row.tensor): row.bytes for row in planned.traffic}
    assert moved["flash", "S"] == moved["flash", "P"] == 0
    assert moved["standard", "S"] == 2 * 4 * 1024 * 1024 * 2
    assert planned.hbm_bytes("flash") < planned.hbm_bytes("standard") / 5


@pytest.mark.parametrize("causal", [False, True])
def test_that_the_gain_approaches_its_limit_from_below(causal: bool) -> None:
    gains = []
    for seq_len in (256, 1024, 4096, 16384):
        planned = plan(FlashAttentionParams(seq_len=seq_len, causal=causal))
        gains.append(planned.hbm_bytes("standard") / planned.hbm_bytes("flash"))
    assert gains == sorted(gains)
    assert gains[-1] == pytest.approx(gain_limit(FlashAttentionParams(causal=causal)), rel=0.03)


def test_that_io_curves_follow_theorem_2() -> None:
    assert float(standard_accesses(1024, 64)) == 4 * 1024 * 64 + 4 * 1024**2
    # Doubling N multiplies the accesses of flash by four, doubling M halves them, while K and V dominate.
    base = float(flash_accesses(65536, 64, 65536))
    assert float(flash_accesses(131072, 64, 65536)) / base == pytest.approx(4, rel=0.01)
    assert float(flash_accesses(65536, 64, 131072)) / base == pytest.approx(0.5, rel=0.01)
    # An SRAM that holds everything needs one pass: 4 N d.
    assert float(flash_accesses(1024, 64, 4 * 64 * 1024)) == 4 * 1024 * 64


def test_that_roofline_times_are_the_larger_of_two_bounds() -> None:
    planned = plan(FlashAttentionParams())
    for kernel, roof in planned.roofline.items():
        assert roof.time_ms == pytest.approx(max(roof.flops / 312e12, planned.hbm_bytes(kernel) / 1.555e12) * 1e3)
    assert planned.roofline["standard"].bound == "memory"
    assert planned.gpu.speed_ratio == pytest.approx(12.5, abs=0.1)


def test_that_curves_cover_the_documented_ranges() -> None:
    io = plan(FlashAttentionParams(batch=2)).io
    assert (io.lengths[0], io.lengths[-1]) == pytest.approx((64, 65536))
    assert (io.sram_bytes[0], io.sram_bytes[-1]) == pytest.approx((8192, 1048576))
    assert np.all(np.diff(io.flash_by_sram) <= 0)
