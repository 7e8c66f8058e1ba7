import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.attention.decode_tiling import MAX_SPLITS, choose_decode_tiling, choose_splits

H100_SMS = 132


@given(
    batch=st.integers(1, 300),
    kv_heads=st.sampled_from([1, 2, 4, 8, 32]),
    key_len=st.integers(1, 200_000),
    sm_count=st.integers(1, 300),
    block_kv=st.sampled_from([16, 64, 128]),
)
def test_that_splits_are_no_more_than_tiles_and_fill_the_gpu_where_there_are_enough(
    batch: int, kv_heads: int, key_len: int, sm_count: int, block_kv: int
) -> None:
    splits = choose_splits(batch=batch, kv_heads=kv_heads, key_len=key_len, sm_count=sm_count, block_kv=block_kv)

    tiles = -(-key_len // block_kv)
    assert 1 <= splits <= min(MAX_SPLITS, tiles)
    if tiles >= 2 * sm_count and batch * kv_heads * MAX_SPLITS >= 2 * sm_count:
        waves = batch * kv_heads * splits / (2 * sm_count)
        assert waves >= 0.7


@pytest.mark.parametrize(("batch", "kv_heads", "at_least"), [(1, 1, 100), (1, 8, 25), (32, 1, 6), (32, 8, 1)])
def test_that_fewer_heads_give_more_splits(batch: int, kv_heads: int, at_least: int) -> None:
    splits = choose_splits(batch=batch, kv_heads=kv_heads, key_len=131072, sm_count=H100_SMS, block_kv=64)

    assert splits >= at_least


def test_that_one_split_is_enough_where_the_heads_fill_the_gpu() -> None:
    assert choose_splits(batch=64, kv_heads=8, key_len=131072, sm_count=H100_SMS, block_kv=64) == 1


@pytest.mark.parametrize("target", ["sm_80", "sm_90", "sm_100", "gfx942", None])
@pytest.mark.parametrize("rows", [1, 7, 12, 16, 33, 112, 2048])
def test_that_a_tile_holds_all_rows_where_they_fit(rows: int, target: str | None) -> None:
    tiling = choose_decode_tiling(rows=rows, key_dim=128, value_dim=128, element_bytes=2, v_in_k=False, target=target)

    assert tiling.block_rows >= 16
    if rows <= 64:
        assert tiling.row_tiles(rows) == 1


def test_that_tile_sizes_of_the_caller_are_kept() -> None:
    tiling = choose_decode_tiling(
        rows=100, key_dim=128, value_dim=128, element_bytes=2, v_in_k=False, target="sm_90", block_rows=16, block_kv=32
    )

    assert (tiling.block_rows, tiling.block_kv, tiling.row_tiles(100)) == (16, 32, 7)


def test_that_the_window_can_use_tiling_and_traffic_without_torch() -> None:
    script = (
        "import sys, kernels.attention.decode_tiling, kernels.attention.decode_traffic; "
        "sys.exit('torch' in sys.modules or 'triton' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
