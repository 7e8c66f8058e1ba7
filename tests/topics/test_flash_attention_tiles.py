"""Tile classes, schedule and counts of the plan against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.masks import TileClass
from core.topics.flash_attention import TOPIC
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import plan
from core.topics.flash_attention.tiles import attended_pairs, launch_order, tile_classes
from tests.yardstick import cpu_loops

LENGTHS = st.integers(1, 200)
BLOCKS = st.sampled_from([16, 32, 64, 128])


def attended(query_len: int, key_len: int, causal: bool) -> np.ndarray:
    """The mask by its definition, bool [query_len, key_len]."""
    rows, columns = np.arange(query_len)[:, None], np.arange(key_len)[None, :]
    return (columns <= rows + key_len - query_len) if causal else np.ones((query_len, key_len), dtype=bool)


@given(LENGTHS, LENGTHS, BLOCKS, BLOCKS, st.booleans())
def test_that_tile_classes_equal_a_look_at_every_cell(
    query_len: int, key_len: int, block_q: int, block_kv: int, causal: bool
) -> None:
    mask = attended(query_len, key_len, causal)
    classes = tile_classes(query_len, key_len, block_q, block_kv, causal)

    for q_block, kv_block in np.ndindex(classes.shape):
        cells = mask[q_block * block_q : (q_block + 1) * block_q, kv_block * block_kv : (kv_block + 1) * block_kv]
        whole = cells.sum() == block_q * block_kv
        expected = TileClass.FULL if whole else TileClass.PARTIAL if cells.any() else TileClass.EMPTY
        assert classes[q_block, kv_block] == expected


@given(LENGTHS, LENGTHS, BLOCKS, BLOCKS, st.booleans())
def test_that_the_schedule_visits_every_attended_tile_once_in_key_order(
    query_len: int, key_len: int, block_q: int, block_kv: int, causal: bool
) -> None:
    classes = tile_classes(query_len, key_len, block_q, block_kv, causal)
    schedule = launch_order(classes, causal)

    visited = {(int(q), int(kv)) for q, _, kv in schedule}
    assert len(visited) == len(schedule)
    assert visited == {(int(q), int(kv)) for q, kv in np.argwhere(classes)}
    programs = list(dict.fromkeys(schedule[:, 0].tolist()))
    assert programs == sorted(programs, reverse=causal)
    for q_block in programs:
        steps = schedule[schedule[:, 0] == q_block]
        assert steps[:, 1].tolist() == list(range(len(steps)))
        assert (np.diff(steps[:, 2]) > 0).all()


@pytest.mark.parametrize(("head_dim", "tile_dim"), [(16, 16), (80, 128), (96, 128), (192, 256), (256, 256)])
def test_that_a_padded_head_costs_flops_and_sram_but_no_traffic(head_dim: int, tile_dim: int) -> None:
    padded = plan(FlashAttentionParams(seq_len=256, head_dim=head_dim, block_q=32, block_kv=32))
    whole = plan(FlashAttentionParams(seq_len=256, head_dim=64, block_q=32, block_kv=32))
    assert padded.flops.flash_tiles * 64 == whole.flops.flash_tiles * tile_dim
    assert padded.flops.formula * 64 == whole.flops.formula * head_dim
    for row, other in zip(padded.traffic, whole.traffic, strict=True):
        assert (row.kernel, row.tensor) == (other.kernel, other.tensor)
        if row.tensor in ("Q", "K", "V", "O"):
            assert row.bytes * 64 == other.bytes * head_dim
    shared_columns, accumulator = 32 * 3 * 2, 32 * 4
    assert padded.padding_bytes == (tile_dim - head_dim) * (shared_columns + accumulator)
    texts = [str(remark.text) for remark in TOPIC.remarks(padded.params)]
    assert any(f"Tiles are {tile_dim} wide" in text for text in texts) == (tile_dim != head_dim)


@pytest.mark.parametrize(("queries", "keys", "said"), [(40, 100, "bottom-right"), (100, 40, "60 queries see no key")])
def test_that_lengths_that_differ_are_remarked_on_under_a_causal_mask(queries: int, keys: int, said: str) -> None:
    shape = {"seq_len": queries, "kv_len": keys, "block_q": 16, "block_kv": 16}
    (remark,) = TOPIC.remarks(FlashAttentionParams(**shape))
    assert said in str(remark.text)
    assert TOPIC.remarks(FlashAttentionParams(**shape, causal=False)) == ()
    assert TOPIC.remarks(FlashAttentionParams()) == ()


@given(LENGTHS, LENGTHS, st.booleans())
def test_that_attended_pairs_are_the_cells_of_the_mask(query_len: int, key_len: int, causal: bool) -> None:
    assert attended_pairs(query_len, key_len, causal) == attended(query_len, key_len, causal).sum()


def test_that_flops_by_formula_never_exceed_flops_by_tiles() -> None:
    for params in (
        FlashAttentionParams(),
        FlashAttentionParams(seq_len=1000, kv_len=63, causal=False),
        FlashAttentionParams(seq_len=63, kv_len=1000, heads=8, kv_heads=2),
    ):
        flops = plan(params).flops
        assert flops.formula <= flops.flash_tiles <= flops.standard_tiles
        assert flops.formula <= flops.dense


def test_that_without_a_mask_and_ragged_edges_all_counts_of_flops_agree() -> None:
    flops = plan(FlashAttentionParams(seq_len=512, causal=False)).flops
    assert flops.formula == flops.dense == flops.flash_tiles == flops.standard_tiles == 4 * 512 * 512 * 64 * 4


@pytest.mark.parametrize(("seq_len", "limit_loops"), [(1024, 4), (16384, 12)])
def test_that_a_plan_is_quick_enough_for_a_slider(seq_len: int, limit_loops: float) -> None:
    """About 10 and 30 ms; a plan that visits its 65,536 tiles one by one in Python takes longer."""
    params = FlashAttentionParams(seq_len=seq_len)
    assert plan(params).schedule.size
    assert cpu_loops(lambda: plan(params).schedule) < limit_loops
