"""The check of outputs against a reference, whatever a contender does."""

from __future__ import annotations

import torch

from core.contracts.text import verbatim
from core.families.running.problem import Assessor, Outputs, Problem
from core.recordings.run import Outcome

X = torch.linspace(-3, 3, 1000)
EMPTY_OUTCOME = Outcome("a", verbatim("A"))


def problem(**fields: object) -> Problem:
    known = {"runs": {}, "exact": lambda: (X.double().exp(),), "plain": lambda: (X.half().exp(),)}
    return Problem(**{**known, **fields})  # type: ignore[arg-type]


def assessed(made: Problem, *outputs: torch.Tensor) -> Outcome:
    return Assessor(made)(EMPTY_OUTCOME, outputs)


def test_that_three_times_the_error_of_the_same_precision_is_allowed() -> None:
    right = assessed(problem(), X.half().exp())

    assert right.passed
    assert right.allowed_rms_error is not None
    assert right.rms_error is not None
    assert 2.9 < right.allowed_rms_error / right.rms_error < 3.1
    assert assessed(problem(), X.half().exp() * 1.01).passed is False


def test_that_a_given_limit_replaces_that_of_the_precision() -> None:
    loose = assessed(problem(allowed_rms_error=1.0), X.exp() * 1.01)

    assert (loose.passed, loose.allowed_rms_error) == (True, 1.0)


def test_that_the_worst_of_several_outputs_counts() -> None:
    def two() -> Outputs:
        return X.double(), X.double().exp()

    made = problem(exact=two, plain=lambda: (X.half(), X.half().exp()))

    assert assessed(made, X.half(), X.half().exp()).passed
    spoilt = assessed(made, X.half(), X.half().exp() + 1)
    assert spoilt.passed is False
    assert spoilt.max_abs_error is not None
    assert 0.9 < spoilt.max_abs_error < 1.1


def test_that_other_shapes_do_not_pass_and_say_what_was_expected() -> None:
    outcome = assessed(problem(), X[:10], X)

    assert outcome.passed is False
    assert str(outcome.reason) == "It returns tensors of shape [10], [1000], and the reference [1000]."


def test_that_changed_inputs_are_put_back_and_held_against_the_contender() -> None:
    tensor = torch.tensor([1.0, torch.nan, 3.0])
    assess = Assessor(problem(inputs=(tensor,)))

    kept = assess(EMPTY_OUTCOME, (X.half().exp(),))
    tensor.zero_()
    changed = assess(EMPTY_OUTCOME, (X.half().exp(),))

    assert kept.passed
    assert changed.passed is False
    assert "changes its inputs" in str(changed.reason)
    assert tensor[2] == 3.0


def test_that_without_a_reference_nothing_is_checked() -> None:
    assert assessed(problem(exact=None, plain=None), X) == EMPTY_OUTCOME


def test_that_the_reference_is_computed_once() -> None:
    calls: list[str] = []

    def exact() -> Outputs:
        calls.append("exact")
        return (X.double().exp(),)

    assess = Assessor(problem(exact=exact))
    for _ in range(3):
        assess(EMPTY_OUTCOME, (X.half().exp(),))

    assert calls == ["exact"]
