"""Every claim can hold and can fail: each predicate is tested on a result that contradicts it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.comparison import ErrorCheck
from core.contracts.claims import Claim, Verdict
from core.contracts.result import Environment, Metric, Provenance
from core.contracts.text import verbatim
from core.topics.decoder import TOPIC
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.result import BLOCK, FLOAT64, OUTPUT, TORCH, DecoderResult

METRICS = {
    "block.attentions": 2, "self.query_len": 7, "self.visible_keys": 7, "cross.query_len": 7, "cross.visible_keys": 7,
    "decoder_only.attentions": 1, "decoder_only.error_torch": 1e-6, "decoder_only.parameters": 100,
    "decoder.cross.parameters": 50, "block.error_torch": 1e-6, "shorter.query_len": 6, "shorter.error_torch": 1e-6,
    "memory_swap.q_change": 0, "memory_swap.k_change": 5, "memory_swap.v_change": 4,
    "stream_swap.q_change": 3, "stream_swap.k_change": 0, "stream_swap.v_change": 0,
    "torch_cross.query_error": 1e-7, "torch_cross.key_error": 0, "torch_cross.value_error": 0,
    "gradient.whole": 4, "gradient.k": 3, "gradient.v": 2, "gradient.neither": 0, "gradient.sum_error": 0,
    "gradient.torch_error": 1e-15, "future.cells": 21, "future.changed": 0, "past.cells": 28, "past.changed": 28,
    "perturbation.forbidden_moved": 0, "perturbation.forbidden_cells": 200, "source.cells": 49, "source.changed": 49,
    "source.decoder_self_changed": 0, "pads.cells": 14, "pads.changed": 0, "cross.weight_on_wanted": 0.7,
    "accuracy.typed": 1.0, "accuracy.held_out": 0.95,
}  # fmt: skip


def result(
    params: dict[str, object] | None = None,
    check_error: float = 1e-6,
    float64_errors: tuple[float, float] = (1e-6, 1e-6),
    **changes: float,
) -> DecoderResult:
    values = METRICS | {name.replace("__", "."): value for name, value in changes.items()}
    block = ErrorCheck(BLOCK, verbatim("torch.nn.TransformerDecoderLayer"), check_error, 1e-5, check_error <= 1e-5)
    in_float64 = (
        ErrorCheck(what, FLOAT64, error, 1e-5, error <= 1e-5)
        for what, error in zip((OUTPUT, TORCH), float64_errors, strict=True)
    )
    return DecoderResult(
        params=DecoderParams(**(params or {})),
        environment=Environment("cpu", "TTIR interpreter (CPU)"),
        metrics={name: Metric(float(value), "", Provenance.TRACED) for name, value in values.items()},
        checks=(block, *in_float64),
    )


CONTRARY = {
    "two-attentions": result(block__attentions=1),
    "decoder-only-has-one": result(decoder_only__attentions=2),
    "equals-torch": result(check_error=2e-5),
    "qkv-sources": result(memory_swap__q_change=1e-9),
    "gradient-through-k-and-v": result(gradient__neither=1e-12),
    "all-from-encoder": result(memory_swap__q_change=1, stream_swap__q_change=0),
    "cross-keys-can-be-kept": result(stream_swap__k_change=1e-9),
    "future-does-not-matter": result(future__changed=1),
    "source-reaches-everywhere": result(source__changed=48),
    "pads-do-not-matter": result(pads__changed=1),
    "equal-lengths-needed": result(shorter__error_torch=1e-2),
    "attention-aligns": result(cross__weight_on_wanted=0.2),
}


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_a_sound_result_gives_the_expected_verdict(claim: Claim) -> None:
    finding = claim.test(result())
    assert finding.verdict is claim.expected
    assert str(finding.evidence).endswith(".")


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_a_contrary_result_is_a_surprise(claim: Claim) -> None:
    assert claim.is_surprised_by(claim.test(CONTRARY[claim.id]))


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_an_empty_result_leaves_every_claim_untested(claim: Claim) -> None:
    assert claim.test(replace(result(), metrics={}, checks=())).verdict is Verdict.NOT_TESTED


@pytest.mark.parametrize("name", ["block.error_torch", "shorter.error_torch", "decoder_only.error_torch"])
def test_that_nan_is_not_taken_for_agreement(name: str) -> None:
    surprised = [
        claim.id for claim in TOPIC.claims
        if claim.is_surprised_by(claim.test(result(**{name.replace(".", "__"): float("nan")}, cross__visible_keys=9 if
                                                   name == "block.error_torch" else 7)))
    ]  # fmt: skip
    assert surprised == ["decoder-only-has-one" if "only" in name else "equal-lengths-needed"]


def test_that_a_change_on_the_flash_kernel_alone_refutes_too() -> None:
    claim = next(claim for claim in TOPIC.claims if claim.id == "future-does-not-matter")
    assert claim.test(result(perturbation__forbidden_moved=1)).verdict is Verdict.DOES_NOT_HOLD
    assert "switch it on" in str(claim.test(result({"causal": False})).evidence)


def test_that_a_model_that_has_not_learned_tests_no_alignment() -> None:
    claim = next(claim for claim in TOPIC.claims if claim.id == "attention-aligns")
    for changes in ({"accuracy__held_out": 0.6}, {"accuracy__typed": 0.5}):
        finding = claim.test(result(**changes, cross__weight_on_wanted=0.2))
        assert finding.verdict is Verdict.NOT_TESTED
        assert "training_steps" in str(finding.evidence)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (5e-6, 1.7e-5, Verdict.HOLDS_WITH_LIMIT),  # torch.nn's own rounding is beyond the limit
        (2e-5, 1.7e-5, Verdict.DOES_NOT_HOLD),  # and ours is worse
        (5e-6, 5e-6, Verdict.DOES_NOT_HOLD),
        (float("nan"), 1.7e-5, Verdict.DOES_NOT_HOLD),
    ],
)
def test_that_a_difference_beyond_the_limit_is_laid_to_torch_only_where_it_is_torchs(
    ours: float, theirs: float, verdict: Verdict
) -> None:
    claim = next(claim for claim in TOPIC.claims if claim.id == "equals-torch")
    assert claim.test(result(check_error=1.2e-5, float64_errors=(ours, theirs))).verdict is verdict
