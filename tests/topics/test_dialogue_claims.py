"""Every claim of the dialogue page can hold and can fail: the predicates are fed results that say the opposite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.contracts.claims import Verdict
from core.contracts.text import tr
from core.topics.dialogue import TOPIC
from core.topics.dialogue.choices import DROP_MASK, LAST_TURN_WAY, ONE_PASS, PAD_WITH_END, PER_TURN
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.result import (
    Behaviour,
    Curve,
    DialogueResult,
    Equality,
    HistoryNeed,
    LeakedAnswer,
    LeakedDocument,
    PositionScheme,
    SabotageRun,
    WayRun,
)
from core.topics.dialogue.ways import WayCost

CLAIMS = {claim.id: claim for claim in TOPIC.claims}
HOLDS, LIMITED, FAILS = Verdict.HOLDS, Verdict.HOLDS_WITH_LIMIT, Verdict.DOES_NOT_HOLD
STEPS = 20


def curve(correct: tuple[float, ...] = (0.8, 0.8), first: float = 5.0, last: float = 0.3, steps: int = STEPS) -> Curve:
    """A training whose loss falls to `last` with a little scatter, and whose answers end as right as `correct`."""
    losses = np.full(steps, last) + 0.1 * np.sin(np.arange(steps))
    losses[0] = first
    return Curve(
        loss=losses.astype(np.float32),
        num_tokens=np.arange(1, steps + 1) * 100,
        num_targets=np.arange(1, steps + 1) * 30,
        eval_step=np.array([0, steps]),
        eval_loss=np.array([5.0, 0.4], dtype=np.float32),
        eval_correct=np.array([[0.0] * len(correct), correct], dtype=np.float32),
    )


def way(name: str, *correct: float, targets: int = 100) -> WayRun:
    return WayRun(name, 0, STEPS, WayCost(name, 10, 300, targets, 100), curve(correct), finished=True)


def equality(**changes: Any) -> Equality:
    small = np.full(3, 1e-15)
    made = Equality(("a", "b", "c"), np.full(3, 1e-7), small, np.full(3, 0.3), small, 4, 12, 100, 300, 700)
    return replace(made, **changes)


def spoke(stops: float, speaks: float = 0.0) -> Behaviour:
    return Behaviour(32, 32, stops, speaks)


def document(leaked: float, masked: float = 1e-7) -> LeakedDocument:
    return LeakedDocument(0, 1, 60, 80, 0.4, 0.4 + masked, 0.4 + leaked, 1e-5, 9.0)


def answers(took: int, of: int = 24) -> tuple[tuple[LeakedAnswer, ...], dict[str, float]]:
    made = tuple(LeakedAnswer("", "", "", "", "", number < took, False, False) for number in range(of))
    return made, {"alone": 0.0, "masked": 0.0, "without_mask": took / of}


def scheme(name: str, logits: float, more: float) -> PositionScheme:
    return PositionScheme(name, tr("learned absolute"), logits < 1, tr("all"), logits, 0.5, 0.5 + more, 90)


def result(**changes: Any) -> DialogueResult:
    """A complete run in which every claim is as expected."""
    leaked_answers, share = answers(20)
    made = DialogueResult(
        params=DialogueParams(steps=STEPS, turns=2),
        ways=(way(LAST_TURN_WAY, 0.1, 0.7, targets=30), way(PER_TURN, 0.5, 0.5), way(ONE_PASS, 0.8, 0.8)),
        equality=equality(),
        history=HistoryNeed(np.array([0.8, 0.8]), np.array([0.8, 0.0]), 96),
        behaviour=spoke(1.0),
        leaks=(document(0.5),),
        leaked_answers=leaked_answers,
        leaked_share=share,
        schemes=(scheme("rope", 1e-14, 0.0), scheme("learned", 3.0, 0.4)),
        sabotages=(
            SabotageRun(DROP_MASK, curve(last=0.7), spoke(1.0, 1.0), finished=True),
            SabotageRun(PAD_WITH_END, curve(last=0.32), spoke(0.0), finished=True),
        ),
    )
    return replace(made, **changes)


def verdict(claim: str, **changes: Any) -> Verdict:
    return CLAIMS[claim].test(result(**changes)).verdict


def ways(*runs: WayRun) -> tuple[WayRun, ...]:
    names = {run.way for run in runs}
    return (*(run for run in result().ways if run.way not in names), *runs)


def mistaken(mistake: str, **changes: Any) -> tuple[SabotageRun, ...]:
    return tuple(replace(run, **changes) if run.mistake == mistake else run for run in result().sabotages)


@pytest.mark.parametrize(
    ("claim", "changes", "expected"),
    [
        ("one-pass-equals-one-example-per-turn", {}, HOLDS),
        ("one-pass-equals-one-example-per-turn", {"equality": equality(float64=np.full(3, 1e-3))}, FAILS),
        ("one-pass-equals-one-example-per-turn", {"equality": equality(float32=np.full(3, 0.1))}, FAILS),
        ("one-pass-equals-one-example-per-turn", {"equality": equality(per_turn_tokens=200)}, FAILS),
        ("last-turn-loses-targets", {}, LIMITED),
        ("last-turn-loses-targets", {"ways": ways(way(LAST_TURN_WAY, 0.0, 0.7, targets=30))}, HOLDS),
        ("last-turn-loses-targets", {"ways": ways(way(LAST_TURN_WAY, 0.8, 0.7, targets=30))}, FAILS),
        ("one-pass-learns-most", {}, HOLDS),
        ("one-pass-learns-most", {"ways": ways(way(PER_TURN, 0.8, 0.79))}, FAILS),
        ("later-turns-need-history", {}, HOLDS),
        (
            "later-turns-need-history",
            {"history": HistoryNeed(np.array([0.8, 0.8]), np.array([0.8, 0.79]), 96)},
            FAILS,
        ),
        ("unmasked-speaks-for-user", {}, LIMITED),
        ("unmasked-speaks-for-user", {"sabotages": mistaken(DROP_MASK, behaviour=spoke(0.0, 1.0))}, HOLDS),
        ("unmasked-speaks-for-user", {"sabotages": mistaken(DROP_MASK, behaviour=spoke(1.0, 0.03))}, FAILS),
        ("unmasked-speaks-for-user", {"behaviour": spoke(1.0, float("nan"))}, Verdict.NOT_TESTED),
        ("pad-with-end-does-not-stop", {}, HOLDS),
        ("pad-with-end-does-not-stop", {"sabotages": mistaken(PAD_WITH_END, behaviour=spoke(0.97))}, FAILS),
        ("mask-error-shows-in-loss", {}, FAILS),
        ("mask-error-shows-in-loss", {"sabotages": mistaken(DROP_MASK, curve=curve(last=4.5))}, LIMITED),
        ("mask-error-shows-in-loss", {"sabotages": (result().sabotages[0],)}, FAILS),
        ("packing-leaks-without-mask", {}, HOLDS),
        ("packing-leaks-without-mask", {"leaks": (document(1e-6),)}, FAILS),
        ("packing-leaks-without-mask", {"leaks": (document(0.5, masked=0.2),)}, FAILS),
        ("masked-packing-is-exact", {}, HOLDS),
        ("masked-packing-is-exact", {"equality": equality(packed=np.full(3, 1e-4))}, FAILS),
        ("positions-need-no-reset", {}, LIMITED),
        ("positions-need-no-reset", {"schemes": (scheme("rope", 1e-14, 0.0),)}, HOLDS),
        ("positions-need-no-reset", {"schemes": (scheme("learned", 3.0, 0.4),)}, FAILS),
    ],
)
def test_that_a_claim_follows_the_figures(claim: str, changes: dict[str, Any], expected: Verdict) -> None:
    assert verdict(claim, **changes) is expected


def test_that_answers_that_take_nothing_from_a_neighbour_are_no_leak() -> None:
    leaked_answers, share = answers(1)
    assert verdict("packing-leaks-without-mask", leaked_answers=leaked_answers, leaked_share=share) is FAILS


@pytest.mark.parametrize("claim", CLAIMS)
def test_that_a_run_without_experiments_tests_no_claim(claim: str) -> None:
    finding = CLAIMS[claim].test(DialogueResult(params=DialogueParams(experiments="none")))
    assert finding.verdict is Verdict.NOT_TESTED
    assert "This run did not" in str(finding.evidence)


@pytest.mark.parametrize("claim", CLAIMS)
def test_that_the_expected_verdict_is_that_of_a_sound_run_with_its_numbers(claim: str) -> None:
    finding = CLAIMS[claim].test(result())
    assert not CLAIMS[claim].is_surprised_by(finding)
    assert any(character.isdigit() for character in str(finding.evidence))
    assert "measured (CPU)" in str(finding.evidence)


def test_that_the_evidence_names_the_mistakes_and_what_their_losses_do() -> None:
    evidence = str(CLAIMS["mask-error-shows-in-loss"].test(result()).evidence)
    assert "drop the mask of user turns 5.00 to 0.68" in evidence
    assert "1 of 2 end within the scatter" in evidence
