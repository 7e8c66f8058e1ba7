"""The experiment from parameters to result, on the real kernels executed by the TTIR interpreter."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from core.contracts.events import Partial, Progress
from core.contracts.result import Provenance
from core.language_model.model_config import TINY
from core.model_configs import AttentionFacts
from core.topics.attention_heads import TOPIC
from core.topics.attention_heads.experiment import converting
from core.topics.attention_heads.experiment.conversion.texts import small_model_source
from core.topics.attention_heads.experiment.inputs import (
    draw_mha,
    float64_output,
    grouped_problem,
    latent_problem,
)
from core.topics.attention_heads.result import AttentionHeadsResult
from core.topics.attention_heads.schemes import grouped, latent
from kernels.attention.decode import DecodeImpl
from tests.questions.asked import asked_metrics
from tests.same_result import same
from tests.topics.attention_heads_runs import LATENT, LLAMA, SLIDING, Events, finished, messages

pytest.importorskip("triton")

Outcome = tuple[AttentionHeadsResult, Events]

CASES = {
    "grouped": ({}, {}),
    "fp8": ({}, {"cache_dtype": "fp8"}),
    "fp16, sliding": (SLIDING, {"cache_dtype": "fp16"}),
    "latent": (LATENT, {}),
    "KV heads that divide 12 heads unevenly in powers of two": (
        LLAMA | {"num_attention_heads": 12, "num_key_value_heads": 12, "head_dim": 32},
        {"kv_heads": 4},
    ),
}


@pytest.fixture(scope="module", params=CASES)
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[AttentionHeadsResult, Events]:
    config, changes = CASES[request.param]
    return finished(tmp_path_factory.mktemp("run"), config or None, **changes)


def test_that_the_chosen_attention_comes_first_and_every_title_once(outcome: Outcome) -> None:
    keys = [decode.key for decode in outcome[0].decodes]
    assert len(keys) == len(set(keys))
    assert {"MHA", "MQA", "MLA"} <= set(keys)
    assert keys[0] in ("GQA-2", "MLA", "GQA-4")


def test_that_the_kernel_reads_each_byte_of_the_cache_once_and_as_the_formula_says(outcome: Outcome) -> None:
    for decode in outcome[0].decodes:
        assert decode.cache_bytes == decode.formula_bytes == decode.unique_cache_bytes
    rows = [row for row in outcome[0].traffic if row.kernel in {decode.key for decode in outcome[0].decodes}]
    assert sum(row.bytes for row in rows) == sum(decode.bytes for decode in outcome[0].decodes)


def test_that_cache_bytes_are_those_of_the_heads(outcome: Outcome) -> None:
    result = outcome[0]
    element = 1 if result.params.cache_dtype == "fp8" else 2
    for decode in result.decodes:
        if decode.kv_heads is not None:
            widths = (48 + 32) if result.decodes[0].key == "MLA" else 2 * 32
            assert decode.cache_bytes == element * decode.tokens * decode.kv_heads * widths


def test_that_outputs_pass_their_check_against_float64(outcome: Outcome) -> None:
    for decode in outcome[0].decodes:
        assert decode.rms_error is not None
        assert decode.allowed_rms_error is not None
        assert 0 < decode.rms_error <= decode.allowed_rms_error, decode.key


def test_that_shared_heads_change_the_output_and_mha_is_its_own_yardstick(outcome: Outcome) -> None:
    for decode in outcome[0].decodes:
        if decode.key == "MLA":
            assert decode.from_mha is None
        elif decode.key == "MHA":
            assert decode.from_mha == 0
        else:
            assert decode.from_mha is not None
            assert decode.from_mha > 0.1


def test_that_the_emulated_kernel_has_no_time_and_others_are_timed_on_the_cpu(outcome: Outcome) -> None:
    rows = {row.impl: row for row in outcome[0].comparison}
    assert set(rows) == {"triton-split-kv", "sdpa-gqa", "flex", "torch-naive"}
    kernel = rows["triton-split-kv"]
    assert (kernel.runs_on, kernel.passed, kernel.time_ms) == ("emulated", True, None)
    assert rows["torch-naive"].passed
    assert rows["torch-naive"].time_ms is not None
    for row in rows.values():
        assert row.passed or row.reason, row.impl
        if row.time_ms is not None:
            assert outcome[0].metrics[f"{row.impl}.time_ms"].provenance is Provenance.MEASURED_CPU


def test_that_both_forms_of_mla_agree(outcome: Outcome) -> None:
    assert outcome[0].mla is not None
    assert 0 < outcome[0].mla.difference < 1e-12


def test_that_no_claim_surprises(outcome: Outcome) -> None:
    for claim in TOPIC.claims:
        finding = claim.test(outcome[0])
        assert not claim.is_surprised_by(finding), finding.evidence


def test_that_progress_never_goes_back_and_partials_only_grow(outcome: Outcome) -> None:
    result, events = outcome
    done = [event.done / event.total for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert done[-1] <= 1
    partials = [event.result for event in events if isinstance(event, Partial)]
    assert len(partials) > len(result.decodes)
    for earlier, later in pairwise(partials):
        assert earlier.metrics.keys() <= later.metrics.keys()
        assert len(earlier.decodes) <= len(later.decodes)


def test_that_a_result_survives_storing(outcome: Outcome) -> None:
    result = outcome[0]
    assert same(type(result).from_bytes(result.to_bytes()), result)
    assert all(math.isfinite(metric.value) for metric in result.metrics.values())


def test_that_every_documented_kind_of_metric_is_there(outcome: Outcome) -> None:
    result = outcome[0]
    names = {"cache.per_token", "cache.needed", "cache.allocated", "fit.context", "fit.batch", "decode.mha.cache_bytes"}
    names |= {
        "paper.mqa.score",
        "training.mqa_flops_share",
        "gpu.ridge",
        "mla.difference",
        "batch.large.linear_intensity",
    }
    assert names <= result.metrics.keys()
    assert result.metrics["cache.per_token"].provenance is Provenance.MODELLED
    assert result.metrics["decode.mha.cache_bytes"].provenance is Provenance.TRACED
    assert result.metrics["paper.mqa.score"].provenance is Provenance.RECORDED


def test_that_a_sliding_layer_is_traced_over_its_window(tmp_path: Path) -> None:
    result, _ = finished(tmp_path, SLIDING)
    assert {decode.tokens for decode in result.decodes} == {48}
    assert any("48 tokens instead of 100" in text for text in messages(result))


def test_that_sizes_without_a_kernel_become_messages_and_the_rest_goes_on(tmp_path: Path) -> None:
    config = LLAMA | {"head_dim": 40}
    result, _ = finished(tmp_path, config)
    assert not result.decodes
    assert result.prefill is None
    assert result.mla is not None
    assert [text.split(" ")[0] for text in messages(result)] == ["GQA-2", "MHA", "MQA", "MLA", "Prefill"]
    assert all("multiples of 16" in text or "head_dim" in text for text in messages(result))
    for claim in TOPIC.claims:
        assert not claim.is_surprised_by(claim.test(result))


def test_that_int4_is_traced_in_bf16_and_says_so(tmp_path: Path) -> None:
    result, _ = finished(tmp_path, cache_dtype="int4")
    assert result.decodes[0].cache_bytes == 2 * 100 * 2 * 2 * 32
    assert any("int4" in text for text in messages(result))
    assert result.value("cache.per_token") < 2 * 2 * 2 * 32 * 2 / 3


FACTS = AttentionFacts(heads=6, kv_heads=6, head_dim=32, v_head_dim=16)


def silent(done: float, total: float, phase: object) -> None:
    """For work whose progress a test does not look at."""


@pytest.mark.parametrize("dtype", ["bf16", "fp16", "fp8"])
@pytest.mark.parametrize("kv_heads", [6, 3, 1])
def test_that_the_float64_output_is_that_of_the_reference(dtype: str, kv_heads: int) -> None:
    mha = draw_mha(FACTS, 70, dtype, 3, "cpu", silent)
    problem = grouped_problem("x", grouped(FACTS, kv_heads), mha, dtype)
    expected = problem.run(DecodeImpl.REFERENCE).out
    torch.testing.assert_close(float64_output(problem, silent), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["bf16", "fp8"])
def test_that_the_float64_output_of_a_latent_cache_is_that_of_the_reference(dtype: str) -> None:
    problem = latent_problem("MLA", latent(FACTS), 70, dtype, 3, "cpu")
    expected = problem.run(DecodeImpl.REFERENCE).out
    torch.testing.assert_close(float64_output(problem, silent), expected, rtol=1e-10, atol=1e-12)


def test_that_shared_heads_are_means_of_neighbours_and_queries_stay() -> None:
    mha = draw_mha(FACTS, 10, "bf16", 3, "cpu", silent)
    problem = grouped_problem("GQA-3", grouped(FACTS, 3), mha, "bf16")
    assert problem.q is mha.q
    for kv_head in range(3):
        expected = mha.k[0, 2 * kv_head : 2 * kv_head + 2].float().mean(dim=0).bfloat16()
        torch.testing.assert_close(problem.k[0, kv_head], expected, rtol=0, atol=0)
    assert not torch.equal(mha.k[0, 0], mha.k[0, 1])


def test_that_the_seed_alone_determines_the_heads() -> None:
    one, again, other = (draw_mha(FACTS, 10, "bf16", seed, "cpu", silent) for seed in (3, 3, 4))
    assert torch.equal(one.k, again.k)
    assert not torch.equal(one.k, other.k)


def test_that_a_run_converts_a_model_and_its_study_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting, "small_model_source", lambda progress: small_model_source(progress, TINY))
    result, events = finished(tmp_path, config="", model="gpt2", traced_context=16, tuning_steps=2)
    studies = [event.result.study for event in events if isinstance(event, Partial) and event.result.study]
    assert [len(study.results) for study in studies] == list(range(len(studies)))
    assert result.study is not None
    assert result.study.results
    for converted in result.study.results:
        name = f"conversion.{converted.kv_heads}.{converted.grouping.value}"
        assert result.value(f"{name}.loss_tuned") == pytest.approx(converted.loss_tuned)
    finding = next(claim for claim in TOPIC.claims if claim.id == "outputs-equal-mha").test(result)
    assert "held-out text" in str(finding.evidence)


def test_that_deepseek_v3_has_the_known_cache_with_mla_and_with_gqa(tmp_path: Path) -> None:
    result, _ = finished(tmp_path, traced_context=16)
    # 61 layers of (512 + 64) elements, or of 8 heads of (192 + 128), in bf16.
    assert result.value("deepseek-v3.mla.cache_per_token") == 61 * 576 * 2 == 70_272
    assert result.value("deepseek-v3.gqa-8.cache_per_token") == 61 * 8 * 320 * 2 == 312_320


def test_that_a_run_has_the_metrics_that_questions_guess(outcome: Outcome) -> None:
    assert asked_metrics("attention-heads") <= outcome[0].metrics.keys()
