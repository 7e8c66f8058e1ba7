"""The doctor names each planted failure with its tokens and its repair, and nothing else."""

from __future__ import annotations

import pytest

from core.chat.doctor import FAILURES, Finding, Severity, TrainingSetup, examine
from tests.chat.doctor.patients import chat, template, tokenizer
from tests.chat.doctor.planted import PLANTED, Plant


def ill(plant: Plant) -> dict[str, Finding]:
    findings = examine(plant.tokenizer, plant.template, plant.setup, plant.data)
    assert [finding.failure for finding in findings] == list(FAILURES)
    return {finding.failure: finding for finding in findings if finding.severity is Severity.ILL}


def test_that_every_failure_is_planted() -> None:
    assert set(PLANTED) == set(FAILURES)


@pytest.mark.parametrize("failure", PLANTED)
def test_that_a_planted_failure_is_named_with_its_tokens_and_its_repair(failure: str) -> None:
    plant = PLANTED[failure]
    found = ill(plant)
    assert set(found) == {failure, *plant.others}
    finding = found[failure]
    assert plant.sentence in str(finding.sentence)
    assert any(plant.tokens in "".join(evidence.tokens) for evidence in finding.evidence)
    assert finding.evidence
    assert str(finding.repair)


def test_that_a_sound_template_gets_a_clean_bill() -> None:
    data = (chat("What color is the sky?", "It is blue."), chat("Hi.", "Hello.", "Bye.", "Bye.", system="Be short."))
    findings = examine(tokenizer(), template(), TrainingSetup(max_length=200, packing="bfd"), data)
    assert not [str(finding.sentence) for finding in findings if finding.severity is Severity.ILL]
