"""Plans and results of flash-attention in the terms of the plots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.topics.flash_attention.model import plan
from core.topics.flash_attention.params import FlashAttentionParams
from gui.charts.impl_rows import implementation_rows
from gui.pages.flash_attention import view_data
from tests.gui.pages.flash_attention.flash_result import FLASH_K_LINE, FLASH_O_LINE, flash_result

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
    made = plan(FlashAttentionParams(seq_len=seq_len, kv_len=kv_len, block_q=block_q, block_kv=block_kv, causal=causal))
    grid = view_data.tile_grid(made, view_data.schedule_of(made, None))
    assert np.array_equal(grid.order >= 0, made.tiles > 0)
    assert grid.steps == np.count_nonzero(made.tiles)


def test_that_the_traced_order_takes_the_place_of_the_plan_s() -> None:
    made, result = plan(SMALL), flash_result(SMALL)
    assert np.array_equal(view_data.schedule_of(made, result), result.arrays["schedule"][:, 1:])
    assert view_data.schedule_of(made, None) is made.schedule


def test_that_traced_and_modelled_rows_agree_where_they_should() -> None:
    result = flash_result(SMALL)
    for row in (0, 31, 199):
        traced, modelled = view_data.traced_row(result, row), view_data.modelled_row(SMALL, row)
        assert traced is not None
        assert traced.iterations == modelled.iterations
        seen = slice(0, modelled.iterations)
        np.testing.assert_allclose(traced.maximum[seen], modelled.maximum[seen], rtol=1e-5)
        assert traced.accumulator is not None
        np.testing.assert_allclose(traced.accumulator[seen], modelled.accumulator, rtol=1e-4, atol=1e-5)


def test_that_the_norm_is_taken_where_the_accumulator_was_too_big() -> None:
    row = view_data.traced_row(flash_result(SMALL, accumulator=False), 5)
    assert row is not None
    assert row.accumulator is None
    assert row.norm is not None


def test_that_a_row_that_sees_no_key_has_no_iterations() -> None:
    params = FlashAttentionParams(seq_len=128, kv_len=32, block_q=32, block_kv=32)
    assert view_data.modelled_row(params, 3).iterations == 0
    assert view_data.modelled_row(params, 127).iterations == 1


def test_that_stores_hold_every_piece_with_its_limit() -> None:
    made = plan(SMALL)
    shared, registers = view_data.stores(made, ("K", "V"))
    assert (shared.capacity_bytes, registers.capacity_bytes) == (
        made.sram.shared_limit_bytes,
        made.sram.register_limit_bytes,
    )
    assert shared.used_bytes + registers.used_bytes == sum(piece.bytes for piece in made.sram.pieces)
    assert [piece.name for piece in shared.residents if piece.fresh] == ["K", "V"]
    assert registers.residents[0].detail == "32 × 64 fp32"


def test_that_functions_of_a_kernel_are_added_up() -> None:
    result = flash_result(SMALL)
    twice = [row for row in result.tables["traffic"] for _ in range(2)]
    doubled = view_data.traced_traffic(type(result)(**{**vars(result), "tables": {"traffic": twice}}))
    for once, both in zip(view_data.traced_traffic(result), doubled, strict=True):
        assert (both.read_bytes, both.written_bytes) == (2 * once.read_bytes, 2 * once.written_bytes)


def test_that_maps_come_with_their_bands_and_extents() -> None:
    (standard, first), (flash, second) = view_data.rasters(flash_result(SMALL))
    assert (standard, flash) == ("standard", "flash")
    assert [band.tensor for band in first.bands] == ["Q", "K", "V", "S", "P", "O"]
    assert second.bands[-1].last_byte + 1 == second.total_bytes
    assert second.programs == plan(SMALL).tiles.shape[0]


def test_that_emulated_runs_lose_their_times() -> None:
    rows = {row.name: row for row in implementation_rows(view_data.implementations(flash_result(SMALL))).rows}
    time, _ = rows["Triton, flash"].cells
    assert time.bars == ()
    assert time.samples == ()
    assert rows["SDPA, math"].cells[0].bars[0][0].value == pytest.approx(8.3)
    assert rows["SDPA, cuDNN"].note


def test_that_lines_and_tensors_find_each_other() -> None:
    result = flash_result(SMALL)
    assert view_data.load_line(result, "K") == ("flash_fwd", FLASH_K_LINE)
    assert view_data.load_line(result, "O") == ("flash_fwd", FLASH_O_LINE)
    assert view_data.load_line(result, "S") == ("scores_fwd", 21)
    assert view_data.load_line(result, "LSE") == (None, None)
    assert view_data.load_line(None, "K") == (None, None)
    assert view_data.tensor_of_line(result, "flash_fwd", FLASH_K_LINE) == "K"
    assert view_data.tensor_of_line(result, "flash_fwd", 1) is None


def test_that_only_a_gpu_has_a_timeline() -> None:
    assert view_data.launch(flash_result(SMALL)) is None
    launch = view_data.launch(flash_result(SMALL, gpu=True))
    assert launch is not None
    assert launch.programs == 14


def test_that_swept_bytes_of_one_head_are_put_on_the_curves_of_all() -> None:
    made, result = plan(SMALL), flash_result(SMALL)
    assert len(view_data.curves_by_length(made, result)) == 2
    result.tables["sweep"] = [{"seq_len": 128, "key_len": 128, "standard_bytes": 500, "flash_bytes": 100}]  # type: ignore[index]
    *_, standard, flash = view_data.curves_by_length(made, result)
    assert (standard.style, standard.x.tolist(), standard.y.tolist()) == ("marks", [128], [1000])
    assert flash.y.tolist() == [200]


def test_that_traced_tensors_come_in_the_same_order_as_modelled_ones() -> None:
    made, result = plan(SMALL), flash_result(SMALL)
    result.tables["traffic"].reverse()
    traced = {(row.kernel, row.tensor): row for row in view_data.traced_traffic(result)}
    modelled = [(row.kernel, row.tensor) for row in view_data.modelled_traffic(made) if row.kernel == "flash"]
    assert [key for key in traced if key[0] == "flash"] == modelled
