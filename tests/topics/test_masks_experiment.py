"""The experiment from parameters to result, and the claims on its results."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from core.contracts.claims import Verdict
from core.contracts.events import Partial, Progress
from core.contracts.result import Provenance
from core.masks import TileClass, visible_matrix
from core.topics.masks import TOPIC
from core.topics.masks.experiment.problem import float64_reference, make_problem
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import plan
from core.topics.masks.result import IMPLEMENTATIONS, MasksResult
from tests.old_result import old_bytes
from tests.questions.asked import asked_metrics
from tests.same_result import same

pytest.importorskip("triton")

CASES = {
    "causal": MasksParams(heads=1, head_dim=32),
    "batch, bf16": MasksParams(preset="bert-padding", heads=2, head_dim=32, dtype="bf16"),
    "cross, fp16": MasksParams(preset="t5-cross", heads=1, head_dim=32, dtype="fp16", block_kv=32),
    "fully masked rows": MasksParams(seq_len=63, key_len=17, heads=1, head_dim=32),
    "nothing visible": MasksParams(expression="none", heads=1, head_dim=32),
    "one token": MasksParams(seq_len=1, heads=1, head_dim=32),
    "too many terms": MasksParams(
        expression=" | ".join(f"causal & window({n})" for n in range(1, 8)), heads=1, head_dim=32
    ),
}


@cache
def outcome(case: str) -> tuple[MasksResult, tuple[Progress | Partial, ...]]:
    steps, events = TOPIC.load_experiment()(CASES[case], "cpu"), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as finished:
            return finished.value, tuple(events)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_that_every_implementation_is_listed_and_right(case: str) -> None:
    rows = outcome(case)[0].comparison
    assert tuple(row.impl for row in rows) == IMPLEMENTATIONS
    for row in rows:
        if row.runs_on == "unavailable":
            assert str(row.reason).endswith(".")
            assert row.time_ms is None
        elif case == "nothing visible":
            assert row.passed is None
            assert row.time_ms is None
        else:
            assert row.passed, row
            assert (row.time_ms is None) == (row.runs_on == "emulated")
    assert {row.runs_on for row in rows[:3]} == {"cpu"}
    assert rows[3].runs_on == ("unavailable" if case == "too many terms" else "emulated")


def test_that_rows_that_see_nothing_are_nan_in_plain_pytorch_only(case: str) -> None:
    result, _ = outcome(case)
    planned = plan(CASES[case])
    fully_masked = planned.params.heads * sum(
        int((visible_matrix(planned.mask, layout).sum(axis=1) == 0).sum()) for layout in planned.positions.layouts
    )
    nan_rows = {row.impl: row.nan_rows for row in result.comparison}
    assert result.value("fully_masked_rows") == fully_masked
    assert (nan_rows["torch-naive"], nan_rows["sdpa-bool-mask"], nan_rows["flex"]) == (fully_masked, 0, 0)
    assert nan_rows["block-sparse"] == (None if case == "too many terms" else 0)


def test_that_weights_are_probabilities_under_the_mask(case: str) -> None:
    result, _ = outcome(case)
    planned = plan(CASES[case])
    weights, seen = result.probabilities, visible_matrix(planned.mask, planned.layout)
    assert weights.shape == seen.shape
    assert np.all(weights[~seen] == 0)
    np.testing.assert_allclose(weights.sum(axis=1), seen.any(axis=1), atol=1e-5)
    np.testing.assert_array_equal(result.fully_masked_rows, np.flatnonzero(~seen.any(axis=1)))


def test_that_no_number_is_missing_or_not_a_number(case: str) -> None:
    result, events = outcome(case)
    assert all(np.isfinite(metric.value) for metric in result.metrics.values())
    assert all("time_ms" not in name or metric.provenance is Provenance.MEASURED_CPU
               for name, metric in result.metrics.items())  # fmt: skip
    assert same(MasksResult.from_bytes(result.to_bytes()), result)
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    partial = next(event for event in events if isinstance(event, Partial))
    assert partial.result.metrics["sparsity"] == result.metrics["sparsity"]


def test_that_no_claim_is_surprised(case: str) -> None:
    result, _ = outcome(case)
    for claim in TOPIC.claims:
        finding = claim.test(result)
        assert not claim.is_surprised_by(finding), (claim.id, finding)
        assert "nan" not in str(finding.evidence).lower().replace("gives nan in", "")


def test_that_the_claims_are_found_as_expected_by_default() -> None:
    result, _ = outcome("causal")
    verdicts = {claim.id: claim.test(result).verdict for claim in TOPIC.claims}
    assert verdicts["mask-is-symmetric"] is Verdict.DOES_NOT_HOLD
    assert verdicts["blind-rows-are-nan"] is Verdict.DOES_NOT_HOLD
    assert verdicts["causal-skips-half"] is Verdict.HOLDS_WITH_LIMIT
    assert verdicts["masked-is-exactly-zero"] is Verdict.HOLDS
    empty = MasksResult(params=result.params)
    assert {claim.test(empty).verdict for claim in TOPIC.claims} == {Verdict.NOT_TESTED}


def test_that_a_claim_bites_when_the_evidence_is_another() -> None:
    result, _ = outcome("causal")
    metrics = dict(result.metrics)
    for name in ("masked.largest_weight", "future.change", "padding.change"):
        metrics[name] = type(metrics[name])(1e-9, "", Provenance.MEASURED_CPU)
    sweep = tuple(replace(step, visited=step.visited + 1, share=step.share + 0.01) for step in result.sweep)
    symmetry = tuple(replace(compared, symmetric=True) for compared in result.symmetry)
    other = MasksResult(params=result.params, metrics=metrics, sweep=sweep, symmetry=symmetry)
    surprised = {claim.id for claim in TOPIC.claims if claim.is_surprised_by(claim.test(other))}
    assert surprised == {
        "padding-hides-pads",
        "causal-hides-the-future",
        "masked-is-exactly-zero",
        "causal-skips-half",
        "mask-is-symmetric",
    }


def test_that_the_traced_kernel_moves_what_the_model_says() -> None:
    result, _ = outcome("causal")
    lse_bytes = 4 * 64
    assert result.value("dense.hbm_bytes") == result.value("bytes.dense") + lse_bytes
    assert [step.visited for step in result.sweep] == [1, 3, 10, 36, 136]


def test_that_the_traced_schedule_visits_exactly_the_tiles_that_are_not_empty(case: str) -> None:
    result, _ = outcome(case)
    planned = plan(CASES[case])
    if case == "too many terms":
        assert result.schedule is None
        assert "8 different terms" in str(result.comparison[3].reason)
        return
    step, q_block, iteration, kv_block = result.schedule.T
    tiling = planned.tilings[planned.sequence]
    visited = np.zeros(tiling.classes.shape, dtype=int)
    np.add.at(visited, (q_block, kv_block), 1)
    np.testing.assert_array_equal(visited, tiling.classes != TileClass.EMPTY)
    np.testing.assert_array_equal(step, np.arange(step.size))
    assert np.all((iteration == 0) == np.diff(q_block, prepend=-1).astype(bool))
    assert [counts.visited_by_kernel for counts in result.tiles] == [tiling.visited for tiling in planned.tilings]


def test_that_the_block_sparse_kernel_moves_less_by_the_tiles_that_it_skips() -> None:
    result, _ = outcome("causal")
    tensors = {"Q", "K", "V", "O", "LSE"}
    moved = sum(
        row.read_bytes + row.written_bytes
        for row in result.traffic
        if row.kernel == "block-sparse" and row.tensor in tensors
    )
    lse_bytes = 4 * 64
    assert moved == result.value("bytes.tiles") + lse_bytes
    lists = result.value("sparse.hbm_bytes") - moved
    assert 0 < lists < result.value("bytes.saved")


def test_that_the_reference_is_attention_in_float64() -> None:
    planned = plan(CASES["fully masked rows"])
    problem = make_problem(planned, "cpu")
    output = float64_reference(problem, lambda done, total, phase: None)
    scores = (problem.q.double() @ problem.k.double().mT) / 32**0.5
    by_hand = torch.exp(scores) * problem.dense
    expected = (by_hand / by_hand.sum(-1, keepdim=True)).nan_to_num(0.0) @ problem.v.double()
    torch.testing.assert_close(output, expected, atol=1e-12, rtol=1e-12)


def test_that_a_run_of_an_older_version_still_opens() -> None:
    implementation = {
        "impl": "sdpa-bool-mask", "label": "SDPA", "runs_on": "cpu", "reason": "", "time_ms": 1.5,
        "time_ms_samples": [1.4, 1.6], "tflops": 0.1, "peak_memory_bytes": None, "max_abs_error": 1e-6,
        "rms_error": 1e-7, "allowed_rms_error": 3e-7, "passed": True, "nan_rows": 0, "blind_rows": 31, "mask_bytes": 9,
    }  # fmt: skip
    stored = old_bytes(
        "masks",
        MasksParams(seq_len=63),
        metrics={"blind_rows": (31, "rows", "modelled"), "blind.naive_nan_rows": (31, "rows", "measured (CPU)")},
        arrays={"schedule": np.zeros((2, 4), np.int32), "blind_rows": np.arange(31, dtype=np.int32)},
        tables={
            "comparison": [implementation],
            "tiles": [{"sequence": 0, "full": 1, "partial": 2, "empty": 3, "visited": 3, "visited_by_kernel": None}],
            "lines": [{"kernel": "dense", "function": "f", "file": "f.py", "line": 3, "op": "load", "tensor": "Q",
                       "accesses": 4, "bytes": 16, "masked_share": 0.0}],
        },
    )  # fmt: skip
    result = MasksResult.from_bytes(stored)
    assert result.params == MasksParams(seq_len=63)
    assert result.fully_masked_rows is not None
    assert result.fully_masked_rows.size == 31
    assert result.comparison[0].fully_masked_rows == 31
    assert result.value("fully_masked_rows") == result.value("fully_masked.naive_nan_rows") == 31
    assert (result.tiles[0].empty, result.lines[0].bytes) == (3, 16)
    assert result.environment.backend == "Lanes (TTIR on CPU)"


def test_that_a_run_has_the_metrics_that_questions_guess() -> None:
    assert asked_metrics("masks") <= outcome("causal")[0].metrics.keys()
