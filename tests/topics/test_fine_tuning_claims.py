"""Every claim can hold and can fail: the predicates are fed results that say the opposite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.contracts.claims import Claim, Verdict
from core.contracts.result import Environment, Metric, Provenance, Result, Row
from core.topics.fine_tuning import TOPIC
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.model.prefix_mask import prefix_mask
from core.topics.fine_tuning.model.shapes import shape_of_small_model
from core.topics.fine_tuning.model.trained_modules import places_of
from core.topics.fine_tuning.params import FineTuningParams

CLAIMS = {claim.id: claim for claim in TOPIC.claims}
TOKENS = 5
PLAN = TOPIC.plan(FineTuningParams())
LAYERS = shape_of_small_model().layers


def method_rows(**changes: Any) -> list[Row]:
    return [
        {
            "method": method.value,
            "steps": 10,
            "trainable_parameters": PLAN.counts[method].trainable_parameters,
            "frozen_parameters": 0 if method is MethodId.FULL else PLAN.base_parameters,
            "frozen_unchanged": None if method is MethodId.FULL else True,
            "runs_on": "bitsandbytes" if method is MethodId.QLORA else "",
            "error": "",
        }
        | changes
        for method in METHODS
    ]


def place_rows(**moved: list[str]) -> list[Row]:
    """`moved` says of a method (underscores for hyphens) where it trains instead."""
    others = {name.replace("_", "-"): places for name, places in moved.items()}
    return [
        {
            "index": place.index,
            "place": place.id,
            "layer": place.layer,
            **{
                method.value: int(place.id in others[method.value])
                if method.value in others
                else PLAN.counts[method].trained_at.get(place.id, 0)
                for method in METHODS
            },
        }
        for place in places_of(PLAN.shape)
    ]


def labels(prefix_at: range = range(16)) -> list[Row]:
    return [
        {"method": "prefix-tuning", "position": position, "label": "x", "is_prefix": position in prefix_at}
        for position in range(16 + TOKENS)
    ]


def objective(**changes: float) -> list[Row]:
    row = {"method": "prefix-tuning", "loss": 0.5, "by_hand": 0.5, "target_tokens": 9, "input_tokens": 9,
           "prefix_tokens": 16, "without_prefix": 2.0, "base_model": 2.0}  # fmt: skip
    return [row | changes]


def through(**changes: dict[str, Any]) -> list[Row]:
    rows = {
        "adapters": {"tensors": 56, "with_gradient": 56, "norm": 1.0},
        "adapters of the first layer": {"tensors": 14, "with_gradient": 14, "norm": 0.5},
        "frozen 4-bit weights": {"tensors": 28, "with_gradient": 0, "norm": 0.0},
        "input of a 4-bit layer": {"tensors": 1, "with_gradient": 1, "norm": 10.0, "max_abs_difference": 0.0},
    }
    for name, change in changes.items():
        rows[name.replace("_", " ").replace("4 bit", "4-bit")] |= change
    return [{"method": "qlora", "what": what, "max_abs_difference": None} | row for what, row in rows.items()]


def result(
    tables: dict[str, list[Row]] | None = None,
    arrays: dict[str, np.ndarray] | None = None,
    base: float = PLAN.base_parameters,
) -> Result:
    places = place_rows()
    learned = np.full((2, len(places)), 0.1, dtype=np.float32)
    found = {
        "frozen_gradient.prefix-tuning": np.zeros(len(places), dtype=np.float32),
        "mask.prefix-tuning": prefix_mask(MethodId.PREFIX_TUNING, 16, TOKENS).astype(np.uint8),
        **{f"gradient.{method}": learned for method in METHODS},
    }
    return Result(
        topic=TOPIC.id,
        params=FineTuningParams().model_dump(mode="json"),
        environment=Environment("cpu", "torch"),
        metrics={"base.parameters": Metric(base, "parameters", Provenance.MEASURED_CPU)},
        arrays={**found, **(arrays or {})},
        tables={"methods": method_rows(), "places": places, "mask_labels": labels(), "objective": objective(),
                "gradients_through": through(), **(tables or {})},
    )  # fmt: skip


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_a_sound_result_gives_a_verdict_that_is_no_surprise(claim: Claim) -> None:
    finding = claim.test(result())
    assert finding.verdict is not Verdict.NOT_TESTED
    assert not claim.is_surprised_by(finding)
    assert finding.evidence.endswith(".")


def unseen_prefix() -> dict[str, np.ndarray]:
    mask = prefix_mask(MethodId.PREFIX_TUNING, 16, TOKENS).astype(np.uint8)
    mask[0, 3] = 0
    return {"mask.prefix-tuning": mask}


def bidirectional() -> dict[str, np.ndarray]:
    return {"mask.prefix-tuning": np.ones((TOKENS, 16 + TOKENS), dtype=np.uint8)}


def no_gradient_at(method: str, place: str) -> dict[str, np.ndarray]:
    index = next(row["index"] for row in place_rows() if row["place"] == place)
    gradient = np.full((2, len(place_rows())), 0.1, dtype=np.float32)
    gradient[:, index] = 0
    return {f"gradient.{method}": gradient}


EVERYWHERE = [f"layer.{layer}.prefix" for layer in range(LAYERS)]
CONTRARY = [
    ("prefix-tuning-freezes", result(arrays={"frozen_gradient.prefix-tuning": np.array([0, 1e-9], dtype=np.float32)})),
    ("prefix-tuning-freezes", result({"methods": method_rows(frozen_unchanged=False)})),
    ("prefix-tuning-objective", result({"objective": objective(by_hand=0.6)})),
    ("prefix-tuning-objective", result({"objective": objective(without_prefix=1.9)})),
    ("prefix-first", result({"mask_labels": labels(range(1, 17))})),
    ("prefix-first", result(arrays=unseen_prefix())),
    ("prefix-first", result(arrays=bidirectional())),
    ("embedding-or-every-layer", result({"places": place_rows(prompt_tuning=["prompt", "layer.0.prefix"])})),
    ("embedding-or-every-layer", result({"places": place_rows(p_tuning_v2=EVERYWHERE[1:])})),
    ("embedding-or-every-layer", result(arrays=no_gradient_at("p-tuning-v2", "layer.1.prefix"))),
    ("two-names-one-method", result({"places": place_rows(prompt_tuning=EVERYWHERE)})),
    ("p-tuning-v2-share", result(base=1e5)),
    ("p-tuning-v2-share", result(base=1e9)),
    ("qlora-gradients-through", result({"gradients_through": through(adapters={"with_gradient": 55})})),
    ("qlora-gradients-through", result({"gradients_through": through(frozen_4_bit_weights={"with_gradient": 1})})),
    (
        "qlora-gradients-through",
        result({"gradients_through": through(input_of_a_4_bit_layer={"max_abs_difference": 0.1})}),
    ),
    ("qlora-gradients-through", result({"methods": method_rows(frozen_unchanged=False)})),
]


@pytest.mark.parametrize(("claim_id", "found"), CONTRARY)
def test_that_a_contrary_result_is_a_surprise(claim_id: str, found: Result) -> None:
    claim = CLAIMS[claim_id]
    assert claim.is_surprised_by(claim.test(found))


NAN = float("nan")
STOPPED = {"methods": method_rows(error="The loss of step 11 is NaN.")}
UNJUDGED = [
    ("prefix-tuning-objective", result({**STOPPED, "objective": objective(loss=NAN, by_hand=NAN)})),
    ("prefix-tuning-objective", result({"objective": objective(loss=NAN)})),
    ("prefix-tuning-objective", result({"objective": objective(by_hand=float("inf"))})),
    ("prefix-first", result(STOPPED, arrays=unseen_prefix())),
    ("embedding-or-every-layer", result(STOPPED, arrays=no_gradient_at("p-tuning-v2", "layer.1.prefix"))),
    ("qlora-gradients-through", result({**STOPPED, "gradients_through": through(adapters={"with_gradient": 0})})),
    (
        "qlora-gradients-through",
        result({"gradients_through": through(adapters={"with_gradient": 0, "norm": NAN})}),
    ),
    (
        "qlora-gradients-through",
        result({"gradients_through": through(input_of_a_4_bit_layer={"max_abs_difference": NAN})}),
    ),
]


@pytest.mark.parametrize(("claim_id", "found"), UNJUDGED)
def test_that_a_stopped_method_or_no_number_refutes_nothing(claim_id: str, found: Result) -> None:
    finding = CLAIMS[claim_id].test(found)
    assert finding.verdict is Verdict.NOT_TESTED
    assert "stopped after 10 steps" in finding.evidence or "not finite" in finding.evidence
    assert finding.evidence.endswith(".")


@pytest.mark.parametrize("claim", TOPIC.claims, ids=lambda claim: claim.id)
def test_that_what_a_run_did_not_train_is_not_judged(claim: Claim) -> None:
    nothing: dict[str, list[Row]] = {"methods": [], "mask_labels": [], "objective": [], "gradients_through": []}
    finding = claim.test(result(nothing))
    assert finding.verdict is Verdict.NOT_TESTED
    assert "name it in the methods" in finding.evidence


def test_that_the_share_says_which_lengths_would_do() -> None:
    finding = CLAIMS["p-tuning-v2-share"].test(result())
    assert finding.verdict is Verdict.HOLDS_WITH_LIMIT
    assert "1.66% of this model's own 984,192" in finding.evidence
    assert "1.64% of the 1,000,576 with the prefix's" in finding.evidence
    assert "1 to 28 tokens" in finding.evidence
    none = CLAIMS["p-tuning-v2-share"].test(result(base=1e4))
    assert "no number of tokens" in none.evidence
