"""Tokens that the tokenizer adds around a text are tokens of the training row: they count, and what follows moves."""

from __future__ import annotations

import pytest

from core.chat.doctor import Finding, Severity, TrainingSetup, examine
from core.chat.rendering import render
from core.chat.rows import conversation_rows
from core.chat.targets import IGNORED, targets
from tests.chat.doctor.patients import BOS, END, chat, template, tokenizer
from tests.chat.doctor.planted import PLANTED

TALK = chat("What color is the sky?", "It is blue.", "And at night?", "It is black.")
ADDING = tokenizer(adds_bos=True, adds_eos=True)
OF_TOKENS = {
    "end-of-turn-not-learned", "mask-covers-user", "mask-loses-first-token", "mask-loses-last-token",
    "mask-begins-too-late", "mask-runs-too-far", "whitespace-stripped", "special-token-typed", "message-dropped",
    "no-target", "roles-do-not-alternate", "truncation-removes-answer", "truncation-removes-all-targets",
}  # fmt: skip
"""Failures whose tokens are those of a conversation of the data."""


def ill(setup: TrainingSetup) -> dict[str, Finding]:
    findings = examine(ADDING, template(), setup, (TALK,))
    return {finding.failure: finding for finding in findings if finding.severity is Severity.ILL}


@pytest.mark.parametrize("failure", sorted(OF_TOKENS))
def test_that_evidence_is_where_its_tokens_are_in_the_row(failure: str) -> None:
    plant = PLANTED[failure]
    setup = plant.setup.model_copy(update={"adds_special_tokens": True})
    conversation = plant.data[0] if plant.data else TALK
    (found,) = [each for each in examine(ADDING, plant.template, setup, (conversation,)) if each.failure == failure]
    text = render(plant.template, conversation).text
    encoded = ADDING.encode(text, add_special_tokens=True)
    spans = zip(encoded.starts, encoded.ends, encoded.tokens, strict=True)
    row = [text[start:end] or token for start, end, token in spans]
    shown = [evidence for evidence in found.evidence if evidence.conversation == 1]
    assert shown
    for evidence in shown:
        assert evidence.tokens == tuple(row[evidence.start : evidence.end][: len(evidence.tokens)])
        assert len(evidence.targets) == len(evidence.tokens)


def test_that_truncation_counts_the_added_tokens() -> None:
    """66 tokens of the text and one in front of it fit into 67, and what is behind it is no target."""
    setup = TrainingSetup(adds_special_tokens=True, max_length=67)
    assert not ill(setup)
    found = ill(setup.model_copy(update={"max_length": 65}))["truncation-removes-answer"]
    assert "The conversation has 68 tokens and max_length is 65: 1 of 17 targets" in str(found.sentence)


def test_that_the_doubled_token_is_evidence_of_the_conversation() -> None:
    findings = examine(ADDING, PLANTED["bos-doubled"].template, TrainingSetup(adds_special_tokens=True), (TALK,))
    (found,) = [finding for finding in findings if finding.severity is Severity.ILL]
    assert found.conversations == 1
    assert [(each.conversation, each.start, each.tokens) for each in found.evidence] == [
        (0, 0, (BOS, BOS)),
        (1, 0, (BOS, BOS)),
    ]


def test_that_added_tokens_lie_around_the_text() -> None:
    text = render(template(), TALK).text
    encoded, bare = ADDING.encode(text, add_special_tokens=True), ADDING.encode(text)
    assert encoded.tokens == (BOS, *bare.tokens, END)
    assert (encoded.starts[0], encoded.ends[0]) == (0, 0)
    assert (encoded.starts[-1], encoded.ends[-1]) == (len(text), len(text))
    assert (encoded.in_front, bare.in_front) == (1, 0)
    assert [encoded.token_at(place) - 1 for place in range(len(text))] == [
        bare.token_at(place) for place in range(len(text))
    ]


def test_that_added_tokens_are_of_no_message_and_not_of_the_template() -> None:
    bare = template("{% for message in messages %}{{ message.content }}{% endfor %}")
    rendered = render(bare, TALK)
    encoded = ADDING.encode(rendered.text, add_special_tokens=True)
    rows = conversation_rows(rendered, encoded, targets(rendered, encoded, "all"))
    for number in (0, len(rows) - 1):
        assert (rows.message[number], rows.role[number], rows.piece[number]) == (-1, -1, -1)
        assert (rows.template_start[number], rows.template_end[number]) == (-1, -1)
        assert rows.special[number]
        assert not rows.typed[number]
    assert (rows.message[1:-1] >= 0).all()
    assert rows.from_content[1:-1].all()


def test_that_the_prompt_that_the_completion_follows_has_the_token_in_front() -> None:
    rendered = render(template(), TALK)
    encoded = ADDING.encode(rendered.text, add_special_tokens=True)
    first = int((targets(rendered, encoded, "completion_only").labels != IGNORED).argmax())
    assert rendered.text[encoded.starts[first] :].startswith(TALK.messages[-1].content)
