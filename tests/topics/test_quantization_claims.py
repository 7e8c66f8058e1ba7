"""Every claim can hold and can fail: the predicates are fed results that say the opposite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.contracts.claims import Claim, Verdict
from core.contracts.result import Environment, Metric, Provenance
from core.topics.quantization import TOPIC
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import DistributionErrors, LossDifference, OutputLoss, QuantizationResult
from core.topics.quantization.sweep import Point
from kernels.quantization.formats import FormatId

CLAIMS = {claim.id: claim for claim in TOPIC.claims}
METRICS = {
    "matmul.weights": 16384.0,
    "matmul.code_bytes": 8192.0,
    "matmul.scale_bytes": 264.0,
    "matmul.weight_bytes_bf16": 32768.0,
    "matmul.computes_bf16": 1.0,
    "stored.plain_bits": 4.5,
    "stored.nested_bits": 4.127,
    "scales.plain_bits": 0.5,
    "scales.nested_bits": 0.127,
    "scales.saved_bits": 0.373,
}
SNR = {"nf4": 20.7, "fp4-e2m1": 18.3, "fp4-e3m0": 14.5, "int4": 19.3, "int4-affine": 21.0, "int8": 43.9}
Tables = dict[str, tuple[Any, ...]]
"""Fields of a result by name."""

LOSSES = {"": 1.0, "nf4": 1.01, "fp4-e2m1": 1.04, "fp4-e3m0": 1.03, "int4": 1.05}


def distributions(**changes: float) -> tuple[DistributionErrors, ...]:
    """Normal weights at blocks of 64, where affine INT4 is ahead, and of 256, where it is not."""
    snr = SNR | {name.replace("_", "-"): value for name, value in changes.items()}
    return tuple(
        DistributionErrors("normal", name, size, 0.1, value - (drop if name == "int4-affine" else drop / 2))
        for size, drop in ((64, 0.0), (256, 2.0))
        for name, value in snr.items()
    )


def sweep(lost_db: float = 0.01) -> tuple[Point, ...]:
    return tuple(
        Point(FormatId.NF4, size, nested, 4.5, 0.1, 20.0 - lost_db * nested)
        for size in (16, 64)
        for nested in (False, True)
    )


def outputs(stderr: float | None = 1e-3, model: str = "small model", **changes: float) -> Tables:
    losses = LOSSES | {name.replace("_", "-"): value for name, value in changes.items()}
    rows = tuple(
        OutputLoss(model, name, loss, stderr, 2.718**loss, loss - losses[""], stderr, 8192, 14, 4.127, 1024)
        for name, loss in losses.items()
    )
    names = list(losses)
    pairs = tuple(
        LossDifference(model, first, second, losses[first] - losses[second], stderr)
        for index, first in enumerate(names)
        for second in names[index + 1 :]
    )
    return {"outputs": rows, "output_pairs": pairs}


def result(
    params: dict[str, object] | None = None, tables: Tables | None = None, **changes: float
) -> QuantizationResult:
    values = METRICS | {name.replace("__", "."): value for name, value in changes.items()}
    rows: Tables = {"distributions": distributions(), "sweep": sweep(), **outputs(), **(tables or {})}
    return QuantizationResult(
        params=QuantizationParams.parse(params or {}),
        environment=Environment("cpu", "numpy, torch, TTIR interpreter (CPU)"),
        metrics={name: Metric(value, "bits", Provenance.TRACED) for name, value in values.items()},
        **rows,
    )


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_a_sound_result_gives_a_verdict_that_is_no_surprise(claim: Claim) -> None:
    finding = claim.test(result())
    assert finding.verdict is not Verdict.NOT_TESTED
    assert not claim.is_surprised_by(finding)
    assert str(finding.evidence).endswith(".")


CONTRARY = {
    "stores-4-bits-computes-bf16": result(matmul__computes_bf16=0.0),
    "double-quantization-saves": result(stored__nested_bits=4.2),
    "double-quantization-costs-little": result(tables={"sweep": sweep(15.0)}),
    "nf4-beats-fp4-and-int4": result(tables={"distributions": distributions(int4=22.0)}),
    "nf4-is-always-best": result(tables={"distributions": distributions(int4_affine=20.0)}),
    "perplexity-in-order": result(tables=outputs(fp4_e3m0=1.005)),
}


@pytest.mark.parametrize("claim_id", CONTRARY)
def test_that_a_contrary_result_is_a_surprise(claim_id: str) -> None:
    claim = CLAIMS[claim_id]
    assert claim.is_surprised_by(claim.test(CONTRARY[claim_id]))


def test_that_eight_bits_of_codes_are_not_four() -> None:
    finding = CLAIMS["stores-4-bits-computes-bf16"].test(result(matmul__code_bytes=16384.0))
    assert finding.verdict is Verdict.DOES_NOT_HOLD
    assert "8 bits per weight" in str(finding.evidence)


def test_that_scales_that_cost_much_to_quantize_are_a_limit() -> None:
    claim = CLAIMS["double-quantization-costs-little"]
    assert claim.test(result()).verdict is Verdict.HOLDS
    assert claim.test(result(tables={"sweep": sweep(0.5)})).verdict is Verdict.HOLDS_WITH_LIMIT
    only_plain = tuple(point for point in sweep() if not point.nested)
    assert claim.test(result(tables={"sweep": only_plain})).verdict is Verdict.NOT_TESTED


def test_that_nf4_holds_without_limit_only_where_affine_levels_are_behind_too() -> None:
    claim = CLAIMS["nf4-beats-fp4-and-int4"]
    finding = claim.test(result())
    assert finding.verdict is Verdict.HOLDS_WITH_LIMIT
    assert "ahead of NF4 at blocks of 64." in str(finding.evidence)
    behind = {"distributions": distributions(int4_affine=20.0)}
    assert claim.test(result(tables=behind)).verdict is Verdict.HOLDS
    only_at_64 = tuple(
        replace(row, snr_db=30.0) if (row.format, row.block_size) == ("int4", 256) else row for row in distributions()
    )
    assert claim.test(result(tables={"distributions": only_at_64})).verdict is Verdict.HOLDS_WITH_LIMIT


def test_that_other_block_sizes_are_reported_beside_the_papers() -> None:
    evidence = str(CLAIMS["double-quantization-saves"].test(result({"block_size": 32})).evidence)
    assert "With the chosen block sizes 32 and 256" in evidence


@pytest.mark.parametrize(
    ("tables", "verdict"),
    [
        (outputs(), Verdict.HOLDS),
        (outputs(fp4_e3m0=1.045), Verdict.HOLDS_WITH_LIMIT),
        (outputs(fp4_e3m0=1.005), Verdict.DOES_NOT_HOLD),
        (outputs(stderr=1.0), Verdict.NOT_TESTED),
        (outputs(stderr=None), Verdict.NOT_TESTED),
        (outputs(stderr=1.0, fp4_e3m0=1.005), Verdict.NOT_TESTED),
        ({"outputs": outputs()["outputs"][:3]}, Verdict.NOT_TESTED),
    ],
)
def test_that_an_order_is_claimed_only_beyond_the_noise(tables: Tables, verdict: Verdict) -> None:
    finding = CLAIMS["perplexity-in-order"].test(result(tables=tables))
    assert finding.verdict is verdict
    if verdict is Verdict.NOT_TESTED:
        assert "noise" in str(finding.evidence) or "did not measure" in str(finding.evidence)


def test_that_the_worst_of_two_models_decides() -> None:
    good, other = outputs(fp4_e2m1=1.03, fp4_e3m0=1.02), outputs(model="mine", int4=1.001)
    both = {name: good[name] + other[name] for name in good}
    finding = CLAIMS["perplexity-in-order"].test(result(tables=both))
    assert finding.verdict is Verdict.DOES_NOT_HOLD
    assert "small model" in str(finding.evidence)
    assert "mine" in str(finding.evidence)


@pytest.mark.parametrize(
    ("loss", "verdict"), [(1.001, Verdict.DOES_NOT_HOLD), (1.05, Verdict.HOLDS)], ids=["against", "for"]
)
def test_that_the_noise_of_one_model_hides_nothing_of_another(loss: float, verdict: Verdict) -> None:
    clear, noisy = outputs(int4=loss), outputs(model="mine", stderr=1.0)
    both = {name: noisy[name] + clear[name] for name in clear}
    finding = CLAIMS["perplexity-in-order"].test(result(tables=both))
    assert finding.verdict is verdict
    assert "The noise hides" not in str(finding.evidence)


@pytest.mark.parametrize("claim_id", ["stores-4-bits-computes-bf16", "double-quantization-saves"])
def test_that_kernels_that_are_off_are_named_by_their_switch(claim_id: str) -> None:
    changes: dict[str, object] = {"kernels": False}
    for params, expected in ((changes, "turn on Triton kernels"), (None, "run the page to the end")):
        bare = replace(result(params), metrics={})
        finding = CLAIMS[claim_id].test(bare)
        assert finding.verdict is Verdict.NOT_TESTED
        assert expected in str(finding.evidence)


def test_that_a_model_that_guesses_worse_than_by_chance_tests_nothing() -> None:
    known, unknown = outputs(), outputs(model="mine", nf4=2.0)
    unknown["outputs"] = tuple(replace(row, perplexity=60_000.0) for row in unknown["outputs"])
    assert CLAIMS["perplexity-in-order"].test(result(tables=unknown)).verdict is Verdict.NOT_TESTED
    both = {name: known[name] + unknown[name] for name in known}
    finding = CLAIMS["perplexity-in-order"].test(result(tables=both))
    assert finding.verdict is Verdict.HOLDS
    assert "mine" not in str(finding.evidence)


def test_that_a_loss_that_is_no_number_tests_nothing() -> None:
    rows = outputs()
    rows["outputs"] = tuple(
        replace(row, loss=None, perplexity=None) if row.format == "nf4" else row for row in rows["outputs"]
    )
    assert CLAIMS["perplexity-in-order"].test(result(tables=rows)).verdict is Verdict.NOT_TESTED


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_an_empty_result_leaves_every_claim_untested(claim: Claim) -> None:
    empty = QuantizationResult(params=QuantizationParams())
    finding = claim.test(empty)
    assert finding.verdict is Verdict.NOT_TESTED
    assert not claim.is_surprised_by(finding)
