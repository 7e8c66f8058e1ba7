"""Prefill and decode on the roofline: which side of the ridge each kind of work is on, and what a batch changes."""

from __future__ import annotations

import numpy as np
import pytest

from core.hardware.gpus import gpu as find_gpu
from core.model_configs import AttentionFacts, CacheSetting, Deployment, preset
from core.topics.attention_heads.decode_step import bound, causal_pairs, linear_work, step
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.plan import plan
from core.topics.attention_heads.roofline_points import RooflinePoint


def point(params: AttentionHeadsParams, phase: str, part: str, batch: int) -> RooflinePoint:
    (found,) = (p for p in plan(params).points if (p.phase, p.part, p.batch) == (phase, part, batch))
    return found


@pytest.mark.parametrize("model", ["llama-3.1-8b", "gpt2", "gpt-oss-20b", "jamba-1.5-mini"])
@pytest.mark.parametrize("batch", [2, 256])
def test_that_a_batch_moves_linear_layers_to_the_right_and_leaves_attention_where_it_is(model: str, batch: int) -> None:
    params = AttentionHeadsParams(model=model, batch=batch)
    alone, together = (point(params, "decode", "attention", size) for size in (1, batch))
    assert together.work.intensity == pytest.approx(alone.work.intensity)
    assert together.roof.bound == "memory"
    alone, together = (point(params, "decode", "linear", size) for size in (1, batch))
    assert together.work.intensity > alone.work.intensity


def test_that_prefill_is_compute_bound_where_decode_is_bandwidth_bound() -> None:
    params = AttentionHeadsParams()
    for part in ("attention", "linear"):
        assert point(params, "prefill", part, 1).roof.bound == "compute"
        assert point(params, "decode", part, 1).roof.bound == "memory"


def test_that_attention_has_the_peak_of_bf16_whatever_the_weights_are_stored_in() -> None:
    params = AttentionHeadsParams(weight_dtype="fp8")
    gpu = plan(params).gpu
    assert point(params, "decode", "attention", 1).roof.peak_flops_per_s == gpu.tflops["bf16"] * 1e12
    assert point(params, "decode", "linear", 1).roof.peak_flops_per_s == gpu.tflops["fp8"] * 1e12


@pytest.mark.parametrize(
    ("model", "bytes_per_gpu_and_token"),
    [("deepseek-v3", 61 * 576 * 2), ("chatglm2-6b", 28 * 512), ("llama-3.1-8b", 32 * 512)],
)
def test_that_each_of_eight_gpus_reads_its_own_copy_of_what_is_replicated(
    model: str, bytes_per_gpu_and_token: int
) -> None:
    """MLA's vectors whole; one of 2 KV heads; one of 8 KV heads, where nothing is replicated."""
    facts, gpu, context = preset(model), find_gpu("h100-sxm"), 1 << 18
    found = step(facts, Deployment(gpu, CacheSetting(context, tensor_parallel=8))).seconds
    weights = bound(linear_work(facts, 1, "bf16"), gpu, "bf16").time_ms * 1e-3 / 8
    assert found == pytest.approx(context * bytes_per_gpu_and_token / gpu.hbm_bytes_per_s + weights, rel=1e-12)


@pytest.mark.parametrize("tokens", [1, 5, 8, 9, 16, 29])
@pytest.mark.parametrize("reach", [{}, {"window": 8}, {"chunk": 8}])
def test_that_the_pairs_of_a_prompt_are_those_that_its_mask_shows(tokens: int, reach: dict[str, int]) -> None:
    query, key = np.arange(tokens)[:, None], np.arange(tokens)[None, :]
    visible = key <= query
    if "window" in reach:
        visible &= key > query - reach["window"]
    if "chunk" in reach:
        visible &= key // reach["chunk"] == query // reach["chunk"]
    assert causal_pairs(AttentionFacts(4, 4, 16, 16, **reach), tokens) == visible.sum()
