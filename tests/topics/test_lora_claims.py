"""Every claim can hold and can fail: the predicates are fed results that say the opposite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.contracts.claims import Claim, Verdict
from core.contracts.result import Environment, Metric, Provenance
from core.contracts.text import EMPTY, verbatim
from core.topics.lora import TOPIC
from core.topics.lora.params import LoraParams
from core.topics.lora.result import RUNS, AdaptedMatrix, HeldOutPair, LoraResult, TrainingRun

CLAIMS = {claim.id: claim for claim in TOPIC.claims}
HOLDS, LIMIT, FAILS, UNTESTED = (
    Verdict.HOLDS,
    Verdict.HOLDS_WITH_LIMIT,
    Verdict.DOES_NOT_HOLD,
    Verdict.NOT_TESTED,
)
STOP = verbatim("The loss of step 7 is NaN.")
METRICS = {
    "energy_in_rank": 0.4,
    "lora.share": 4.0,
    "lora.trainable": 40960.0,
    "adalora.trainable": 123216.0,
    "gpt3.reduction": 9250.9,
    "gpt3.trainable": 18874368.0,
    "gpt3.parameters": 174604259328.0,
    "start.max_abs_change": 0.0,
    "merge.max_abs_error": 5e-7,
    "rank.correlation": 0.8,
    "rank.full_correlation": 0.1,
    "budget.final": 12.0,
    "budget.target": 12.0,
    "held_out.lora": 0.17,
    "held_out.adalora": 0.24,
    "held_out.full": 0.16,
}


def spectrum(beyond: float) -> np.ndarray:
    """Of three updates of rank 4, with `beyond` as their fifth singular value."""
    return np.tile(np.array([3, 2, 1, 1, beyond, 0], dtype=np.float32), (3, 1))


def result(
    params: dict[str, Any] | None = None,
    difference: float = 0.07,
    beyond: float = 1e-7,
    stopped: str = "",
    **changes: float,
) -> LoraResult:
    values = METRICS | {name.replace("__", "."): value for name, value in changes.items()}
    matrices = tuple(
        AdaptedMatrix(f"layers.0.{kind}", 0, kind, 6, 6, 4, final_rank=rank, energy_in_rank=share)
        for kind, rank, share in (("q_proj", 7, 0.5), ("k_proj", 4, 0.4), ("v_proj", 1, 0.3))
    )
    return LoraResult(
        params=LoraParams.parse(params or {}),
        environment=Environment("cpu", "torch"),
        metrics={name: Metric(value, "", Provenance.MEASURED_CPU) for name, value in values.items() if value == value},
        spectra={"lora": spectrum(beyond)},
        matrices=matrices,
        runs={
            run: TrainingRun(verbatim(run), 1, 10, 0.1, 1.0, 9, 1e-3, error=STOP if run == stopped else EMPTY)
            for run in RUNS
        },
        held_out_pairs=(HeldOutPair("adalora", "lora", difference, 0.02),),
    )


@pytest.mark.parametrize(
    ("claim", "verdict", "found"),
    [
        ("lora-is-a-low-rank-product", HOLDS, result()),
        ("lora-is-a-low-rank-product", FAILS, result(beyond=0.1)),
        ("lora-is-a-low-rank-product", UNTESTED, result({"target_r": 6})),
        ("lora-is-a-low-rank-product", UNTESTED, result(beyond=0.1, stopped="lora")),
        ("lora-is-a-low-rank-product", UNTESTED, result(beyond=float("nan"))),
        ("lora-is-a-low-rank-product", FAILS, result(beyond=0.1, stopped="full")),
        ("whole-updates-have-low-rank", FAILS, result()),
        ("whole-updates-have-low-rank", LIMIT, result(energy_in_rank=0.7)),
        ("whole-updates-have-low-rank", HOLDS, result(energy_in_rank=0.95)),
        ("whole-updates-have-low-rank", UNTESTED, result(energy_in_rank=0.7, stopped="full")),
        ("whole-updates-have-low-rank", UNTESTED, result({"compare_full": False}, energy_in_rank=float("nan"))),
        ("lora-trains-few", LIMIT, result()),
        ("lora-trains-few", HOLDS, result(lora__share=0.4)),
        ("lora-trains-few", FAILS, result(lora__share=20.0)),
        ("gpt3-ten-thousand-times-fewer", HOLDS, result()),
        ("gpt3-ten-thousand-times-fewer", FAILS, result(gpt3__reduction=4600.0)),
        ("b-zero-at-the-start", HOLDS, result()),
        ("b-zero-at-the-start", FAILS, result(start__max_abs_change=1e-3)),
        ("merging-gives-the-same", HOLDS, result()),
        ("merging-gives-the-same", FAILS, result(merge__max_abs_error=1e-3)),
        ("merging-gives-the-same", UNTESTED, result(merge__max_abs_error=float("nan"))),
        ("adalora-ranks-by-importance", HOLDS, result()),
        ("adalora-ranks-by-importance", LIMIT, result(rank__correlation=0.2)),
        ("adalora-ranks-by-importance", FAILS, result(rank__correlation=-0.2)),
        ("adalora-ranks-by-importance", UNTESTED, result({"init_r": 4})),
        ("adalora-ranks-by-importance", UNTESTED, result({"call_update": False})),
        ("adalora-ranks-by-importance", UNTESTED, result(rank__correlation=-0.2, stopped="adalora")),
        ("adalora-same-budget", LIMIT, result()),
        ("adalora-same-budget", HOLDS, result({"init_r": 4})),
        ("adalora-same-budget", FAILS, result(budget__final=36.0)),
        ("adalora-same-budget", UNTESTED, result(budget__final=36.0, stopped="adalora")),
        ("adalora-same-budget", UNTESTED, result({"call_update": False}, budget__final=36.0)),
        ("adalora-better-than-lora", FAILS, result()),
        ("adalora-better-than-lora", LIMIT, result(difference=-0.07)),
        ("adalora-better-than-lora", UNTESTED, result(difference=0.03)),
    ],
)
def test_that_a_verdict_follows_the_numbers(claim: str, verdict: Verdict, found: LoraResult) -> None:
    finding = CLAIMS[claim].test(found)
    assert finding.verdict is verdict, finding.evidence
    assert str(finding.evidence).endswith(".")


@pytest.mark.parametrize(("losses", "verdict"), [([2.0, 1.5, 1.0], LIMIT), ([2.0, 9.0, 8.0], UNTESTED)])
def test_that_whole_updates_of_a_training_that_learned_nothing_say_nothing(
    losses: list[float], verdict: Verdict
) -> None:
    changed = result(energy_in_rank=0.7)
    learned = replace(changed.runs["full"], losses=np.array(losses, dtype=np.float32))
    changed = replace(changed, runs={**changed.runs, "full": learned})
    assert CLAIMS["whole-updates-have-low-rank"].test(changed).verdict is verdict


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_a_run_without_results_tests_nothing(claim: Claim) -> None:
    assert claim.test(LoraResult(params=LoraParams())).verdict is UNTESTED


def test_that_the_order_of_a_pair_does_not_turn_its_meaning() -> None:
    swapped = replace(result(), held_out_pairs=(HeldOutPair("lora", "adalora", -0.07, 0.02),))
    assert CLAIMS["adalora-better-than-lora"].test(swapped).verdict is FAILS


def test_that_ten_thousand_is_the_papers_word_on_parameters_and_on_its_checkpoint() -> None:
    evidence = str(CLAIMS["gpt3-ten-thousand-times-fewer"].test(result()).evidence)
    assert "96 layers x 2 matrices x 4 x (12,288 + 12,288) = 18,874,368 trainable" in evidence
    assert "abstract says 10,000 times fewer parameters" in evidence
    assert "a checkpoint of 350 GB becomes 35 MB" in evidence
    assert "rank 4 on q_proj, v_proj" in str(CLAIMS["lora-trains-few"].test(result()).evidence)


def test_that_the_papers_numbers_stand_as_the_papers() -> None:
    evidence = str(CLAIMS["adalora-better-than-lora"].test(result()).evidence)
    assert "In the paper, not run here" in evidence
    assert "89.31" in evidence
    assert "88.34" in evidence
