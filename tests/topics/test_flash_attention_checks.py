"""Runs that cannot be are refused before they start, with a reason and advice."""

from __future__ import annotations

import pytest

from core.contracts.errors import InvalidParams
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import check, plan


def objection(params: FlashAttentionParams, available_bytes: int | None = None) -> InvalidParams:
    with pytest.raises(InvalidParams) as caught:
        check(params, available_bytes)
    sentence = caught.value.sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return caught.value


def test_that_the_defaults_can_run() -> None:
    check(FlashAttentionParams(), available_bytes=4 << 30)


def test_that_tiles_larger_than_the_sram_are_refused_and_shown_by_the_plan() -> None:
    params = FlashAttentionParams(block_q=128, block_kv=128, head_dim=128, dtype="fp32")
    error = objection(params)
    assert error.field == "block_q"
    assert "192 KiB of shared memory" in error.sentence
    assert "163 KiB per block: lower block_q" in error.sentence
    assert not plan(params).fits
    assert str(plan(params).sram.objection) == error.sentence
    assert plan(params.changed(dtype="fp16")).fits


def test_that_a_sequence_too_long_for_the_memory_is_refused() -> None:
    error = objection(FlashAttentionParams(seq_len=32768), available_bytes=16 << 30)
    assert error.field == "seq_len"
    assert "of memory" in error.sentence
    assert "Lower seq_len from 32768: half the value needs a quarter as much" in error.sentence


def test_that_an_emulation_of_hours_is_refused_with_its_seconds() -> None:
    error = objection(FlashAttentionParams(seq_len=65536, heads=16, kv_heads=16), available_bytes=1 << 50)
    assert "would take about" in error.sentence
    assert "on a CPU" in error.sentence


def test_that_many_short_sequences_blame_the_batch() -> None:
    assert objection(FlashAttentionParams(batch=256), available_bytes=1 << 30).field == "batch"
