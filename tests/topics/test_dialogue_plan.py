"""The plan of the dialogue page: rows, targets, packed rows and problems, without a run."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest

from core.chat.doctor import Severity
from core.chat.messages import Conversation, Message
from core.chat.packing_masks import rows_layout
from core.contracts.errors import InvalidParams
from core.masks import visible_matrix
from core.topics.dialogue import training_set
from core.topics.dialogue.choices import FAMILY_LABELS, ONE_PASS, PER_TURN
from core.topics.dialogue.example import EXAMPLE_CONVERSATION
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.plan import check, plan

BROKEN = "{% for message in messages %}\n{{ message. }}{% endfor %}"


@pytest.fixture(autouse=True)
def few_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_set, "CONVERSATIONS", 12)
    monkeypatch.setattr(training_set, "_sets", OrderedDict())


@pytest.mark.parametrize("template", FAMILY_LABELS)
def test_that_every_shipped_family_learns_from_all_assistant_turns_and_is_sound(template: str) -> None:
    planned = plan(DialogueParams(template=template))

    assert not planned.problem
    assert planned.rows is not None
    assert len(planned.rows) == len(planned.example_of) == len(planned.targets_of["all"])
    assert set(planned.example_of.tolist()) == {-1, 0, 1, 2}
    assert (planned.example_of >= 0).tolist() == planned.targets_of["assistant_only"].tolist()
    costs = {cost.way: cost for cost in planned.ways}
    assert costs[ONE_PASS].targets == costs[PER_TURN].targets == int((planned.example_of >= 0).sum())
    assert costs[ONE_PASS].tokens < costs[PER_TURN].tokens
    assert not [found for found in planned.examine() if found.severity is Severity.ILL]


def test_that_broken_jinja_is_told_with_its_line_and_the_conversation_stays() -> None:
    planned = plan(DialogueParams(template="pasted", jinja=BROKEN))

    assert planned.blames == "jinja"
    assert planned.template_error is not None
    assert planned.template_error[0] == 2
    assert "2" in str(planned.problem)
    assert planned.conversation == EXAMPLE_CONVERSATION
    assert planned.template is not None
    assert planned.rows is None
    assert planned.ways == ()
    assert planned.packed_rows is None


@pytest.mark.parametrize(
    ("conversation", "words"),
    [
        ("{", "The conversation is no JSON"),
        ("[" * 100_000, "The conversation is no JSON"),
        ("[]", "has no message"),
        ('{"text": "Hello"}', "This is no conversation"),
    ],
)
def test_that_a_broken_conversation_is_a_problem_of_the_plan(conversation: str, words: str) -> None:
    planned = plan(DialogueParams(conversation=conversation))

    assert words in str(planned.problem)
    assert planned.blames == "conversation"
    assert planned.rows is None


def test_that_a_run_without_anything_to_examine_is_refused() -> None:
    with pytest.raises(InvalidParams, match="no JSON"):
        check(DialogueParams(conversation="{"))
    check(DialogueParams(conversation="{", data="talks.jsonl"))
    check(DialogueParams(template="pasted", jinja=BROKEN))


def test_that_a_pad_token_that_does_not_exist_is_a_problem_and_the_rows_stay() -> None:
    params = DialogueParams(pad_token="<nothing>")
    planned = plan(params)

    assert planned.blames == "pad_token"
    assert planned.rows is not None
    assert planned.examine() == ()
    with pytest.raises(InvalidParams, match="<nothing>"):
        check(params)


def test_that_a_packed_row_holds_the_conversation_among_others() -> None:
    planned = plan(DialogueParams(max_length=512))
    alone, packed = planned.rows, planned.packed_rows

    assert alone is not None
    assert packed is not None
    assert planned.rendered is not None
    own = planned.own
    assert packed.id[own].tolist() == alone.id.tolist()
    assert packed.start[own].tolist() == alone.start.tolist()
    assert packed.label[own].tolist() == alone.label.tolist()
    assert packed.position[own].tolist() == list(range(len(alone)))
    foreign = np.ones(len(packed), dtype=bool)
    foreign[own] = False
    assert foreign.any()
    assert (packed.start[foreign] == -1).all()
    assert (packed.role[own] == alone.role).all()
    assert len(np.unique(packed.segment)) == packed.segment[-1] + 1 > 1
    assert len(packed) <= 512
    seen = visible_matrix(planned.mask, rows_layout(packed))
    assert not seen[own, : own.start].any()
    assert planned.packed_texts[own] == planned.texts
    assert "".join(planned.texts) == planned.rendered.text
    assert " ".join(planned.packed_texts).count("<bos>") == packed.segment[-1] + 1
    forgotten = plan(DialogueParams(max_length=512, document_mask=False, positions_reset=False))
    row = forgotten.packed_rows
    assert row is not None
    assert row.position.tolist() == list(range(len(row)))
    assert visible_matrix(forgotten.mask, rows_layout(row)).sum() == len(row) * (len(row) + 1) // 2


def test_that_a_window_hides_what_is_further_away() -> None:
    planned = plan(DialogueParams(window=4))
    assert planned.rows is not None
    assert visible_matrix(planned.mask, rows_layout(planned.rows)).sum(axis=1).max() == 4


def test_that_what_truncation_cuts_is_no_target_and_wrapping_cuts_nothing() -> None:
    cut, wrapped = plan(DialogueParams(max_length=64)), plan(DialogueParams(max_length=64, packing="wrapped"))

    assert cut.rows is not None
    assert wrapped.rows is not None
    assert cut.rows.kept.sum() == 64
    assert (cut.rows.label[64:] == -100).all()
    assert wrapped.rows.kept.all()
    ill = {found.failure for found in cut.examine() if found.severity is Severity.ILL}
    assert "truncation-removes-answer" in ill


def test_that_padding_with_the_end_token_takes_it_out_of_the_labels() -> None:
    planned = plan(DialogueParams(pad_token="<end>", padding_masked_by="token"))
    rows = planned.rows

    assert rows is not None
    ends = np.array([token == "<end>" for token in rows.tokens])
    assert ends.any()
    assert (rows.label[ends] == -100).all()
    assert "pad-is-end-of-turn" in {found.failure for found in planned.examine() if found.severity is Severity.ILL}


def test_that_packings_cover_the_strategies_for_any_lengths() -> None:
    planned = plan(DialogueParams(max_length=256))

    assert planned.lengths.shape == (12,)
    packings = planned.packings(planned.lengths)
    assert [name for name, _, _ in packings] == ["bfd", "bfd_split", "wrapped", "none"]
    fill = {name: packing.fill for name, packing, _ in packings}
    assert fill["none"] < fill["bfd"] <= fill["wrapped"]
    assert sum(cost.examples for cost in planned.training_ways) == 12 + 36 + 12


def test_that_a_conversation_with_unknown_roles_is_planned() -> None:
    odd = EXAMPLE_CONVERSATION.with_message(1, Message("narrator", "Once upon a time."))
    planned = plan(DialogueParams(conversation=json.dumps(odd.as_dict())))

    assert planned.rows is not None
    assert planned.packed_rows is not None
    names = [planned.packed_rows.roles[number] for number in np.unique(planned.packed_rows.role) if number >= 0]
    assert set(names) >= {"narrator", "user", "assistant"}
    assert replace(planned, problem=planned.problem).conversation == odd
    assert isinstance(odd, Conversation)


@pytest.mark.parametrize("template", FAMILY_LABELS)
@pytest.mark.parametrize("adds", [False, True])
def test_that_evidence_is_of_the_tokens_that_the_page_shows(template: str, adds: bool) -> None:
    planned = plan(DialogueParams(template=template, adds_special_tokens=adds, max_length=40))

    shown = [found for finding in planned.examine() for found in finding.evidence if found.conversation]
    assert shown
    for evidence in shown:
        assert evidence.tokens == planned.texts[evidence.start : evidence.start + len(evidence.tokens)]
