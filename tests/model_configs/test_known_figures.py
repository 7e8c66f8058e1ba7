"""Bytes per token of public models, each derived from its published sizes."""

from __future__ import annotations

import pytest

from core.model_configs import (
    CacheSetting,
    allocated_bytes,
    bytes_per_token,
    growth_per_token,
    needed_bytes,
    preset,
    state_bytes,
)

BF16 = 2


@pytest.mark.parametrize(
    ("preset_id", "derived"),
    [
        ("llama-2-7b", 32 * 2 * 32 * 128 * BF16),
        ("llama-2-70b", 80 * 2 * 8 * 128 * BF16),
        ("llama-3.1-8b", 32 * 2 * 8 * 128 * BF16),
        ("llama-3.1-405b", 126 * 2 * 8 * 128 * BF16),
        ("mistral-7b-v0.1", 32 * 2 * 8 * 128 * BF16),
        ("qwen2.5-7b", 28 * 2 * 4 * 128 * BF16),
        ("qwen3-30b-a3b", 48 * 2 * 4 * 128 * BF16),  # head_dim is given: 2048 / 32 would be 64
        ("gemma-3-27b", 62 * 2 * 16 * 128 * BF16),  # head_dim is given: 5376 / 32 would be 168
        ("falcon-7b", 32 * 2 * 1 * 64 * BF16),
        ("falcon-40b", 60 * 2 * 8 * 64 * BF16),
        ("chatglm2-6b", 28 * 2 * 2 * 128 * BF16),
        ("glm-4-9b", 40 * 2 * 2 * 128 * BF16),
        ("deepseek-v2-lite", 27 * (512 + 64) * BF16),
        ("deepseek-v3", 61 * (512 + 64) * BF16),
        ("gpt-oss-120b", 36 * 2 * 8 * 64 * BF16),
        ("phi-3-mini-4k", 32 * 2 * 32 * 96 * BF16),
        ("phi-4", 40 * 2 * 10 * 128 * BF16),
        ("starcoder", 40 * 2 * 1 * 128 * BF16),
        ("jamba-1.5-mini", 4 * 2 * 8 * 128 * BF16),
        ("nemotron-h-8b", 4 * 2 * 8 * 128 * BF16),
        ("llama-4-scout", 48 * 2 * 8 * 128 * BF16),
        ("qwen3-next-80b-a3b", 12 * 2 * 2 * 256 * BF16),
    ],
)
def test_that_the_cache_of_one_token_has_the_derived_size(preset_id: str, derived: int) -> None:
    assert bytes_per_token(preset(preset_id)) == derived


def test_that_the_known_figures_are_hit() -> None:
    assert bytes_per_token(preset("deepseek-v3")) == 70_272
    assert bytes_per_token(preset("gpt-oss-120b")) == 73_728
    assert bytes_per_token(preset("llama-3.1-8b")) == 131_072
    assert bytes_per_token(preset("llama-2-7b")) == 524_288


def test_that_gpt_oss_needs_less_per_token_as_the_context_exceeds_its_windows() -> None:
    facts, window = preset("gpt-oss-120b"), 128
    layer = 2 * 8 * 64 * BF16
    assert needed_bytes(facts, CacheSetting(window)) == window * 73_728
    for context in (window + 1, 4096, 131_072):
        assert needed_bytes(facts, CacheSetting(context)) == 18 * layer * (context + window)
    assert growth_per_token(facts) == 18 * layer == 36_864


def test_that_sliding_layers_kept_whole_cost_what_full_layers_cost() -> None:
    facts = preset("gpt-oss-120b")
    whole = allocated_bytes(facts, CacheSetting(131_072, keep_sliding_whole=True))
    assert whole == 131_072 * 73_728
    windows = allocated_bytes(facts, CacheSetting(131_072))
    assert windows == 36_864 * (131_072 + 9 * 16)  # 127 tokens before the newest touch 8 pages, and one more


def test_that_gemma_counts_its_sliding_layers_apart() -> None:
    facts = preset("gemma-3-27b")
    assert facts.kinds == {"sliding": 52, "full": 10}
    layer = 2 * 16 * 128 * BF16
    assert needed_bytes(facts, CacheSetting(131_072)) == layer * (10 * 131_072 + 52 * 1024)


def test_that_llama_4_scout_needs_no_more_than_a_chunk_in_three_of_four_layers() -> None:
    facts = preset("llama-4-scout")
    assert facts.kinds == {"chunked": 36, "full": 12}
    layer = 2 * 8 * 128 * BF16
    assert needed_bytes(facts, CacheSetting(1 << 20)) == layer * (12 * (1 << 20) + 36 * 8192)
    assert allocated_bytes(facts, CacheSetting(1 << 20)) == needed_bytes(facts, CacheSetting(1 << 20))


def test_that_a_hybrid_keeps_states_beside_the_cache_of_its_attention_layers() -> None:
    facts = preset("nemotron-h-8b")
    convolution, recurrent = (128 * 64 + 2 * 8 * 128) * (4 - 1), 128 * 64 * 128
    assert state_bytes(facts) == 24 * (convolution + recurrent) * BF16 == 51_806_208
    assert needed_bytes(facts, CacheSetting(8192)) == 8192 * 16_384 + 51_806_208
