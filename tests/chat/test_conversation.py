"""Conversations: the shapes of data files, edits, and what templates get."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.chat.conversation import parse_conversation
from core.chat.messages import MAX_MESSAGES, Conversation, InvalidConversation, Message, ToolCall

QUESTION, ANSWER = {"role": "user", "content": "Is 7 prime?"}, {"role": "assistant", "content": "Yes."}
PAIR = (Message("user", "Is 7 prime?"), Message("assistant", "Yes."))


@pytest.mark.parametrize(
    "value",
    [
        {"messages": [QUESTION, ANSWER]},
        [QUESTION, ANSWER],
        {"conversations": [{"from": "human", "value": "Is 7 prime?"}, {"from": "gpt", "value": "Yes."}]},
    ],
)
def test_that_each_shape_without_a_prompt_gives_the_same_messages(value: Any) -> None:
    assert parse_conversation(value) == Conversation(PAIR)


def test_that_trl_s_shape_tells_the_prompt_apart() -> None:
    conversation = parse_conversation({"prompt": [QUESTION], "completion": [ANSWER]})
    assert (conversation.messages, conversation.prompt_messages) == (PAIR, 1)


def test_that_sharegpt_s_system_text_and_function_calls_become_messages() -> None:
    call = json.dumps({"name": "add", "arguments": {"a": 1}})
    conversation = parse_conversation(
        {"system": "Be brief.", "conversations": [{"from": "function_call", "value": call}], "tools": "[]"}
    )
    assert conversation.messages == (
        Message("system", "Be brief."),
        Message("assistant", "", tool_calls=(ToolCall("add", '{"a": 1}', is_bare=True),), content_form="absent"),
    )


def test_that_null_counts_as_absent_and_unknown_keys_reach_the_template() -> None:
    message = {"role": "assistant", "content": None, "refusal": None, "lang": "en", "tool_calls": []}
    (parsed,) = parse_conversation([message]).messages
    assert parsed.as_dict() == {"role": "assistant", "lang": "en"}


@pytest.mark.parametrize("arguments", [{"a": 1, "é": [2]}, '{"a": 1}', "no JSON"])
@pytest.mark.parametrize("is_bare", [False, True])
def test_that_a_tool_call_reaches_the_template_as_the_data_holds_it(arguments: Any, is_bare: bool) -> None:
    function = {"name": "add", "arguments": arguments}
    call = function if is_bare else {"id": "c1", "type": "function", "function": function}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    assert parse_conversation([message]).messages[0].as_dict() == message


def test_that_a_thought_is_found_under_each_of_its_names_and_parts_stay_parts() -> None:
    for key in ("reasoning_content", "thinking", "reasoning"):
        (message,) = parse_conversation([{"role": "assistant", "content": "Yes.", key: "7 is odd."}]).messages
        assert message.thinking == "7 is odd."
    parts = {"role": "user", "content": [{"type": "text", "text": "Is 7 "}, {"type": "text", "text": "prime?"}]}
    (message,) = parse_conversation([parts]).messages
    assert message.content == "Is 7 prime?"
    assert message.as_dict()["content"] == [{"type": "text", "text": "Is 7 prime?"}]


def test_that_a_conversation_survives_its_own_line() -> None:
    conversation = Conversation(
        (*PAIR, Message("assistant", "", "hm", (ToolCall("f", "{}", "c1"),), "bot", "c0", 0.5)),
        ({"type": "function", "function": {"name": "f"}},),
        2,
        {"enable_thinking": False},
    )
    assert parse_conversation(json.loads(json.dumps(conversation.as_dict()))) == conversation


def test_that_edits_keep_the_border_of_the_prompt_with_its_messages() -> None:
    conversation = Conversation(PAIR, prompt_messages=1)
    system = Message("system", "Be brief.")
    longer = conversation.inserted(0, system)
    assert (longer.messages, longer.prompt_messages) == ((system, *PAIR), 2)
    assert longer.without(0) == conversation
    assert conversation.inserted(2, system).prompt_messages == 1
    assert longer.moved(0, 2).messages == (*PAIR, system)
    assert conversation.with_message(1, system).messages == (PAIR[0], system)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("hello", "no conversation"),
        ({"text": "hello"}, "no conversation"),
        ({"messages": "hello"}, "no conversation"),
        ([QUESTION, "hello"], "Message 2"),
        ([{"content": "hello"}], "Message 1 has no role"),
        ([{"role": 3, "content": "hello"}], "Message 1 has no role"),
        ([{"role": "user", "content": 3}], "content of message 1"),
        ([{"role": "user", "content": [{"type": "image"}]}], "Message 1 has a part"),
        ([QUESTION, {**ANSWER, "weight": -1}], "weight of message 2"),
        ([QUESTION, {**ANSWER, "weight": float("nan")}], "weight of message 2"),
        ([{"role": "assistant", "tool_calls": [{"id": "1"}]}], "tool call of message 1"),
        ({"prompt": "2 + 2 =", "completion": " 4"}, "plain text"),
        ({"prompt": [QUESTION], "completion": [{}]}, "Message 2"),
        ({"messages": [QUESTION], "tools": "["}, "tools"),
        ({"messages": [QUESTION], "chat_template_kwargs": [1]}, "chat_template_kwargs"),
        ([QUESTION] * (MAX_MESSAGES + 1), "10,001 messages"),
    ],
)
def test_that_what_is_no_conversation_is_refused_in_one_sentence(value: Any, words: str) -> None:
    with pytest.raises(InvalidConversation) as caught:
        parse_conversation(value)
    assert words in str(caught.value)
