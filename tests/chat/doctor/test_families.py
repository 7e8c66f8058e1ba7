"""The templates that come with the program get a clean bill, with their tokenizers and sound conversations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.chat.doctor import Severity, TrainingSetup, examine
from core.chat.families import FAMILIES, family, family_tokenizer
from core.chat.messages import Conversation
from core.chat.targets import POLICIES
from tests.chat.doctor.patients import chat

DATA = (
    chat("What color is the sky?", "It is blue."),
    chat("What color is the sky?", "It is blue.", "And at night?", "It is black.\n\n- Stars\n- The moon"),
    chat("Hello.", "Hello!", system="Answer in few words."),
    chat("Write a function.", "def f(x):\n    return x + 1", "Thanks!", "You are welcome."),
)
THINKING = ("chatml", "tilescope")
"""The families whose templates write thoughts."""


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy != "all"])
def test_that_a_shipped_template_gets_a_clean_bill(name: str, policy: str) -> None:
    setup = TrainingSetup.of(
        {
            "policy": policy,
            "max_length": 512,
            "packing": "bfd",
            "gradient_accumulation": 2,
            "padding_masked_by": "token",
        }
    )
    thinking = DATA[0].with_message(1, replace(DATA[0].messages[1], thinking="By day, then."))
    data: tuple[Conversation, ...] = (*DATA, thinking) if name in THINKING else DATA
    for conversations in ((), data):
        findings = examine(family_tokenizer(name), family(name), setup, conversations)
        told = [f"{finding.failure}: {finding.sentence}" for finding in findings if finding.severity is Severity.ILL]
        assert not told


@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].adds])
def test_that_the_tokens_in_front_are_doubled_if_the_tokenizer_adds_them_too(name: str) -> None:
    findings = examine(family_tokenizer(name), family(name), TrainingSetup(adds_special_tokens=True))
    (ill,) = [finding for finding in findings if finding.severity is Severity.ILL]
    assert ill.failure == "bos-doubled"
    adds = FAMILIES[name].adds
    assert ill.evidence[0].tokens == (*adds, *adds)
