"""The chat formats that come with the program."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from core.chat.conversation import parse_conversation
from core.chat.families import FAMILIES, family, family_tokenizer, small_tokenizer_like
from core.chat.messages import Conversation, Message
from core.chat.rendering import render
from core.chat.template_errors import RefusedConversation
from core.contracts.errors import UnknownName
from tests.chat.template_cases import CALLS, DIALOGUE, TOOLS

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": " a  b\n"},
    {"role": "assistant", "content": "\nc "},
]
EXPECTED = {
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    "[Hello!<|im_end|>]\n<|im_start|>user\n a  b\n<|im_end|>\n<|im_start|>assistant\n[\nc <|im_end|>]\n",
    "llama3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    "[Hello!<|eot_id|>]<|start_header_id|>user<|end_header_id|>\n\n a  b\n<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n[\nc <|eot_id|>]",
    "chatglm": "[gMASK]<sop><|system|>\nBe brief.<|user|>\nHi<|assistant|>[\nHello!<|user|>]\n a  b\n"
    "<|assistant|>[\n\nc <|user|>]",
    "mistral": "<s>[INST] Be brief.\n\nHi[/INST][ Hello!</s>][INST]  a  b\n[/INST][ \nc </s>]",
    "gemma": "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n[Hello!<end_of_turn>]\n"
    "<start_of_turn>user\n a  b\n<end_of_turn>\n<start_of_turn>model\n[\nc <end_of_turn>]\n",
    "tilescope": "<bos><system>Be brief.<end><user>Hi<end><assistant>[Hello!<end>]<user> a  b\n<end>"
    "<assistant>[\nc <end>]",
}
"""The dialogue in each format, with brackets around what the assistant generates."""


def _bracketed(conversation: Conversation, name: str) -> str:
    rendered = render(family(name), conversation)
    text = rendered.text
    for start, end in reversed(rendered.generation_spans):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


@pytest.mark.parametrize("name", FAMILIES)
def test_that_a_dialogue_has_the_text_that_the_format_s_description_gives(name: str) -> None:
    assert _bracketed(parse_conversation(TURNS), name) == EXPECTED[name]


CALL = {
    "chatml": '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call><|im_end|>',
    "llama3": '{"name": "weather", "parameters": {"city": "Oslo"}}<|eot_id|>',
    "chatglm": 'weather\n```python\ntool_call(city="Oslo")\n```<|observation|>',
    "mistral": '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Oslo"}, "id": "c1"}]</s>',
    "tilescope": '{"name": "weather", "arguments": {"city": "Oslo"}}<end>',
}


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("name", CALL)
def test_that_a_tool_call_is_generated_and_what_the_tool_returns_is_not(name: str, as_text: bool) -> None:
    messages = json.loads(json.dumps(CALLS))
    arguments: Any = {"city": "Oslo"}
    function = {"name": "weather", "arguments": json.dumps(arguments) if as_text else arguments}
    messages[1]["tool_calls"] = [{"id": "c1", "type": "function", "function": function}]
    rendered = render(family(name), parse_conversation({"messages": messages, "tools": TOOLS}))
    call, answer = (rendered.text[start:end] for start, end in rendered.generation_spans)
    if name == "chatglm" and as_text:
        assert call == 'weather\n```python\ntool_call({"city": "Oslo"})\n```<|observation|>'
    else:
        assert call == CALL[name]
    assert "It is 21 °C." in answer
    assert "celsius" in rendered.text[: rendered.generation_spans[1][0]]
    assert '"name": "weather"' in rendered.text[: rendered.generation_spans[0][0]]


@pytest.mark.parametrize("name", FAMILIES)
def test_that_what_is_written_never_changes_with_later_messages(name: str) -> None:
    conversations = [parse_conversation(TURNS), parse_conversation(TURNS[1:]), parse_conversation(DIALOGUE)]
    if name != "gemma":
        conversations.append(parse_conversation({"messages": CALLS, "tools": TOOLS}))
    for conversation in conversations:
        whole = render(family(name), conversation).text
        for count, message in enumerate(conversation.messages):
            part = replace(conversation, messages=conversation.messages[: count + 1])
            if message.role == "system":
                continue
            assert whole.startswith(render(family(name), part).text)
            if message.role in ("user", "tool") and count + 1 < len(conversation.messages):
                assert whole.startswith(render(family(name), part, add_generation_prompt=True).text)


@pytest.mark.parametrize("name", FAMILIES)
def test_that_an_answer_is_learned_from_its_first_character_to_the_token_that_ends_it(name: str) -> None:
    rendered = render(family(name), parse_conversation(TURNS))
    prompts = [
        render(family(name), parse_conversation(TURNS[:count]), add_generation_prompt=True).text for count in (2, 4)
    ]
    assert [start for start, _ in rendered.generation_spans] == [len(prompt) for prompt in prompts]
    for start, end in rendered.generation_spans:
        assert rendered.text[start:end].endswith(FAMILIES[name].end_of_turn)


@pytest.mark.parametrize("name", ["chatml"])
def test_that_thinking_can_be_switched_off_without_changing_the_prompt(name: str) -> None:
    conversation = parse_conversation(DIALOGUE)
    off = {"enable_thinking": False}
    whole = render(family(name), conversation, switches=off)
    prompt = render(
        family(name),
        replace(conversation, messages=conversation.messages[:2]),
        switches=off,
        add_generation_prompt=True,
    )
    assert whole.text.startswith(prompt.text)
    assert prompt.text.endswith("<think>\n\n</think>\n\n")
    assert whole.generation_spans[0][0] == len(prompt.text)


@pytest.mark.parametrize("name", ["mistral", "gemma"])
def test_that_formats_that_need_alternating_roles_refuse_others(name: str) -> None:
    with pytest.raises(RefusedConversation, match="must alternate"):
        render(family(name), Conversation((Message("user", "a"), Message("user", "b"))))


def test_that_chatglm_refuses_what_it_has_no_token_for() -> None:
    with pytest.raises(RefusedConversation, match="After an answer comes a user message"):
        render(
            family("chatglm"), Conversation((Message("user", "a"), Message("assistant", "b"), Message("system", "c")))
        )


@pytest.mark.parametrize("name", FAMILIES)
def test_that_each_special_token_is_one_token_and_the_text_survives(name: str) -> None:
    tokenizer, chosen = family_tokenizer(name), FAMILIES[name]
    assert sorted(text for text, _ in tokenizer.special) == sorted(chosen.tokens)
    for token in (*chosen.tokens, *chosen.end_of_turn, *chosen.adds):
        encoded = tokenizer.encode(token)
        assert (encoded.tokens, encoded.special.tolist()) == ((token,), [True])
        assert tokenizer.id_of(token) == encoded.ids[0]
    text = render(family(name), parse_conversation(DIALOGUE)).text
    encoded = tokenizer.encode(text)
    assert tokenizer.tokenizer.decode(encoded.ids.tolist(), skip_special_tokens=False) == text
    added = tokenizer.encode("x", add_special_tokens=True)
    assert added.tokens == (*chosen.adds, "x")
    assert tokenizer.adds_bos == bool(chosen.adds)
    assert not tokenizer.adds_eos


def test_that_the_small_model_s_special_tokens_are_text_in_other_formats() -> None:
    assert len(family_tokenizer("tilescope").encode("<user>")) == 1
    encoded = family_tokenizer("chatml").encode("<user>")
    assert len(encoded) > 1
    assert not encoded.special.any()


def test_that_an_unknown_family_is_named() -> None:
    with pytest.raises(UnknownName, match="chatml"):
        family("nosuch")


def test_that_the_small_models_tokenizer_takes_the_special_tokens_of_another() -> None:
    other = family_tokenizer("mistral")
    small = small_tokenizer_like(other)
    text = "<s>[INST] Where does Ada live? [/INST]"

    assert small.encode(text).tokens == other.encode(text).tokens
    assert (small.bos, small.eos, small.pad, small.unk) == (other.bos, other.eos, other.pad, other.unk)
    assert len(small_tokenizer_like(family_tokenizer("chatml")).encode("[INST]")) > 1
