"""Plans and results of flash-attention in the form that the pictures take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.masks import TileClass
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import plan
from core.topics.flash_attention.result import FlashAttentionResult
from core.trace.kernel_traffic import TensorTraffic
from gui.charts.impl_rows import implementation_rows
from gui.pages.flash_attention import view_data
from tests.gui.pages.flash_attention.flash_result import FLASH_K_LINE, FLASH_O_LINE, flash_result, old_archive
from tests.same_result import same

SMALL = FlashAttentionParams(seq_len=200, block_q=32, block_kv=64, heads=2, kv_heads=1)


@given(
    st.integers(1, 300),
    st.integers(0, 300),
    st.sampled_from([16, 32, 64, 128]),
    st.sampled_from([16, 32, 64, 128]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_that_a_schedule_loads_every_tile_that_is_not_skipped(
    seq_len: int, kv_len: int, block_q: int, block_kv: int, causal: bool
) -> None:
    planned = plan(
        FlashAttentionParams(seq_len=seq_len, kv_len=kv_len, block_q=block_q, block_kv=block_kv, causal=causal)
    )
    grid = view_data.tile_grid(planned, view_data.schedule_of(planned, None))
    assert np.array_equal(grid.order >= 0, planned.tiles != TileClass.EMPTY)
    assert grid.steps == np.count_nonzero(planned.tiles)


def test_that_the_traced_order_takes_the_place_of_the_plan_s() -> None:
    planned, result = plan(SMALL), flash_result(SMALL)
    assert np.array_equal(view_data.schedule_of(planned, result), result.schedule[:, 1:])
    assert view_data.schedule_of(planned, None) is planned.schedule


def test_that_traced_and_modelled_rows_agree_where_they_should() -> None:
    result = flash_result(SMALL)
    for row in (0, 31, 199):
        traced, modelled = result.softmax.row(row), plan(SMALL).row_softmax(row)
        assert traced is not None
        assert traced.iterations == modelled.iterations
        seen = slice(0, modelled.iterations)
        np.testing.assert_allclose(traced.maximum[seen], modelled.maximum[seen], rtol=1e-5)
        assert traced.accumulator is not None
        np.testing.assert_allclose(traced.accumulator[seen], modelled.accumulator, rtol=1e-4, atol=1e-5)


def test_that_the_norm_is_taken_where_the_accumulator_was_too_big() -> None:
    row = flash_result(SMALL, accumulator=False).softmax.row(5)
    assert row is not None
    assert row.accumulator is None
    assert row.accumulator_norm is not None


def test_that_a_row_that_sees_no_key_has_no_iterations() -> None:
    params = FlashAttentionParams(seq_len=128, kv_len=32, block_q=32, block_kv=32)
    assert plan(params).row_softmax(3).iterations == 0
    assert plan(params).row_softmax(127).iterations == 1


def test_that_functions_of_a_kernel_are_added_up() -> None:
    result = flash_result(SMALL)
    doubled = replace(result, traffic=tuple(row for row in result.traffic for _ in range(2)))
    for once, both in zip(result.traffic_by_tensor, doubled.traffic_by_tensor, strict=True):
        assert (both.read_bytes, both.written_bytes) == (2 * once.read_bytes, 2 * once.written_bytes)
        assert both.unique_bytes == once.unique_bytes


def test_that_emulated_runs_lose_their_times() -> None:
    rows = {row.name: row for row in implementation_rows(flash_result(SMALL).comparison).rows}
    time, _ = rows["Triton flash"].cells
    assert time.bars == ()
    assert time.samples == ()
    assert rows["PyTorch SDPA, math"].cells[0].bars[0][0].value == pytest.approx(8.3)
    assert rows["PyTorch SDPA, cuDNN"].note


def test_that_lines_and_tensors_find_each_other() -> None:
    result = flash_result(SMALL)
    assert result.load_line("K") == ("flash_fwd", FLASH_K_LINE)
    assert result.load_line("O") == ("flash_fwd", FLASH_O_LINE)
    assert result.load_line("S") == ("scores_fwd", 21)
    assert result.load_line("LSE") is None
    assert FlashAttentionResult(params=SMALL).load_line("K") is None
    assert result.tensor_of_line("flash_fwd", FLASH_K_LINE) == "K"
    assert result.tensor_of_line("flash_fwd", 1) is None


def test_that_only_a_gpu_has_a_timeline() -> None:
    assert flash_result(SMALL).timeline is None
    timeline = flash_result(SMALL, gpu=True).timeline
    assert timeline is not None
    assert timeline.programs == 14


def test_that_swept_bytes_of_one_head_are_put_on_the_curves_of_all() -> None:
    planned, result = plan(SMALL), flash_result(SMALL)
    assert len(view_data.curves_by_length(planned, None)) == 2
    assert len(view_data.curves_by_length(planned, replace(result, sweep=()))) == 2
    *_, standard, flash = view_data.curves_by_length(planned, result)
    assert (standard.style, standard.x.tolist(), standard.y.tolist()) == ("marks", [128], [1000])
    assert flash.y.tolist() == [200]


def test_that_traced_tensors_come_in_the_same_order_as_modelled_ones() -> None:
    planned, result = plan(SMALL), flash_result(SMALL)
    odd = TensorTraffic("flash", "f", "unknown", 1, 0, 1)
    reversed_rows = replace(result, traffic=(odd, *result.traffic[::-1])).traffic_by_tensor
    traced = [(row.kernel, row.tensor) for row in reversed_rows]
    assert traced == [*((row.kernel, row.tensor) for row in planned.traffic), ("flash", "unknown")]


def test_that_a_run_of_an_older_version_opens_without_its_accesses() -> None:
    kept = flash_result(SMALL, gpu=True)
    opened = FlashAttentionResult.from_bytes(old_archive(kept))
    for name in ("params", "metrics", "traffic", "lines", "comparison", "sweep"):
        assert getattr(opened, name) == getattr(kept, name), name
    for name in ("schedule", "softmax", "timeline"):
        before, after = getattr(kept, name), getattr(opened, name)
        assert type(before) is type(after), name
        assert same(before, after), name
    assert opened.traces == {}
    (figure,), (term,) = opened.paper, opened.paper_terms
    assert (figure.kernel, figure.quantity, figure.headline) == ("flash", "HBM", True)
    assert figure.deviation_percent == pytest.approx(0.227, abs=1e-3)
    assert term.amount == 134217728
    small = FlashAttentionResult.from_bytes(old_archive(flash_result(SMALL, accumulator=False)))
    assert small.softmax.accumulator is None
    assert small.softmax.accumulator_norm is not None
