"""Prefill and decode on the roofline: which side of the ridge each kind of work is on, and what a batch changes."""

from __future__ import annotations

import pytest

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
