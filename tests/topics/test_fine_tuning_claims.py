"""Every claim can hold and can fail: the predicates are fed results that say the opposite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.contracts.claims import Claim, Verdict
from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, verbatim
from core.topics.fine_tuning import TOPIC
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import prefix_mask
from core.topics.fine_tuning.result import (
    FineTuningResult,
    GradientEvidence,
    MaskColumn,
    MethodResult,
    MethodSummary,
    PrefixObjective,
)
from core.topics.fine_tuning.shapes import shape_of_small_model

CLAIMS = {claim.id: claim for claim in TOPIC.claims}
TOKENS = 5
PLAN = TOPIC.plan(FineTuningParams())
LAYERS = shape_of_small_model().layers
PREFIX, PROMPT, V2, QLORA = (
    MethodId.PREFIX_TUNING,
    MethodId.PROMPT_TUNING,
    MethodId.P_TUNING_V2,
    MethodId.QLORA,
)


def summary(method: MethodId, **changes: Any) -> MethodSummary:
    counts = PLAN.counts[method]
    made: dict[str, Any] = {
        "method": method,
        "steps": 10,
        "trainable_parameters": counts.trainable_parameters,
        "total_parameters": counts.total_parameters,
        "extra_parameters": counts.extra_parameters,
        "steps_per_s": 5.0,
        "learning_rate": 1e-3,
        "final_loss": 0.3,
        "held_out_loss": 0.4,
        "memory": counts.memory,
        "frozen_unchanged": None if method is MethodId.FULL else True,
        "runs_on": verbatim("bitsandbytes") if method is QLORA else EMPTY,
    }
    return MethodSummary(**made | changes)


def columns(prefix_at: range = range(16)) -> tuple[MaskColumn, ...]:
    return tuple(MaskColumn("x", position in prefix_at) for position in range(16 + TOKENS))


def objective(**changes: float) -> PrefixObjective:
    made: dict[str, Any] = {"loss": 0.5, "by_hand": 0.5, "target_tokens": 9, "input_tokens": 9,
                            "prefix_tokens": 16, "without_prefix": 2.0, "base_model": 2.0}  # fmt: skip
    return PrefixObjective(**made | changes)


def evidence(**changes: dict[str, Any]) -> tuple[GradientEvidence, ...]:
    rows: dict[str, dict[str, Any]] = {
        "adapters": {"tensors": 56, "with_gradient": 56, "norm": 1.0},
        "adapters of the first layer": {"tensors": 14, "with_gradient": 14, "norm": 0.5},
        "frozen 4-bit weights": {"tensors": 28, "with_gradient": 0, "norm": 0.0},
        "input of a 4-bit layer": {"tensors": 1, "with_gradient": 1, "norm": 10.0, "max_abs_difference": 0.0},
    }
    for name, change in changes.items():
        rows[name.replace("_", " ").replace("4 bit", "4-bit")] |= change
    return tuple(GradientEvidence(what=what, **row) for what, row in rows.items())


def result(
    changes: Mapping[MethodId, Mapping[str, Any]] | None = None,
    base: float = PLAN.base_parameters,
    **summary_changes: Any,
) -> FineTuningResult:
    """A sound run; `changes` are fields of methods that differ, `summary_changes` numbers of every method that do."""
    learned = np.full((2, len(PLAN.places)), 0.1, dtype=np.float32)
    methods = {
        method: {
            "summary": summary(method, **summary_changes),
            "trained_at": PLAN.counts[method].trained_at,
            "gradient_norms": learned,
        }
        for method in METHODS
    }
    methods[PREFIX] |= {
        "frozen_gradients": np.zeros(len(PLAN.places), dtype=np.float32),
        "mask": prefix_mask(PREFIX, 16, TOKENS).astype(np.uint8),
        "mask_columns": columns(),
        "objective": objective(),
    }
    methods[QLORA] |= {"gradient_evidence": evidence()}
    return FineTuningResult(
        params=FineTuningParams(),
        metrics={"base.parameters": Metric(base, "parameters", Provenance.MEASURED_CPU)},
        methods={
            method: MethodResult(**fields | dict((changes or {}).get(method, {}))) for method, fields in methods.items()
        },
        places=PLAN.places,
    )


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_a_sound_result_gives_a_verdict_that_is_no_surprise(claim: Claim) -> None:
    finding = claim.test(result())
    assert finding.verdict is not Verdict.NOT_TESTED
    assert not claim.is_surprised_by(finding)
    assert str(finding.evidence).endswith(".")


def unseen_prefix() -> dict[MethodId, dict[str, Any]]:
    mask = prefix_mask(PREFIX, 16, TOKENS).astype(np.uint8)
    mask[0, 3] = 0
    return {PREFIX: {"mask": mask}}


def no_gradient_at(method: MethodId, place_id: str) -> dict[MethodId, dict[str, Any]]:
    index = next(place.index for place in PLAN.places if place.id == place_id)
    norms = np.full((2, len(PLAN.places)), 0.1, dtype=np.float32)
    norms[:, index] = 0
    return {method: {"gradient_norms": norms}}


def trained_at(method: MethodId, places: list[str]) -> dict[MethodId, dict[str, Any]]:
    return {method: {"trained_at": dict.fromkeys(places, 1)}}


EVERYWHERE = [f"layer.{layer}.prefix" for layer in range(LAYERS)]
BIDIRECTIONAL = np.ones((TOKENS, 16 + TOKENS), dtype=np.uint8)
CONTRARY = [
    ("prefix-tuning-freezes", result({PREFIX: {"frozen_gradients": np.array([0, 1e-9], dtype=np.float32)}})),
    ("prefix-tuning-freezes", result(frozen_unchanged=False)),
    ("prefix-tuning-objective", result({PREFIX: {"objective": objective(by_hand=0.6)}})),
    ("prefix-tuning-objective", result({PREFIX: {"objective": objective(without_prefix=1.9)}})),
    ("prefix-first", result({PREFIX: {"mask_columns": columns(range(1, 17))}})),
    ("prefix-first", result(unseen_prefix())),
    ("prefix-first", result({PREFIX: {"mask": BIDIRECTIONAL}})),
    ("embedding-or-every-layer", result(trained_at(PROMPT, ["prompt", "layer.0.prefix"]))),
    ("embedding-or-every-layer", result(trained_at(V2, EVERYWHERE[1:]))),
    ("embedding-or-every-layer", result(no_gradient_at(V2, "layer.1.prefix"))),
    ("two-names-one-method", result(trained_at(PROMPT, EVERYWHERE))),
    ("p-tuning-v2-share", result(base=1e5)),
    ("p-tuning-v2-share", result(base=1e9)),
    ("qlora-gradients-through", result({QLORA: {"gradient_evidence": evidence(adapters={"with_gradient": 55})}})),
    (
        "qlora-gradients-through",
        result({QLORA: {"gradient_evidence": evidence(frozen_4_bit_weights={"with_gradient": 1})}}),
    ),
    (
        "qlora-gradients-through",
        result({QLORA: {"gradient_evidence": evidence(input_of_a_4_bit_layer={"max_abs_difference": 0.1})}}),
    ),
    ("qlora-gradients-through", result(frozen_unchanged=False)),
]


@pytest.mark.parametrize(("claim_id", "run"), CONTRARY)
def test_that_a_contrary_result_is_a_surprise(claim_id: str, run: FineTuningResult) -> None:
    claim = CLAIMS[claim_id]
    assert claim.is_surprised_by(claim.test(run))


NAN = float("nan")
STOPPED = {"error": verbatim("The loss of step 11 is NaN.")}
UNJUDGED = [
    ("prefix-tuning-objective", result({PREFIX: {"objective": objective(loss=NAN, by_hand=NAN)}}, **STOPPED)),
    ("prefix-tuning-objective", result({PREFIX: {"objective": objective(loss=NAN)}})),
    ("prefix-tuning-objective", result({PREFIX: {"objective": objective(by_hand=float("inf"))}})),
    ("prefix-first", result(unseen_prefix(), **STOPPED)),
    ("embedding-or-every-layer", result(no_gradient_at(V2, "layer.1.prefix"), **STOPPED)),
    (
        "qlora-gradients-through",
        result({QLORA: {"gradient_evidence": evidence(adapters={"with_gradient": 0})}}, **STOPPED),
    ),
    (
        "qlora-gradients-through",
        result({QLORA: {"gradient_evidence": evidence(adapters={"with_gradient": 0, "norm": NAN})}}),
    ),
    (
        "qlora-gradients-through",
        result({QLORA: {"gradient_evidence": evidence(input_of_a_4_bit_layer={"max_abs_difference": NAN})}}),
    ),
]


@pytest.mark.parametrize(("claim_id", "run"), UNJUDGED)
def test_that_a_stopped_method_or_no_number_refutes_nothing(claim_id: str, run: FineTuningResult) -> None:
    finding = CLAIMS[claim_id].test(run)
    assert finding.verdict is Verdict.NOT_TESTED
    assert "stopped after 10 steps" in str(finding.evidence) or "not finite" in str(finding.evidence)
    assert str(finding.evidence).endswith(".")


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_what_a_run_did_not_train_is_not_judged(claim: Claim) -> None:
    finding = claim.test(replace(result(), methods={}))
    assert finding.verdict is Verdict.NOT_TESTED
    assert "select it in Methods" in str(finding.evidence)


def test_that_the_share_says_which_lengths_would_do() -> None:
    finding = CLAIMS["p-tuning-v2-share"].test(result())
    assert finding.verdict is Verdict.HOLDS_WITH_LIMIT
    assert "1.66% of this model's own 984,192" in str(finding.evidence)
    assert "1.64% of the 1,000,576 that include the prefix" in str(finding.evidence)
    assert "1 to 28 tokens" in str(finding.evidence)
    none = CLAIMS["p-tuning-v2-share"].test(result(base=1e4))
    assert "No prefix length" in str(none.evidence)
