"""Every claim can hold and can fail: the predicates are fed results that say the opposite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.contracts.claims import Claim, Verdict
from core.contracts.result import Environment, Metric, Provenance
from core.topics.attention_heads import TOPIC
from core.topics.attention_heads.experiment.metrics import recorded_metrics
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.result import AttentionHeadsResult, MlaForms, TracedDecode, TracedPrefill

CLAIMS = {claim.id: claim for claim in TOPIC.claims}
HOLDS, LIMIT, FAILS, UNTESTED = (
    Verdict.HOLDS,
    Verdict.HOLDS_WITH_LIMIT,
    Verdict.DOES_NOT_HOLD,
    Verdict.NOT_TESTED,
)
METRICS = {
    "model.heads": 8.0,
    "model.parameters": 900.0,
    "mha.parameters": 1000.0,
    "mha.query_parameters": 64.0,
    "mqa.query_parameters": 64.0,
    "mha.output_parameters": 64.0,
    "mqa.output_parameters": 64.0,
    "mha.key_parameters": 64.0,
    "mqa.key_parameters": 8.0,
    "mha.value_parameters": 64.0,
    "mqa.value_parameters": 8.0,
    "mha.cache_per_token": 512.0,
    "gqa-8.cache_per_token": 128.0,
    "mqa.cache_per_token": 64.0,
    "mla.cache_per_token": 100.0,
    "cache.states": 0.0,
    "gpu.ridge": 295.0,
    "mha.tokens_per_second_high": 100.0,
    "gqa-2.tokens_per_second_high": 130.0,
    "batch.one.attention_intensity": 4.0,
    "batch.large.attention_intensity": 4.0,
    "batch.one.linear_intensity": 1.0,
    "batch.large.linear_intensity": 256.0,
    "training.mqa_flops_share": 11.0,
    "prefill.tile_flops": 1e9,
    "prefill.mha.tile_flops": 1e9,
    "deepseek-v3.mla.cache_per_token": 70272.0,
    "deepseek-v3.gqa-8.cache_per_token": 312320.0,
}


def decode(key: str, kv_heads: int | None, read: int, **changes: Any) -> TracedDecode:
    made = TracedDecode(key, kv_heads, 100, 2, read, read, read, 10, 8 * read, 1e-5, 1e-6, 1e-5, 0.9)
    return replace(made, **changes)


MHA = decode("MHA", 8, 8000, from_mha=0.0, flops=8000)
GQA = decode("GQA-2", 2, 2000, flops=8000)
MQA = decode("MQA", 1, 1000, flops=8000)
FORMS = MlaForms(1e-15, 4, 48)
PREFILL = TracedPrefill("GQA-2", 64, 10, 10, 10**9)


def result(
    *decodes: TracedDecode,
    prefill: TracedPrefill | None = PREFILL,
    forms: MlaForms | None = FORMS,
    **changes: float,
) -> AttentionHeadsResult:
    values = METRICS | {name.replace("__", "."): value for name, value in changes.items()}
    return AttentionHeadsResult(
        params=AttentionHeadsParams(),
        environment=Environment("cpu", "torch"),
        metrics={name: Metric(value, "", Provenance.MODELLED) for name, value in values.items() if value == value},
        decodes=decodes or (GQA, MHA, MQA),
        prefill=prefill,
        mla=forms,
    )


NOTHING = float("nan")
LARGE_LATENT = {"deepseek-v3.mla.cache_per_token": 4e5}


@pytest.mark.parametrize(
    ("claim", "verdict", "found"),
    [
        ("mqa-shares-k-and-v", HOLDS, result()),
        ("mqa-shares-k-and-v", LIMIT, result(mqa__key_parameters=12.0, mqa__value_parameters=12.0)),
        ("mqa-shares-k-and-v", FAILS, result(mqa__query_parameters=8.0)),
        ("mqa-shares-k-and-v", UNTESTED, result(mqa__query_parameters=NOTHING)),
        ("cache-shrinks-by-the-group", HOLDS, result()),
        ("cache-shrinks-by-the-group", LIMIT, result(cache__states=5.0)),
        ("cache-shrinks-by-the-group", LIMIT, result(mqa__cache_per_token=100.0)),
        ("cache-shrinks-by-the-group", FAILS, result(mqa__cache_per_token=512.0)),
        ("decode-gains-nearly-the-group", LIMIT, result()),
        ("decode-gains-nearly-the-group", FAILS, result(replace(GQA, cache_bytes=4000), MHA)),
        ("decode-gains-nearly-the-group", FAILS, result(gpu__ridge=2.0)),
        ("decode-gains-nearly-the-group", UNTESTED, result(MHA)),
        ("each-byte-once-per-group", HOLDS, result()),
        ("each-byte-once-per-group", LIMIT, result(replace(GQA, unique_cache_bytes=1000))),
        ("each-byte-once-per-group", FAILS, result(replace(GQA, formula_bytes=1000))),
        ("outputs-equal-mha", FAILS, result()),
        ("outputs-equal-mha", HOLDS, result(replace(GQA, from_mha=0.0), MHA)),
        ("outputs-equal-mha", UNTESTED, result(MHA)),
        ("intensity-rises-with-the-group", HOLDS, result()),
        ("intensity-rises-with-the-group", FAILS, result(replace(GQA, other_bytes=8000), MHA)),
        ("gqa-saves-prefill-compute", FAILS, result()),
        ("gqa-saves-prefill-compute", HOLDS, result(prefill__tile_flops=1e8)),
        ("gqa-saves-prefill-compute", UNTESTED, result(prefill=None)),
        ("gqa-saves-prefill-compute", UNTESTED, result(prefill=replace(PREFILL, key="MHA"))),
        ("mqa-speeds-up-training", LIMIT, result()),
        ("mqa-speeds-up-training", HOLDS, result(training__mqa_flops_share=50.0)),
        ("mqa-speeds-up-training", FAILS, result(training__mqa_flops_share=0.0)),
        ("batching-makes-decode-attention-compute-bound", FAILS, result()),
        ("batching-makes-decode-attention-compute-bound", HOLDS, result(batch__large__attention_intensity=400.0)),
        ("mla-caches-less-than-gqa-8", HOLDS, result()),
        ("mla-caches-less-than-gqa-8", LIMIT, result(mla__cache_per_token=200.0)),
        (
            "mla-caches-less-than-gqa-8",
            FAILS,
            result(mla__cache_per_token=200.0, **LARGE_LATENT),
        ),
        ("mla-absorbed-equals-expanded", HOLDS, result()),
        ("mla-absorbed-equals-expanded", FAILS, result(forms=MlaForms(1e-3, 4, 48))),
        ("mla-absorbed-equals-expanded", UNTESTED, result(forms=None)),
    ],
)
def test_that_a_verdict_follows_the_numbers(claim: str, verdict: Verdict, found: AttentionHeadsResult) -> None:
    finding = CLAIMS[claim].test(found)
    assert finding.verdict is verdict, finding.evidence
    assert str(finding.evidence).endswith(".")


def test_that_every_claim_is_tested_here_and_wrong_ones_stay() -> None:
    assert {claim.expected for claim in TOPIC.claims} == {HOLDS, LIMIT, FAILS}
    assert sum(claim.expected is FAILS for claim in TOPIC.claims) == 3


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_an_empty_run_tests_nothing_and_surprises_nobody(claim: Claim) -> None:
    finding = claim.test(AttentionHeadsResult(params=AttentionHeadsParams()))
    assert finding.verdict is UNTESTED
    assert not claim.is_surprised_by(finding)


def test_that_times_on_a_gpu_are_shown_where_they_were_measured() -> None:
    found = result()
    times = {name: Metric(value, "ms", Provenance.MEASURED) for name, value in (("mha", 4.0), ("gqa-2", 1.25))}
    metrics = {**found.metrics, **{f"decode.{name}.time_ms": time for name, time in times.items()}}
    evidence = str(CLAIMS["decode-gains-nearly-the-group"].test(replace(found, metrics=metrics)).evidence)
    assert "3.2 times less (measured" in evidence
    assert "measured" not in str(CLAIMS["decode-gains-nearly-the-group"].test(found).evidence)


def test_that_the_paper_s_table_stands_beside_the_claims_about_speed_and_outputs() -> None:
    found = result()
    found = replace(found, metrics={**found.metrics, **recorded_metrics()})
    speed, outputs = (
        str(CLAIMS[name].test(found).evidence) for name in ("decode-gains-nearly-the-group", "outputs-equal-mha")
    )
    assert "1.51 s per sample with MHA, 0.28 s with GQA-8 and 0.24 s with MQA (recorded)" in speed
    assert "47.2 with MHA, 47.1 with GQA-8 and 46.6 with MQA (recorded)" in outputs
