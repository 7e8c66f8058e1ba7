"""What an engine allocates, and what fits on a GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.hardware.gpus import gpu
from core.model_configs import (
    CACHE_DTYPES,
    WEIGHT_DTYPES,
    CacheSetting,
    Deployment,
    allocated_bytes,
    allocated_bytes_per_gpu,
    bytes_per_token,
    fitting_curve,
    largest_batch,
    longest_context,
    memory_use,
    needed_bytes,
    parameters,
    preset,
    preset_ids,
    tensor_parallel_problem,
)
from core.model_configs.cache import vector_bytes
from core.model_configs.memory import weight_bytes_per_gpu

settings_of_caches = st.builds(
    CacheSetting,
    context=st.integers(1, 300_000),
    batch=st.integers(1, 64),
    dtype=st.sampled_from(CACHE_DTYPES),
    group=st.sampled_from([32, 64, 128]),
    tensor_parallel=st.integers(1, 64),
    page_size=st.sampled_from([1, 16, 32, 256]),
    keep_sliding_whole=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(preset_ids()), settings_of_caches)
def test_that_an_engine_never_allocates_less_than_attention_needs(preset_id: str, setting: CacheSetting) -> None:
    facts = preset(preset_id)
    needed, allocated = needed_bytes(facts, setting), allocated_bytes(facts, setting)
    assert needed <= allocated
    assert allocated == setting.tensor_parallel * allocated_bytes_per_gpu(facts, setting)
    assert allocated_bytes(facts, replace(setting, keep_sliding_whole=True)) >= allocated
    assert needed_bytes(facts, replace(setting, context=setting.context + 1)) >= needed
    assert needed_bytes(facts, replace(setting, batch=2 * setting.batch)) == 2 * needed


def test_that_only_whole_pages_are_allocated() -> None:
    facts = preset("llama-3.1-8b")
    assert allocated_bytes(facts, CacheSetting(17, 3)) == 3 * 32 * 131_072
    assert needed_bytes(facts, CacheSetting(17, 3)) == 3 * 17 * 131_072
    assert allocated_bytes(facts, CacheSetting(17, 3, page_size=1)) == needed_bytes(facts, CacheSetting(17, 3))


@pytest.mark.parametrize(("gpus", "copies"), [(1, 1), (2, 1), (8, 1), (16, 2), (64, 8)])
def test_that_kv_heads_are_copied_where_gpus_exceed_them(gpus: int, copies: int) -> None:
    facts, setting = preset("llama-2-70b"), CacheSetting(4096, tensor_parallel=gpus)
    assert allocated_bytes(facts, setting) == copies * needed_bytes(facts, setting)


def test_that_uneven_heads_make_every_gpu_as_large_as_the_fullest() -> None:
    facts = preset("phi-4")
    assert facts.attention is not None
    assert facts.attention.kv_heads == 10
    one, four = CacheSetting(4096), CacheSetting(4096, tensor_parallel=4)
    assert allocated_bytes_per_gpu(facts, four) == allocated_bytes_per_gpu(facts, one) * 3 // 10


def test_that_the_latent_vector_is_on_every_gpu() -> None:
    facts = preset("deepseek-v3")
    one, eight = CacheSetting(4096), CacheSetting(4096, tensor_parallel=8)
    assert allocated_bytes_per_gpu(facts, eight) == allocated_bytes_per_gpu(facts, one) == 4096 * 70_272


def test_that_engines_refuse_heads_that_do_not_divide() -> None:
    assert "71 attention heads" in str(tensor_parallel_problem(preset("falcon-7b"), 2))
    assert "10 KV heads" in str(tensor_parallel_problem(preset("phi-4"), 4))
    assert tensor_parallel_problem(preset("llama-2-70b"), 16) is None
    assert tensor_parallel_problem(preset("deepseek-v3"), 8) is None


@pytest.mark.parametrize(("group", "bits"), [(32, 5.0), (64, 4.5), (128, 4.25)])
def test_that_int4_has_a_scale_and_a_zero_point_per_group(group: int, bits: float) -> None:
    assert vector_bytes(128, "int4", group) * 8 / 128 == bits
    assert vector_bytes(96, "int4", 64) == 48 + 2 * 4  # the second group is half full
    ratio = bytes_per_token(preset("llama-3.1-8b"), "int4", group) / bytes_per_token(preset("llama-3.1-8b"))
    assert ratio == bits / 16
    assert bytes_per_token(preset("llama-3.1-8b"), "fp8") * 2 == bytes_per_token(preset("llama-3.1-8b"), "fp16")


@pytest.mark.parametrize("change", [{"context": 0}, {"batch": 0}, {"page_size": 0}, {"tensor_parallel": 65}])
def test_that_an_impossible_setting_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(InvalidParams) as caught:
        replace(CacheSetting(10), **change)
    assert caught.value.field in change


def test_that_weights_are_divided_but_for_what_each_gpu_copies() -> None:
    for preset_id in preset_ids():
        facts = preset(preset_id)
        whole = weight_bytes_per_gpu(facts, "bf16")
        assert whole == 2 * parameters(facts).total
        assert whole / 8 <= weight_bytes_per_gpu(facts, "bf16", 8) < whole
    llama, attention = preset("llama-2-70b"), 80 * 2 * 8192 * 1024
    extra = 16 * weight_bytes_per_gpu(llama, "bf16", 16) - weight_bytes_per_gpu(llama, "bf16")
    assert extra == pytest.approx(2 * (attention + 15 * parameters(llama).norms))


def test_that_narrow_weights_are_smaller() -> None:
    sizes = [weight_bytes_per_gpu(preset("llama-3.1-8b"), dtype) for dtype in WEIGHT_DTYPES]
    assert sizes == sorted(sizes, reverse=True)
    counts = parameters(preset("llama-3.1-8b"))
    matrices = counts.attention + counts.mlp
    assert sizes[-1] == pytest.approx(matrices * 4.25 / 8 + 2 * (counts.total - matrices))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(preset_ids()),
    st.sampled_from(["a100-80gb", "h200", "rtx-4090"]),
    st.sampled_from([1, 3, 32]),
    st.sampled_from([1, 8]),
    st.sampled_from(WEIGHT_DTYPES),
)
def test_that_one_more_token_or_sequence_does_not_fit(
    preset_id: str, gpu_id: str, batch: int, gpus: int, weights: str
) -> None:
    facts = preset(preset_id)
    cache = CacheSetting(4096, batch, tensor_parallel=gpus)
    deployment = Deployment(gpu(gpu_id), cache, weights=weights)  # type: ignore[arg-type]

    def fits(**change: int) -> bool:
        return memory_use(facts, replace(deployment, cache=replace(cache, **change))).fits

    context = longest_context(facts, deployment)
    assert context == 0 or fits(context=context)
    assert context >= 1 << 28 or not fits(context=context + 1)
    sequences = largest_batch(facts, deployment)
    assert sequences == 0 or fits(batch=sequences)
    assert sequences >= 1 << 20 or not fits(batch=sequences + 1)


def test_that_a_model_whose_weights_exceed_the_gpu_says_so() -> None:
    deployment = Deployment(gpu("h100-sxm"), CacheSetting(1))
    use = memory_use(preset("llama-3.1-405b"), deployment)
    assert not use.fits
    assert not use.weights_fit
    assert longest_context(preset("llama-3.1-405b"), deployment) == 0
    small = replace(deployment, cache=CacheSetting(1 << 27))
    assert memory_use(preset("llama-3.1-8b"), small).weights_fit
    assert not memory_use(preset("llama-3.1-8b"), small).fits


def test_that_longer_batches_leave_less_context() -> None:
    deployment = Deployment(gpu("a100-80gb"), CacheSetting(1))
    curve = fitting_curve(preset("llama-3.1-8b"), deployment, (1, 2, 4, 8, 16))
    assert list(curve) == sorted(curve, reverse=True)
    total = [batch * context for batch, context in zip((1, 2, 4, 8, 16), curve, strict=True)]
    assert max(total) / min(total) < 1.01
