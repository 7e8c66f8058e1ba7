from __future__ import annotations

import math

import pytest
from pydantic import TypeAdapter

from core.contracts.claims import Finding, Verdict
from core.contracts.result import Metric, Provenance
from core.contracts.text import verbatim
from core.questions.guess_facts import Guess
from core.questions.guesses import ChoiceGuess, NumberGuess, Outcome, VerdictGuess, metrics_of

READ: TypeAdapter[NumberGuess | VerdictGuess | ChoiceGuess] = TypeAdapter(Guess)


def metrics(**values: float) -> dict[str, Metric]:
    return {name: Metric(value, "", Provenance.TRACED) for name, value in values.items()}


def test_that_a_number_is_compared_in_the_unit_that_was_asked_for() -> None:
    guess = READ.validate_python({"kind": "number", "metric": "bytes", "unit": "kB", "per": 1e3, "within": 0.1})
    truth = guess.truth(metrics(bytes=131_072), {})
    assert truth == 131.072
    judged = [guess.judge(number, truth) for number in (131, 120, 100, 90, 0)]
    assert judged == [Outcome.RIGHT, Outcome.RIGHT, Outcome.CLOSE, Outcome.WRONG, Outcome.WRONG]
    assert metrics_of(guess) == ("bytes",)


def test_that_a_margin_counts_where_the_truth_is_zero() -> None:
    guess = READ.validate_python({"kind": "number", "metric": "share", "margin": 5})
    assert [guess.judge(number, 0.0) for number in (5, 15, 16)] == [Outcome.RIGHT, Outcome.CLOSE, Outcome.WRONG]


def test_that_a_metric_that_is_missing_or_no_number_has_no_truth() -> None:
    guess = READ.validate_python({"kind": "number", "metric": "bytes", "within": 0.1})
    assert guess.truth({}, {}) is None
    assert guess.truth(metrics(bytes=math.nan), {}) is None


def test_that_a_verdict_is_that_of_the_run() -> None:
    guess = READ.validate_python({"kind": "verdict", "claim": "exact"})
    assert metrics_of(guess) == ()
    assert guess.truth({}, {}) is None
    assert guess.truth({}, {"exact": Finding(Verdict.NOT_TESTED, verbatim("no GPU"))}) is None
    assert guess.truth({}, {"exact": Finding(Verdict.HOLDS, verbatim("equal"))}) is Verdict.HOLDS


@pytest.mark.parametrize(
    ("guessed", "truth", "outcome"),
    [
        (Verdict.HOLDS, Verdict.HOLDS, Outcome.RIGHT),
        (Verdict.HOLDS, Verdict.HOLDS_WITH_LIMIT, Outcome.CLOSE),
        (Verdict.DOES_NOT_HOLD, Verdict.HOLDS_WITH_LIMIT, Outcome.CLOSE),
        (Verdict.DOES_NOT_HOLD, Verdict.HOLDS, Outcome.WRONG),
    ],
)
def test_that_a_limit_is_close_to_both_other_verdicts(guessed: Verdict, truth: Verdict, outcome: Outcome) -> None:
    assert READ.validate_python({"kind": "verdict", "claim": "exact"}).judge(guessed, truth) is outcome


def test_that_a_choice_is_the_largest_or_smallest_metric() -> None:
    options = {"nf4": "nf4.snr_db", "int4": "int4.snr_db"}
    known = {"nf4.snr_db": 20.7, "int4.snr_db": 19.3}
    measured = {name: Metric(value, "dB", Provenance.MEASURED_CPU) for name, value in known.items()}
    largest, smallest = (READ.validate_python({"kind": kind, "metrics": options}) for kind in ("largest", "smallest"))
    assert (largest.truth(measured, {}), smallest.truth(measured, {})) == ("nf4", "int4")
    assert largest.truth({"nf4.snr_db": measured["nf4.snr_db"]}, {}) is None
    assert (largest.judge("nf4", "nf4"), largest.judge("int4", "nf4")) == (Outcome.RIGHT, Outcome.WRONG)
