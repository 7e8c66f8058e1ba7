"""The claims of compare on runs whose truth is known: every verdict that they can give."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.contracts.claims import Verdict
from core.recordings.run import FamilyRun, Outcome
from core.topics.compare.claims import CLAIMS
from core.topics.compare.params import CompareParams
from core.topics.compare.result import CompareResult
from tests.recordings.runs import CPU, kernel, missing, point, run, samples, timed, usual


def verdict(claim_id: str, made: FamilyRun | None) -> tuple[Verdict, str]:
    claim = next(claim for claim in CLAIMS if claim.id == claim_id)
    finding = claim.test(CompareResult(params=CompareParams(), run=made))
    return finding.verdict, str(finding.evidence)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
@pytest.mark.parametrize("made", [None, run(), run(point(1, missing("a")))])
def test_that_without_outcomes_nothing_is_tested(claim: object, made: FamilyRun | None) -> None:
    assert verdict(claim.id, made)[0] is Verdict.NOT_TESTED  # type: ignore[attr-defined]


def test_that_one_wrong_output_refutes_that_all_agree() -> None:
    assert verdict("implementations-agree", usual())[0] is Verdict.HOLDS

    wrong = timed("b", 1.0, passed=False, time_ms=None, time_ms_samples=())
    found, evidence = verdict("implementations-agree", run(point(1024, timed("a", 1.0), wrong)))

    assert found is Verdict.DOES_NOT_HOLD
    assert evidence == "1 of 2 outputs is wrong, the first that of B at seq_len=1024, mask=causal."


def test_that_a_time_is_one_number_only_where_the_samples_hardly_differ() -> None:
    steady = timed("a", 1.0, time_ms_samples=(1.0, 1.005, 1.002))

    assert verdict("a-time-is-one-number", run(point(1, steady)))[0] is Verdict.HOLDS
    found, evidence = verdict("a-time-is-one-number", run(point(1, timed("a", 1.0, time_ms_samples=(1.0, 1.5)))))
    assert found is Verdict.DOES_NOT_HOLD
    assert "1 to 1.5 ms over 2 samples: 1.50 times as long (measured)" in evidence


def test_that_rounds_in_the_other_order_limit_what_one_run_tells() -> None:
    apart = run(point(1, timed("a", 1.0), timed("b", 2.0, 1)))
    close = run(point(1, timed("a", 1.0, time_ms_samples=samples(1.0, 1, 0.05)), timed("b", 1.01, 2)))

    assert verdict("one-run-tells-which-is-faster", apart)[0] is Verdict.HOLDS
    found, evidence = verdict("one-run-tells-which-is-faster", close)
    assert found is Verdict.HOLDS_WITH_LIMIT
    assert "of 20 rounds" in evidence


@pytest.mark.parametrize(
    ("flops", "expected"),
    [(1 << 30, Verdict.HOLDS), (1.5 * (1 << 30), Verdict.HOLDS_WITH_LIMIT), (3.0 * (1 << 30), Verdict.DOES_NOT_HOLD)],
)
def test_that_the_formula_counts_the_work_within_a_factor(flops: float, expected: Verdict) -> None:
    traced = kernel("flash", 1.0)
    assert traced.traced is not None
    outcome = replace(traced, traced=replace(traced.traced, product_flops=int(flops)))

    assert verdict("formula-counts-the-work", run(replace(point(1, outcome), flops=float(1 << 30))))[0] is expected


def test_that_bytes_and_time_are_compared_on_a_gpu_only() -> None:
    def traced(impl: str, ms: float, unique: int, seed: int) -> object:
        made = kernel(impl, ms, seed)
        assert made.traced is not None
        return replace(made, traced=replace(made.traced, unique_bytes=unique))

    agrees = run(point(1, traced("few", 1.0, 100, 1), traced("many", 2.0, 200, 2)))  # type: ignore[arg-type]
    against = run(point(1, traced("few", 2.0, 100, 1), traced("many", 1.0, 200, 2)))  # type: ignore[arg-type]

    assert verdict("fewer-bytes-less-time", agrees)[0] is Verdict.HOLDS
    found, evidence = verdict("fewer-bytes-less-time", against)
    assert found is Verdict.HOLDS_WITH_LIMIT
    assert "Not so at seq_len=1, mask=causal." in evidence
    assert verdict("fewer-bytes-less-time", replace(agrees, device=CPU))[0] is Verdict.NOT_TESTED


def with_bytes(impl: str, unique_bytes: int) -> Outcome:
    made = kernel(impl, 1.0)
    assert made.traced is not None
    return replace(made, traced=replace(made.traced, unique_bytes=unique_bytes))


@pytest.mark.parametrize(
    ("fused", "expected"),
    [((50, 20), Verdict.HOLDS), ((50, 200), Verdict.HOLDS_WITH_LIMIT), ((100, 200), Verdict.DOES_NOT_HOLD)],
)
def test_that_fused_kernels_are_compared_with_one_kernel_per_step(fused: tuple[int, int], expected: Verdict) -> None:
    points = (
        point(n, with_bytes("triton-standard", 100), with_bytes("triton-flash", few)) for n, few in enumerate(fused)
    )

    found, evidence = verdict("fused-moves-fewer-bytes", run(*points))

    assert found is expected
    assert f"{100 / min(fused):.2f} times" in evidence
    assert f"and {100 / max(fused):.2f} the smallest" in evidence


def test_that_without_one_kernel_per_step_or_with_unseen_work_nothing_is_said_of_fusion() -> None:
    steps, flash = with_bytes("triton-standard", 100), with_bytes("triton-flash", 50)
    partly = replace(flash, modelled=None)

    for made in (run(point(1, flash)), run(point(1, steps)), run(point(1, steps, partly))):
        assert verdict("fused-moves-fewer-bytes", made)[0] is Verdict.NOT_TESTED
    own = replace(run(point(1, steps, flash)), family="file")
    assert verdict("fused-moves-fewer-bytes", own)[0] is Verdict.NOT_TESTED
