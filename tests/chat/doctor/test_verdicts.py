"""What decides a verdict: the policy, the data, numbers that can be computed by hand, and odd conversations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from core.chat.doctor import FAILURES, Finding, Severity, TrainingSetup, examine
from core.chat.messages import Conversation, Message, ToolCall
from core.chat.rendering import ChatTemplate
from core.chat.tokenizer import chat_tokenizer
from core.contracts.errors import InvalidParams
from tests.chat.doctor.patients import ANSWER, END, SOUND, changed, chat, template, tokenizer

TALK = chat("What color is the sky?", "It is blue.", "And at night?", "It is black.")
WITH_TOOLS = template(
    SOUND.replace(
        ANSWER,
        "{%- generation -%}{{ message.content }}"
        "{%- for call in message.tool_calls or [] -%}"
        "{{ '[call]' + call.function.name + call.function.arguments | tojson + '[/call]' }}"
        "{%- endfor -%}{{ '<|im_end|>' }}{%- endgeneration -%}",
    )
)
DROPS_THOUGHTS = changed(
    ANSWER,
    "{%- generation -%}{%- if message.reasoning_content and loop.last -%}{{ message.reasoning_content }}"
    "{%- endif -%}{{ message.content + '<|im_end|>' }}{%- endgeneration -%}",
)


def ill(
    *data: Conversation, source: ChatTemplate | None = None, setup: TrainingSetup | None = None
) -> dict[str, Finding]:
    findings = examine(tokenizer(), source or template(), setup, data)
    return {finding.failure: finding for finding in findings if finding.severity is Severity.ILL}


@pytest.mark.parametrize("policy", ["assistant_only", "completion_only", "last_turn"])
def test_that_a_sound_template_is_sound_under_every_policy_but_all(policy: str) -> None:
    assert not ill(TALK, setup=TrainingSetup.of({"policy": policy}))


def test_that_every_token_as_a_target_covers_the_user() -> None:
    assert set(ill(TALK, setup=TrainingSetup(policy="all"))) == {"mask-covers-user"}


def test_that_a_template_without_generation_is_sound_where_the_completion_is_learned() -> None:
    unmarked = changed(ANSWER, "{{- message.content + '<|im_end|>' -}}")
    assert not ill(TALK, source=unmarked, setup=TrainingSetup(policy="completion_only"))


def test_that_tool_calls_are_sound_where_the_template_writes_them() -> None:
    call = Message("assistant", "", tool_calls=(ToolCall("weather", '{"city": "Rome"}'),))
    messages = (TALK.messages[0], call, Message("tool", "Sunny."), TALK.messages[1])
    assert not ill(Conversation(messages), source=WITH_TOOLS)


def test_that_the_data_decides_whether_dropped_thoughts_matter() -> None:
    thinking = replace(TALK.messages[1], thinking="They mean the sky by day.")
    assert set(ill(source=DROPS_THOUGHTS)) == {"thoughts-dropped"}
    assert not ill(TALK, source=DROPS_THOUGHTS)
    found = ill(TALK, TALK.with_message(1, thinking), source=DROPS_THOUGHTS)
    assert set(found) == {"thoughts-dropped"}
    assert found["thoughts-dropped"].conversations == 1


def test_that_a_template_that_reads_contents_is_tried_again_with_what_it_looks_for() -> None:
    """Conversations of a shape that was found sound are not rendered turn by turn once more."""
    last_as_is = "{{- (message.content if loop.last else message.content.replace('</b>', '')) + '<|im_end|>' -}}"
    reading = changed("{{- message.content + '<|im_end|>' -}}", last_as_is)
    marked = TALK.with_message(2, Message("user", "And </b> at night?"))
    assert not ill(TALK, TALK, source=reading)
    found = ill(TALK, TALK, marked, source=reading)
    assert found["history-rewritten"].conversations == 1


def test_that_a_mask_whose_last_character_has_no_token_covers_the_rest_of_the_conversation() -> None:
    """transformers finds no token for the line end that the block closes with, and marks everything behind it."""
    words = {word: index for index, word in enumerate(["?", "user", "assistant", *"abcdef"])}
    inner = Tokenizer(models.WordLevel(words, unk_token="?"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.add_special_tokens(["<|im_start|>", END])
    closes_late = changed(ANSWER, ANSWER.replace("'<|im_end|>'", "'<|im_end|>\\n'"))
    findings = examine(chat_tokenizer(inner, "words", eos=END), closes_late, None, [chat("a b", "c d", "e f", "a b")])
    ill = {finding.failure: finding for finding in findings if finding.severity is Severity.ILL}
    assert "mask-covers-user" in ill
    assert any(evidence.tokens == ("e", "f") for evidence in ill["mask-covers-user"].evidence)


def test_that_the_losses_of_a_step_are_those_computed_by_hand() -> None:
    """9 targets of 1 nat and 41 of 2 nats: (9 + 82) / 50 = 1.82 in one batch, (1 + 2) / 2 = 1.5 as a mean of means."""
    data = (
        chat("What color is the sky?", "It is blue."),
        chat("Count.", "one two three four five six seven eight nine ten eleven twelve"),
    )
    setup = TrainingSetup(batch_size=1, gradient_accumulation=2, loss_mean_over="micro_batch")
    findings = examine(
        tokenizer(), template(), setup, data, loss_of=lambda case: case.trained.sum() * float(case.number)
    )
    (found,) = [finding for finding in findings if finding.severity is Severity.ILL]
    assert str(found.sentence).startswith("The loss of step 1 should be 1.8200 nats per target and is 1.5000.")
    assert "9 to 41 targets" in str(found.evidence[0].note)


def test_that_equal_target_counts_are_sound_under_gradient_accumulation() -> None:
    setup = TrainingSetup(batch_size=1, gradient_accumulation=2, loss_mean_over="micro_batch")
    assert not ill(TALK, TALK, setup=setup)
    assert not ill(TALK, chat("Count.", "one two"), setup=setup.model_copy(update={"loss_mean_over": "targets"}))


def test_that_the_leak_is_the_share_of_pairs_with_another_conversation() -> None:
    """Two conversations of 66 tokens in one row: 66 * 66 pairs across, 2 * 66 * 67 / 2 within."""
    setup = TrainingSetup(packing="bfd", max_length=200, document_mask=False)
    found = ill(TALK, TALK, setup=setup)["packing-without-document-mask"]
    assert str(found.sentence).startswith(f"{66 * 66 / (66 * 66 + 66 * 67):.1%} of what tokens see")
    assert f"{66 * 66 / (66 * 66 + 66 * 67 / 2):.1%} of what it sees is not its own" in str(found.evidence[0].note)


@pytest.mark.parametrize("packing", ["bfd_split", "wrapped"])
def test_that_a_packing_that_splits_conversations_cuts_nothing_off(packing: str) -> None:
    found = ill(TALK, TALK, setup=TrainingSetup.of({"packing": packing, "max_length": 50}))
    assert set(found) == {"packing-splits-conversations"}
    assert str(found["packing-splits-conversations"].sentence).startswith("2 of 2 conversations are cut")


def test_that_truncation_on_the_left_is_told_where_it_cuts_an_answer() -> None:
    found = ill(TALK, setup=TrainingSetup(max_length=40, truncation_side="left"))["truncation-removes-answer"]
    assert "66 tokens and max_length is 40" in str(found.sentence)
    assert found.evidence[0].end == 26


def test_that_a_message_of_weight_zero_need_not_be_learned() -> None:
    unlearned = TALK.with_message(1, replace(TALK.messages[1], weight=0.0))
    assert not ill(unlearned)


def test_that_a_broken_template_is_one_finding_with_its_line() -> None:
    found = ill(source=template("{{ messages[0].content }}\n{{ oops("))
    assert set(found) == {"template-refuses"}
    assert "line 2" in str(found["template-refuses"].sentence).lower()


def test_that_a_pad_token_outside_of_the_vocabulary_is_refused() -> None:
    with pytest.raises(InvalidParams) as error:
        ill(setup=TrainingSetup(pad_token="<|nowhere|>"))
    assert error.value.field == "pad_token"


@pytest.mark.parametrize(
    ("values", "field"),
    [({"packing": "bfd"}, "max_length"), ({"policy": "most"}, "policy"), ({"batch_size": 0}, "batch_size")],
)
def test_that_a_setup_that_cannot_be_is_refused_in_one_sentence(values: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidParams) as error:
        TrainingSetup.of(values)
    assert error.value.field == field
    assert error.value.sentence.endswith(".")


ROLES = st.sampled_from(["system", "user", "assistant", "tool", "human", ""])
CONTENTS = st.sampled_from(
    ["", " ", "Hi", " Hi\n", f"a{END}b", "<|im_start|>", "</think>", "é🙂\u200b", "\ud800", "x " * 99]
)
MESSAGES = st.builds(
    Message,
    ROLES,
    CONTENTS,
    thinking=st.sampled_from(["", "Hm."]),
    tool_calls=st.sampled_from([(), (ToolCall("f", "{"),)]),
    weight=st.sampled_from([None, 0.0, 1.0]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(MESSAGES, max_size=4), max_size=3),
    st.sampled_from(["assistant_only", "completion_only", "last_turn", "all"]),
    st.sampled_from(["none", "bfd", "bfd_split", "wrapped"]),
    st.sampled_from(["left", "right"]),
)
def test_that_no_conversation_stops_the_doctor(
    chats: list[list[Message]], policy: str, packing: str, side: str
) -> None:
    values = {
        "policy": policy,
        "packing": packing,
        "truncation_side": side,
        "max_length": 9,
        "document_mask": False,
        "positions_reset": False,
        "gradient_accumulation": 2,
        "loss_mean_over": "micro_batch",
        "padding_masked_by": "token",
    }
    data = [Conversation(tuple(messages)) for messages in chats]
    for source in (template(), WITH_TOOLS, DROPS_THOUGHTS):
        findings = examine(tokenizer(), source, TrainingSetup.of(values), data)
        assert [finding.failure for finding in findings] == list(FAILURES)
        for finding in findings:
            assert str(finding.sentence)
            assert all(evidence.start <= evidence.end for evidence in finding.evidence)
