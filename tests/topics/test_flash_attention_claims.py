"""Every claim can hold and can fail: the predicates get results that show the opposite."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.comparison import ImplResult, RunsOn
from core.contracts.claims import Claim, Verdict
from core.contracts.result import Environment, Metric, Provenance
from core.topics.flash_attention import TOPIC
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.result import FlashAttentionResult, SweepStep

CLAIMS = {claim.id: claim for claim in TOPIC.claims}
METRICS = {
    "flash.rms_error": 3e-5,
    "flash.max_abs_error": 9e-4,
    "flash.allowed_rms_error": 1.6e-4,
    "standard.rms_error": 5e-5,
    "flash.flops": 500.0,
    "flash.tile_flops": 570.0,
    "standard.tile_flops": 1074.0,
    "paper.standard.product_flops": 825e9,
    "paper.flash.product_flops": 962e9,
    "paper.standard.flops": 66.6e9,
    "paper.flash.flops": 75.2e9,
    "standard.hbm_bytes": 59e6,
    "flash.hbm_bytes": 10e6,
    "standard.training_hbm_bytes": 161e6,
    "flash.training_hbm_bytes": 32e6,
    "paper.standard.hbm_bytes": 40.3e9,
    "paper.flash.hbm_bytes": 4.4e9,
    "flash.S_bytes": 0.0,
    "flash.P_bytes": 0.0,
    "standard.S_bytes": 17e6,
    "standard.P_bytes": 17e6,
    "gain.limit": 7.0,
    "gpu.hbm_bandwidth": 1.555e12,
    "gpu.sram_bandwidth": 19.5e12,
    "scores.cells": 2.0**20,
    "scores.raw_std": 8.02,
    "scores.scaled_std": 1.002,
    "scores.raw_peak": 0.8,
    "scores.scaled_peak": 0.02,
    "scores.overflows": 90e3,
    "scores.overflows_shifted": 0.0,
    "scores.shift_error": 2e-16,
}
SWEEP = tuple(
    SweepStep(n, n, standard, flash) for n, standard, flash in ((256, 400, 100), (512, 1600, 320), (1024, 6400, 1100))
)


def comparison(flash_ms: float, standard_ms: float, runs_on: RunsOn = "cuda") -> tuple[ImplResult, ...]:
    rows = [("triton-flash", flash_ms), ("triton-standard", standard_ms), ("torch-naive", standard_ms)]
    return tuple(ImplResult(impl, impl, runs_on, time_ms=time_ms) for impl, time_ms in rows)


def result(
    params: dict[str, object] | None = None,
    sweep: tuple[SweepStep, ...] = SWEEP,
    compared: tuple[ImplResult, ...] = comparison(1, 5),
    **changes: float,
) -> FlashAttentionResult:
    values = METRICS | {name.replace("__", "."): value for name, value in changes.items()}
    return FlashAttentionResult(
        params=FlashAttentionParams(**(params or {})),
        environment=Environment("cpu", "TTIR interpreter (CPU)"),
        metrics={name: Metric(value, "", Provenance.TRACED) for name, value in values.items()},
        sweep=sweep,
        comparison=compared,
    )


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_a_sound_result_gives_the_expected_verdict(claim: Claim) -> None:
    finding = claim.test(result())
    assert not claim.is_surprised_by(finding)
    assert finding.verdict is not Verdict.NOT_TESTED
    assert str(finding.evidence).endswith(".")


CONTRARY = {
    "same-result": result(flash__rms_error=1e-2),
    "is-an-approximation": result(flash__rms_error=1e-2),
    "forward-flops-equal": result(flash__tile_flops=400.0),
    "backward-recomputes": result(paper__flash__flops=60e9),
    "saves-flops": result(paper__flash__product_flops=800e9),
    "fewer-hbm-accesses": result(flash__hbm_bytes=60e6),
    "backward-saves-accesses": result(flash__training_hbm_bytes=120e6),
    "no-scores-in-hbm": result(flash__P_bytes=2.0),
    "gain-grows-with-length": result(sweep=(*SWEEP[:2], replace(SWEEP[2], flash_bytes=1400))),
    "traffic-is-linear": result(sweep=(*SWEEP[:2], replace(SWEEP[2], flash_bytes=640))),
    "sram-is-faster": result(gpu__sram_bandwidth=2e12),
    "faster-on-a-gpu": result(compared=comparison(5, 1)),
    "sqrt-d-keeps-scores": result(scores__scaled_std=2.8),
    "maximum-prevents-overflow": result(scores__overflows_shifted=3.0),
}


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_a_contrary_result_is_a_surprise(claim: Claim) -> None:
    finding = claim.test(CONTRARY[claim.id])
    assert claim.is_surprised_by(finding)


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_an_empty_result_leaves_every_claim_untested(claim: Claim) -> None:
    empty = FlashAttentionResult(params=FlashAttentionParams())
    assert claim.test(empty).verdict is Verdict.NOT_TESTED


def test_that_a_kernel_that_gives_nan_is_not_taken_for_untested() -> None:
    assert CLAIMS["same-result"].test(result(flash__rms_error=float("nan"))).verdict is Verdict.DOES_NOT_HOLD


def test_that_skipped_tiles_limit_the_claim_on_flops_only_under_a_mask() -> None:
    claim = CLAIMS["forward-flops-equal"]
    assert claim.test(result()).verdict is Verdict.HOLDS_WITH_LIMIT
    assert claim.test(result({"causal": False})).verdict is Verdict.DOES_NOT_HOLD
    equal = result({"causal": False}, flash__tile_flops=1074.0)
    assert claim.test(equal).verdict is Verdict.HOLDS


def test_that_emulated_and_cpu_times_never_test_the_claim_on_speed() -> None:
    for runs_on in ("cpu", "emulated"):
        finding = CLAIMS["faster-on-a-gpu"].test(result(compared=comparison(1, 5, runs_on)))
        assert finding.verdict is Verdict.NOT_TESTED
        assert "run this page on a CUDA machine" in str(finding.evidence)


def test_that_short_sequences_say_what_length_would_do() -> None:
    short = result(sweep=())
    assert "set seq_len to 256 or more" in str(CLAIMS["gain-grows-with-length"].test(short).evidence)
    assert CLAIMS["traffic-is-linear"].test(short).verdict is Verdict.NOT_TESTED


def test_that_sram_further_from_ten_times_is_a_limit() -> None:
    finding = CLAIMS["sram-is-faster"].test(result(gpu__sram_bandwidth=41.3e12, gpu__hbm_bandwidth=1.008e12))
    assert finding.verdict is Verdict.HOLDS_WITH_LIMIT


def test_that_small_runs_say_what_length_tests_the_claims_on_scores() -> None:
    few = result(scores__cells=100.0)
    assert "set seq_len to 64 or more" in str(CLAIMS["sqrt-d-keeps-scores"].test(few).evidence)
    none = CLAIMS["maximum-prevents-overflow"].test(result(scores__overflows=0.0))
    assert none.verdict is Verdict.NOT_TESTED
    assert "set seq_len to 256 or more" in str(none.evidence)
