"""The plan against numbers derived by hand, on public configurations with their traps, and on bad input."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.commands.run import as_document
from core.contracts.errors import InvalidParams
from core.hardware.gpus import GPU_IDS
from core.model_configs import CACHE_DTYPES, WEIGHT_DTYPES, preset_ids
from core.topics.attention_heads import TOPIC
from core.topics.attention_heads.experiment.metrics import modelled_metrics
from core.topics.attention_heads.params import PAGE_SIZES, TENSOR_PARALLEL, AttentionHeadsParams
from core.topics.attention_heads.plan import check, plan
from core.topics.attention_heads.result import AttentionHeadsResult
from tests.topics.attention_heads_runs import LLAMA

CONFIGS = Path(__file__).resolve().parents[2] / "resources" / "model_configs"
CONTEXT, BATCH = 131_072, 8
PUBLIC = {
    # bytes per token; tokens that one sequence needs in every layer, weighted by bytes; the same in pages of 16
    "llama-3.1-8b": (32 * 8 * 256 * 2, 32 * 8 * 512 * CONTEXT, 32 * 8 * 512 * CONTEXT),
    # head_dim 128 is given; 2048 / 32 would be 64
    "qwen3-30b-a3b": (48 * 4 * 512, 48 * 4 * 512 * CONTEXT, 48 * 4 * 512 * CONTEXT),
    # nested text_config; of 62 layers every sixth is full, the others slide over 1,024 tokens
    "gemma-3-27b": (62 * 16 * 512, 8192 * (10 * CONTEXT + 52 * 1024), 8192 * (10 * CONTEXT + 52 * 65 * 16)),
    # layer_types: 18 full layers and 18 that slide over 128 tokens
    "gpt-oss-120b": (36 * 2048, 2048 * 18 * (CONTEXT + 128), 2048 * 18 * (CONTEXT + 9 * 16)),
    # MLA: 512 latent and 64 rotary elements per layer
    "deepseek-v3": (61 * 576 * 2, 61 * 1152 * CONTEXT, 61 * 1152 * CONTEXT),
    # multi_query: one KV head of 4544 / 71 = 64
    "falcon-7b": (32 * 64 * 4, 32 * 256 * CONTEXT, 32 * 256 * CONTEXT),
    # multi_query_group_num 2, kv_channels 128, num_layers
    "chatglm2-6b": (28 * 2 * 512, 28 * 1024 * CONTEXT, 28 * 1024 * CONTEXT),
    # all layers slide over 4,096 tokens
    "mistral-7b-v0.1": (32 * 8 * 512, 131_072 * 4096, 131_072 * 257 * 16),
    # 12 heads of 64; no grouping
    "gpt2": (12 * 12 * 256, 12 * 12 * 256 * CONTEXT, 12 * 12 * 256 * CONTEXT),
}


def metrics_of(name: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """The metrics of the JSON that the command prints, before anything is traced."""
    params = AttentionHeadsParams.parse(
        {"config": str(CONFIGS / f"{name}.json"), "context": CONTEXT, "batch": BATCH} | changes
    )
    planned = plan(params)
    assert not planned.problem
    return as_document(AttentionHeadsResult(params=params, metrics=modelled_metrics(planned)), [])["metrics"]


@pytest.mark.parametrize("name", PUBLIC)
def test_that_a_public_configuration_gives_the_bytes_derived_by_hand(name: str) -> None:
    per_token, needed, allocated = PUBLIC[name]
    found = metrics_of(name)
    assert found["cache.per_token"]["value"] == per_token
    assert found["cache.needed"]["value"] == BATCH * needed
    assert found["cache.allocated"]["value"] == BATCH * allocated
    assert found["cache.per_token"]["provenance"] == "modelled"


def test_that_a_hybrid_counts_four_attention_layers_and_its_states_once_per_sequence() -> None:
    found = metrics_of("jamba-1.5-mini")
    states = found["cache.states"]["value"]
    assert found["cache.per_token"]["value"] == 4 * 8 * 512
    assert states > 0
    assert found["cache.needed"]["value"] == BATCH * (4 * 8 * 512 * CONTEXT + states)


def test_that_an_engine_without_a_hybrid_cache_keeps_sliding_layers_whole() -> None:
    found = metrics_of("gpt-oss-120b", keep_sliding_whole=True)
    assert found["cache.allocated"]["value"] == BATCH * 73_728 * CONTEXT
    assert found["cache.growth_per_token"]["value"] == 18 * 2048


def test_that_more_gpus_than_kv_heads_replicate_them_and_every_gpu_holds_mla_whole() -> None:
    assert metrics_of("chatglm2-6b", tensor_parallel=8)["cache.allocated"]["value"] == 4 * BATCH * 28_672 * CONTEXT
    assert metrics_of("deepseek-v3", tensor_parallel=8)["cache.allocated"]["value"] == 8 * BATCH * 70_272 * CONTEXT


def test_that_mqa_saves_the_training_flops_of_the_projections() -> None:
    """By hand: 32 layers of width 4096 with 32 heads of 128. At one token, attention is one key per head."""
    found = metrics_of("llama-3.1-8b", context=1)
    layer, head = 2 * 4096 * 4096 + 3 * 4096 * 14336, 128_256 * 4096
    attention = 3 * 2 * 32 * 256 * 32
    mha, mqa = (6 * (32 * (layer + 2 * 4096 * width) + head) + attention for width in (4096, 128))
    assert found["training.mqa_flops_share"]["value"] == pytest.approx(100 * (1 - mqa / mha), rel=1e-12)


def test_that_the_longest_context_fits_and_one_more_page_does_not() -> None:
    longest = int(metrics_of("llama-3.1-8b", batch=1)["fit.context"]["value"])
    fitting, beyond = (
        plan(AttentionHeadsParams(context=context, batch=1)).capacity.use for context in (longest, longest + 16)
    )
    assert fitting.fits
    assert not beyond.fits


BAD_CONFIGS = {
    "no field that tells the heads": ({"model_type": "llama", "hidden_size": 128}, "missing|has no|lacks"),
    "a string for a number": (LLAMA | {"num_hidden_layers": "two"}, "num_hidden_layers"),
    "heads that do not divide": (LLAMA | {"num_key_value_heads": 3}, "3"),
    "a list": ([1, 2], "no JSON object"),
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_that_a_bad_configuration_is_one_sentence_about_it(name: str, tmp_path: Path) -> None:
    contents, words = BAD_CONFIGS[name]
    file = tmp_path / "config.json"
    file.write_text(json.dumps(contents))
    params = AttentionHeadsParams(config=str(file))
    planned = plan(params)
    assert planned.blames == "config"
    assert planned.schemes  # something to see
    with pytest.raises(InvalidParams, match=words) as refused:
        check(params)
    assert str(refused.value).count("\n") == 0


def test_that_a_missing_file_a_folder_without_one_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path / "absent.json", tmp_path, pipe):
        planned = plan(AttentionHeadsParams(config=str(path)))
        assert planned.blames == "config"
        assert str(planned.problem)


def test_that_an_unknown_architecture_says_what_was_assumed(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(LLAMA | {"model_type": "never-heard-of"}))
    planned = plan(AttentionHeadsParams(config=str(file)))
    assert not planned.problem
    assert planned.remarks
    assert planned.cache.per_token == 2 * 2 * 2 * 32 * 2


@pytest.mark.parametrize("kv_heads", [3, 5, 64])
def test_that_kv_heads_that_do_not_divide_the_heads_name_a_near_divisor(kv_heads: int) -> None:
    planned = plan(AttentionHeadsParams(kv_heads=kv_heads))
    assert planned.blames == "kv_heads"
    assert "divisor of 32" in str(planned.problem)


def test_that_a_run_beyond_this_hosts_memory_is_refused_in_one_sentence() -> None:
    with pytest.raises(InvalidParams, match="lower traced_context") as refused:
        check(AttentionHeadsParams(model="llama-3.1-405b", traced_context=1 << 20))
    assert refused.value.field == "traced_context"


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(preset_ids()),
    attention=st.sampled_from(["model", "mha", "gqa", "mqa", "mla"]),
    kv_heads=st.integers(0, 130),
    context=st.integers(1, 1 << 24),
    batch=st.integers(1, 4096),
    cache_dtype=st.sampled_from(CACHE_DTYPES),
    weight_dtype=st.sampled_from(WEIGHT_DTYPES),
    gpu=st.sampled_from(GPU_IDS),
    tensor_parallel=st.sampled_from(TENSOR_PARALLEL),
    page_size=st.sampled_from(PAGE_SIZES),
    keep_sliding_whole=st.booleans(),
)
def test_that_any_parameters_have_a_plan_or_a_problem_of_a_field(**values: Any) -> None:
    planned = plan(AttentionHeadsParams(**values))
    assert planned.schemes
    if planned.problem:
        assert planned.blames in TOPIC.params.model_fields
        return
    assert 0 < planned.cache.needed <= planned.cache.allocated
    assert planned.cache.growth_per_token <= planned.cache.per_token
    low, high = planned.chosen.step.tokens_per_second
    assert 0 < low < high
    mha, mqa = (next(each for each in planned.schemes[1:] if each.title == key) for key in ("MHA", "MQA"))
    assert mqa.cache_bytes_per_token <= planned.chosen.cache_bytes_per_token or planned.attention.latent
    assert mqa.parameters.total <= mha.parameters.total
    assert all(metric.value == metric.value for metric in modelled_metrics(planned).values())


def test_that_absorbed_mla_reads_the_latent_cache_and_rebuilding_takes_more_flops() -> None:
    """DeepSeek-V3 by hand: 128 heads, 512 latent and 64 rotary elements, content and values of 128."""
    context = 4096
    found = {name: metric["value"] for name, metric in metrics_of("deepseek-v3", context=context).items()}
    assert found["mla.absorbed.cache_read_bytes"] == found["mla.rebuilt.cache_read_bytes"] == context * 576 * 2
    assert found["mla.expanded-cache.cache_read_bytes"] == context * 128 * (128 + 64 + 128) * 2
    projections = 1536 * (7168 + 128 * 192) + 7168 * 576 + 7168 * 128 * 128
    up = 128 * 256 * 512
    assert found["mla.absorbed.flops"] == 2 * (projections + up + 128 * context * (2 * 512 + 64))
    assert found["mla.rebuilt.flops"] == 2 * (projections + context * up + 128 * context * 320)


def test_that_what_does_not_fit_is_told_before_what_was_assumed() -> None:
    remarks = [str(text) for text in plan(AttentionHeadsParams(model="gpt-oss-120b", context=1 << 20)).remarks]
    assert "longer than the 131,072" in remarks[0]
    assert "bfloat16 is assumed" in remarks[-1]
