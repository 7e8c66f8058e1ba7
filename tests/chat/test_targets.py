"""Targets and rows: the labels are those of transformers' masks, and each token knows where it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from core.chat.conversation import parse_conversation
from core.chat.families import FAMILIES, family, family_tokenizer
from core.chat.messages import Conversation, Message
from core.chat.rendering import ChatTemplate, Rendered, render
from core.chat.rows import conversation_rows
from core.chat.targets import IGNORED, POLICIES, Targets, target_spans, targets
from core.chat.tokenizer import Encoded, chat_tokenizer
from tests.chat.template_cases import CALLS, DIALOGUE, TOOLS

CHAT = Conversation(
    (
        Message("user", "Is 7 prime?"),
        Message("assistant", "Yes."),
        Message("user", "And 9?"),
        Message("assistant", "No, 9 is 3 times 3."),
    )
)
UNMARKED = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}<|assistant|>"


def _rendered(conversation: Conversation = CHAT, name: str = "chatml") -> tuple[Rendered, Encoded]:
    rendered = render(family(name), conversation)
    return rendered, family_tokenizer(name).encode(rendered.text)


def _learned(rendered: Rendered, encoded: Encoded, marked: Targets) -> list[str]:
    """The stretches of text that are learned."""
    stretches: list[str] = []
    before = -2
    for index in np.flatnonzero(marked.labels != IGNORED):
        assert marked.labels[index] == encoded.ids[index]
        part = rendered.text[encoded.starts[index] : encoded.ends[index]]
        if index == before + 1:
            stretches[-1] += part
        else:
            stretches.append(part)
        before = index
    return stretches


@pytest.fixture(scope="module")
def opened() -> Any:
    """Opens the tokenizer of a family with transformers."""
    from core.language_model.libraries import silent_transformers

    with silent_transformers():
        from transformers import PreTrainedTokenizerFast

    def open_family(name: str) -> Any:
        chosen = FAMILIES[name]
        return PreTrainedTokenizerFast(
            tokenizer_object=family_tokenizer(name).tokenizer,
            chat_template=chosen.template.source,
            **chosen.template.special,
        )

    return open_family


@pytest.mark.parametrize("name", FAMILIES)
def test_that_targets_are_the_mask_of_transformers(name: str, opened: Any) -> None:
    lines: list[Any] = [{"messages": DIALOGUE}, {"messages": CALLS, "tools": TOOLS}, CHAT.as_dict()]
    for line in lines[:1] if name == "gemma" else lines:
        conversation = parse_conversation(line)
        theirs = opened(name).apply_chat_template(
            [message.as_dict() for message in conversation.messages],
            tools=list(conversation.tools) or None,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        rendered, encoded = _rendered(conversation, name)
        labels = targets(rendered, encoded).labels
        assert encoded.ids.tolist() == theirs["input_ids"]
        assert (labels != IGNORED).astype(int).tolist() == theirs["assistant_masks"]
        assert (labels[labels != IGNORED] == encoded.ids[labels != IGNORED]).all()


def test_that_each_policy_learns_from_what_it_names() -> None:
    rendered, encoded = _rendered()
    learned = {policy: _learned(rendered, encoded, targets(rendered, encoded, policy)) for policy in POLICIES}
    assert learned == {
        "assistant_only": ["Yes.<|im_end|>", "No, 9 is 3 times 3.<|im_end|>"],
        "completion_only": ["No, 9 is 3 times 3.<|im_end|>\n"],
        "last_turn": ["No, 9 is 3 times 3.<|im_end|>"],
        "all": [rendered.text],
    }


def test_that_the_completion_is_what_the_data_says_it_is() -> None:
    rendered, encoded = _rendered(replace(CHAT, prompt_messages=1))
    (learned,) = _learned(rendered, encoded, targets(rendered, encoded, "completion_only"))
    assert learned.startswith("Yes.<|im_end|>\n<|im_start|>user\nAnd 9?")


def test_that_without_an_answer_there_is_no_target() -> None:
    rendered, encoded = _rendered(Conversation(CHAT.messages[:1]))
    for policy in ("assistant_only", "completion_only", "last_turn"):
        assert targets(rendered, encoded, policy).count == 0


def test_that_a_template_without_generation_is_learned_from_after_its_generation_prompt() -> None:
    template = ChatTemplate(
        UNMARKED.replace("{% endfor %}", "{% endfor %}{% if add_generation_prompt %}") + "{% endif %}"
    )
    rendered = render(template, CHAT)
    assert [rendered.text[start:end] for start, end in target_spans(rendered)] == [
        "Yes.<|end|>\n",
        "No, 9 is 3 times 3.<|end|>\n",
    ]
    unprompted = render(ChatTemplate(UNMARKED), CHAT)
    start, end = target_spans(unprompted)[0]
    assert unprompted.text[start:end] == "Yes.<|end|>\n"


def test_that_a_word_that_merges_with_the_space_before_it_is_learned_whole() -> None:
    source = "{% for m in messages %}{{ m.role }}: {% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
    rendered = render(ChatTemplate(source), Conversation((Message("assistant", "She lives"),)))
    encoded = family_tokenizer("tilescope").encode(rendered.text)
    assert _learned(rendered, encoded, targets(rendered, encoded)) == [" She lives"]


def test_that_a_mask_whose_end_has_no_token_runs_to_the_end_as_in_transformers(opened: Any) -> None:
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({"a": 0, "b": 1, "c": 2, "?": 3}, unk_token="?"))
    inner.normalizer, inner.pre_tokenizer = normalizers.Strip(), pre_tokenizers.Whitespace()
    source = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %} c {% endfor %}"
    messages = [{"role": "assistant", "content": content} for content in ("a b", "a b ", "b")]
    for count in (1, 2, 3):
        rendered = render(ChatTemplate(source), parse_conversation(messages[:count]))
        encoded = chat_tokenizer(inner, "words").encode(rendered.text)
        theirs = PreTrainedTokenizerFast(tokenizer_object=inner).apply_chat_template(
            messages[:count], chat_template=source, return_dict=True, return_assistant_tokens_mask=True
        )
        mask = targets(rendered, encoded).labels != IGNORED
        assert mask.astype(int).tolist() == theirs["assistant_masks"]


@pytest.mark.parametrize(("side", "kept"), [("right", slice(0, 12)), ("left", slice(-12, None))])
def test_that_truncation_cuts_one_end_and_its_targets(side: Any, kept: slice) -> None:
    rendered, encoded = _rendered()
    whole, cut = targets(rendered, encoded), targets(rendered, encoded, max_length=12, truncation=side)
    assert np.flatnonzero(cut.kept).tolist() == list(range(len(encoded)))[kept]
    np.testing.assert_array_equal(cut.labels[cut.kept], whole.labels[kept])
    assert (cut.labels[~cut.kept] == IGNORED).all()
    assert (cut.weights[~cut.kept] == 0).all()
    assert targets(rendered, encoded, max_length=len(encoded)).kept.all()


def test_that_padding_with_the_end_token_takes_it_out_of_the_targets() -> None:
    rendered, encoded = _rendered()
    learned = _learned(rendered, encoded, targets(rendered, encoded, eos_as_pad=True))
    assert learned == ["Yes.", "No, 9 is 3 times 3."]


def test_that_weights_are_the_messages_own_and_can_be_shared_out_per_turn() -> None:
    heavy = CHAT.with_message(1, replace(CHAT.messages[1], weight=3.0))
    muted = CHAT.with_message(1, replace(CHAT.messages[1], weight=0.0))
    for conversation, sums in ((CHAT, [1, 1]), (heavy, [3, 1]), (muted, [0, 1])):
        rendered, encoded = _rendered(conversation)
        plain, turns = targets(rendered, encoded), targets(rendered, encoded, weighting="turn")
        assert [turns.weights[turns.message == index].sum() for index in (1, 3)] == pytest.approx(sums)
        counts = [np.count_nonzero(plain.labels[plain.message == index] != IGNORED) for index in (1, 3)]
        own = [plain.weights[plain.message == index].sum() for index in (1, 3)]
        assert own == pytest.approx([count * total for count, total in zip(counts, sums, strict=True)])
        assert (plain.weights[plain.labels == IGNORED] == 0).all()


def test_that_rows_place_every_token_in_its_message_role_and_template() -> None:
    injected = CHAT.with_message(2, Message("user", "9?<|im_end|>"))
    rendered, encoded = _rendered(injected)
    marked = targets(rendered, encoded, max_length=len(encoded) - 2, truncation="left")
    rows = conversation_rows(rendered, encoded, marked, segment=4)
    source = rendered.template.source
    assert len(rows) == len(encoded)
    for index in range(len(rows)):
        piece = rendered.pieces[rows.piece[index]]
        assert piece.start <= rows.start[index] < piece.end
        assert rows.roles[rows.role[index]] == injected.messages[rows.message[index]].role
        if rows.tokens[index] == "<|im_start|>":
            assert "<|im_start|>" in source[rows.template_start[index] : rows.template_end[index]]
    assert rows.position.tolist() == [-1, -1, *range(len(rows) - 2)]
    assert set(rows.segment.tolist()) == {4}
    assert [rows.tokens[index] for index in np.flatnonzero(rows.typed)] == ["<|im_end|>"]
    assert rows.message[rows.typed].tolist() == [2]
    assert "9" in "".join(rows.tokens[index] for index in np.flatnonzero(rows.from_content & (rows.message == 2)))


def test_that_an_empty_text_has_no_rows() -> None:
    rendered = render(ChatTemplate("{% for m in messages %}{% endfor %}"), CHAT)
    encoded = family_tokenizer("chatml").encode(rendered.text)
    for policy in POLICIES:
        assert len(conversation_rows(rendered, encoded, targets(rendered, encoded, policy))) == 0
