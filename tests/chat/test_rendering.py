"""Rendering: the text is that of transformers, and every character has its origin."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from core.chat.conversation import parse_conversation
from core.chat.messages import Conversation, InvalidConversation, Message
from core.chat.rendering import ChatTemplate, Rendered, render
from core.chat.sandbox import DEFAULT_DATE
from tests.chat.template_cases import CONVERSATIONS, SWITCHES, TEMPLATES

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
SMALL_MODEL = Path(__file__).parents[2] / "resources" / "models" / "small-model"


@pytest.fixture(scope="module")
def peer() -> Any:
    """A tokenizer of transformers."""
    from core.language_model.libraries import silent_transformers

    with silent_transformers():
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast(tokenizer_file=str(SMALL_MODEL / "tokenizer.json"), **SPECIAL)


class _Noon(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return DEFAULT_DATE


def _peer_messages(conversation: Conversation) -> list[dict[str, Any]]:
    return [message.as_dict() for message in conversation.messages]


@pytest.mark.parametrize("add_generation_prompt", [False, True])
@pytest.mark.parametrize("switches", SWITCHES, ids=["plain", "switched"])
@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_that_the_text_is_that_of_transformers(
    template: str, name: str, switches: Any, add_generation_prompt: bool, peer: Any, monkeypatch: Any
) -> None:
    from transformers.utils import chat_template_utils

    monkeypatch.setattr(chat_template_utils, "datetime", _Noon)
    source, conversation = TEMPLATES[template], CONVERSATIONS[name]
    text = peer.apply_chat_template(
        _peer_messages(conversation),
        tools=list(conversation.tools) or None,
        chat_template=source,
        tokenize=False,
        add_generation_prompt=add_generation_prompt,
        **switches,
    )
    rendered = render(
        ChatTemplate(source, special=SPECIAL),
        conversation,
        add_generation_prompt=add_generation_prompt,
        switches=switches,
    )
    assert rendered.text == text
    assert type(rendered.text) is str
    _check_pieces(rendered)


def _check_pieces(rendered: Rendered) -> None:
    """Pieces cover the text without gaps, and text of a message that a piece claims stands in that message."""
    ends = [0, *(piece.end for piece in rendered.pieces)]
    assert [piece.start for piece in rendered.pieces] == ends[:-1]
    assert ends[-1] == len(rendered.text)
    assert all(piece.start < piece.end for piece in rendered.pieces)
    for piece in rendered.pieces:
        assert -1 <= piece.message < len(rendered.conversation.messages)
        if piece.template_start >= 0:
            assert piece.template_start < piece.template_end <= len(rendered.template.source)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_that_the_spans_of_generation_are_those_of_transformers(name: str) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    conversation = CONVERSATIONS[name]
    (text,), (spans,) = render_jinja_template(
        [_peer_messages(conversation)],
        chat_template=TEMPLATES["generation"],
        return_assistant_tokens_mask=True,
    )
    rendered = render(ChatTemplate(TEMPLATES["generation"]), conversation)
    assert (rendered.text, list(rendered.generation_spans)) == (text, spans)
    inside = "".join(text[piece.start : piece.end] for piece in rendered.pieces if piece.generation)
    assert inside == "".join(text[start:end] for start, end in spans)


def _origins(rendered: Rendered) -> list[tuple[str, str, int, bool]]:
    source = rendered.template.source
    return [
        (
            rendered.text[piece.start : piece.end],
            source[piece.template_start : piece.template_end] if piece.template_start >= 0 else "",
            piece.message,
            piece.from_content,
        )
        for piece in rendered.pieces
    ]


def test_that_every_piece_names_the_literal_or_tag_that_wrote_it_and_its_message() -> None:
    source = (
        "{{ bos }}{% for m in messages %}<|{{ m.role }}|>\n{{ m.content.strip() + '<|end|>\\n' }}{% endfor %}<|go|>"
    )
    conversation = parse_conversation([{"role": "user", "content": " a "}, {"role": "assistant", "content": "b"}])
    expected = [("<s>", "{{ bos }}", -1, False)]
    for index, (role, content) in enumerate([("user", "a"), ("assistant", "b")]):
        expected += [
            ("<|", "<|", index, False),
            (role, "{{ m.role }}", index, False),
            ("|>\n", "|>\n", index, False),
            (content, "{{ m.content.strip() + '<|end|>\\n' }}", index, True),
            ("<|end|>\n", "'<|end|>\\n'", index, False),
        ]
    rendered = render(ChatTemplate(source, special={"bos": "<s>"}), conversation)
    assert _origins(rendered) == [*expected, ("<|go|>", "<|go|>", -1, False)]


@pytest.mark.parametrize(
    "source",
    [
        "{% for m in messages %}({{ m.content }}){% endfor %}",
        "{% for m in messages %}{{ '(' ~ m.content ~ ')' }}{% endfor %}",
        "{% for m in messages %}{{ '(%s)' % m.content }}{% endfor %}",
        "{% for m in messages %}{{ '({})'.format(m.content) }}{% endfor %}",
        "{% for m in messages %}{{ '(%s)' | format(m.content) }}{% endfor %}",
        "{% for m in messages %}{{ ['(', m.content, ')'] | join }}{% endfor %}",
        "{% for m in messages %}{{ '(X)' | replace('X', m.content) }}{% endfor %}",
        "{% for m in messages %}{% set c = m['content'] %}({{ c }}){% endfor %}",
        "{% for m in messages %}{% set c %}({{ m.content }}){% endset %}{{ c }}{% endfor %}",
        "{% macro f(m) %}({{ m.content }}){% endmacro %}{% for m in messages %}{{ f(m) }}{% endfor %}",
        "{% for m in messages %}{% generation %}({{ m.content }}){% endgeneration %}{% endfor %}",
        "{% for m in messages %}{% filter trim %}({{ m.content }}){% endfilter %}{% endfor %}",
        "{% for m in messages %}{{ '(' + m.content.split('|')[0] + m.content[0:0] + ')' }}{% endfor %}",
        "{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = ns.t + '(' + m.content + ')' %}{% endfor %}"
        "{{ ns.t }}",
        "{% for m in messages %}({{ m.content | safe }}){% endfor %}",
    ],
)
def test_that_text_of_a_message_is_known_however_the_template_builds_it(source: str) -> None:
    conversation = parse_conversation([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    rendered = render(ChatTemplate(source), conversation)
    assert rendered.text == "(one)(two)"
    found = [(text, message) for text, _, message, from_content in _origins(rendered) if from_content]
    assert found == [("one", 0), ("two", 1)]


@pytest.mark.parametrize("options", ["2", "2, first=true", "2, blank=true"])
def test_that_every_line_of_an_indented_message_is_known(options: str) -> None:
    template = ChatTemplate("{% for message in messages %}{{ message.content | indent(" + options + ") }}{% endfor %}")
    rendered = render(template, Conversation((Message("user", "Is 7\nprime?\n\nYes."),)))
    known = [rendered.text[piece.start : piece.end] for piece in rendered.pieces if piece.from_content]
    assert known == ["Is 7", "prime?", "Yes."]


def test_that_a_branch_outside_of_the_loop_belongs_to_the_message_that_it_writes() -> None:
    source = (
        "{% if messages[0].role == 'system' %}<S>{{ messages[0].content }}</S>{% endif %}"
        "{% for m in messages[1:] %}<{{ m.content }}>{% endfor %}{% if true %}<end>{% endif %}"
    )
    conversation = parse_conversation([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}])
    rendered = render(ChatTemplate(source), conversation)
    assert [(text, message) for text, _, message, _ in _origins(rendered)] == [
        ("<S>", 0), ("s", 0), ("</S>", 0), ("<", 1), ("u", 1), (">", 1), ("<end>", -1),
    ]  # fmt: skip


def test_that_looking_ahead_does_not_change_the_message_being_rendered() -> None:
    source = (
        "{% for m in messages %}[{% for n in messages %}{% if n.role == 'x' %}{% endif %}{% endfor %}]{% endfor %}|"
    )
    conversation = parse_conversation([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])
    messages = [(text, message) for text, _, message, _ in _origins(render(ChatTemplate(source), conversation))]
    assert messages == [("[", 0), ("]", 0), ("[", 1), ("]", 1), ("|", -1)]


def test_that_json_of_a_message_counts_as_its_text_and_json_of_tools_as_data() -> None:
    source = "{{ tools | tojson }}{% for m in messages %}{{ m.tool_calls[0].function.arguments | tojson }}{% endfor %}"
    calls = [{"function": {"name": "f", "arguments": {"a": "<|end|>"}}}]
    conversation = parse_conversation(
        {"messages": [{"role": "assistant", "tool_calls": calls}], "tools": [{"name": "f"}]}
    )
    rendered = render(ChatTemplate(source), conversation)
    assert [(text, message, data) for text, _, message, data in _origins(rendered)] == [
        ('[{"name": "f"}]', -1, True),
        ('{"a": "<|end|>"}', 0, True),
    ]


def test_that_the_date_is_the_given_one_and_a_fixed_one_without() -> None:
    template, conversation = ChatTemplate("{{ strftime_now('%Y-%m-%d') }}"), CONVERSATIONS["short"]
    assert render(template, conversation).text == f"{DEFAULT_DATE:%Y-%m-%d}"
    assert render(template, conversation, date=datetime(1999, 12, 31)).text == "1999-12-31"


def test_that_switches_of_the_data_reach_the_template_and_given_ones_win() -> None:
    conversation = parse_conversation({"messages": [], "chat_template_kwargs": {"a": 1, "b": 2}, "prompt": 3})
    conversation = Conversation(CONVERSATIONS["short"].messages, switches=conversation.switches)
    assert render(ChatTemplate("{{ a }}{{ b }}"), conversation, switches={"b": 3}).text == "13"


def test_that_a_conversation_without_messages_is_refused() -> None:
    with pytest.raises(InvalidConversation, match="no message"):
        render(ChatTemplate("x"), Conversation(()))


def test_that_line_ends_of_windows_do_not_shift_the_ranges() -> None:
    template = ChatTemplate("a\r\n{{ messages[0].role }}\r\nb")
    rendered = render(template, CONVERSATIONS["short"])
    assert rendered.text == "a\nuser\nb"
    assert [origin[1] for origin in _origins(rendered)] == ["a\n", "{{ messages[0].role }}", "\nb"]
    assert not re.search("\r", template.source)
