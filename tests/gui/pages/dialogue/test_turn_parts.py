"""Edits of a conversation line by line give the conversation that the data file would hold."""

from __future__ import annotations

import json

import pytest

from core.chat.conversation import InvalidConversation, parse_conversation
from core.chat.messages import Conversation
from gui.pages.dialogue import turn_parts
from gui.pages.dialogue.turn_parts import Kind, parts

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
CALL = {"type": "function", "function": {"name": "look_up", "arguments": {"name": "Ada"}}}


def conversation() -> Conversation:
    return parse_conversation(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Who?"},
                {"role": "assistant", "content": None, "reasoning_content": "Look.", "tool_calls": [CALL, CALL]},
                {"role": "tool", "content": "Ada"},
                {"role": "assistant", "content": "Ada."},
            ],
            "tools": [TOOL],
        }
    )


def roles(edited: Conversation) -> list[str]:
    return [message.role for message in edited.messages]


def test_that_every_text_of_a_conversation_is_a_line() -> None:
    kinds = [(part.kind, part.message) for part in parts(conversation())]
    assert kinds == [
        (Kind.TOOLS, -1), (Kind.CONTENT, 0), (Kind.CONTENT, 1), (Kind.THOUGHT, 2), (Kind.CALL, 2), (Kind.CALL, 2),
        (Kind.CONTENT, 3), (Kind.CONTENT, 4),
    ]  # fmt: skip


def test_that_each_line_can_be_written_anew() -> None:
    tools, system, _, thought, _, second, *_ = parts(conversation())
    edited = turn_parts.with_text(conversation(), system, "Be long.")
    edited = turn_parts.with_text(edited, thought, "Hm.")
    edited = turn_parts.with_text(edited, second, 'find({"x": [1, 2]})')
    edited = turn_parts.with_text(edited, tools, "[]")
    assert edited.messages[0].content == "Be long."
    assert edited.messages[2].thinking == "Hm."
    assert [call.name for call in edited.messages[2].tool_calls] == ["look_up", "find"]
    assert json.loads(edited.messages[2].tool_calls[1].arguments) == {"x": [1, 2]}
    assert edited.tools == ()


@pytest.mark.parametrize("text", ["find", "find(", "find({)", "({})", ""])
def test_that_a_broken_call_is_refused_in_a_sentence(text: str) -> None:
    call = next(part for part in parts(conversation()) if part.kind is Kind.CALL)
    with pytest.raises(InvalidConversation) as caught:
        turn_parts.with_text(conversation(), call, text)
    assert caught.value.sentence.endswith(".")


def test_that_a_turn_is_added_after_the_current_one_by_whoever_speaks_next() -> None:
    edit = turn_parts.with_turn(conversation(), parts(conversation())[2])
    assert roles(edit.conversation) == ["system", "user", "assistant", "assistant", "tool", "assistant"]
    assert edit.place == (Kind.CONTENT, 2, -1)
    assert roles(turn_parts.with_turn(Conversation(()), None).conversation) == ["user"]


def test_that_removing_takes_what_the_line_is_and_no_more() -> None:
    tools, system, _, thought, call, *_ = parts(conversation())
    assert turn_parts.removed(conversation(), tools).conversation.tools == ()
    assert roles(turn_parts.removed(conversation(), system).conversation) == ["user", "assistant", "tool", "assistant"]
    assert turn_parts.removed(conversation(), thought).conversation.messages[2].thinking == ""
    assert len(turn_parts.removed(conversation(), call).conversation.messages[2].tool_calls) == 1


def test_that_a_message_moves_with_all_its_lines_and_stops_at_the_ends() -> None:
    thought = next(part for part in parts(conversation()) if part.kind is Kind.THOUGHT)
    edit = turn_parts.moved(conversation(), thought, -1)
    assert roles(edit.conversation) == ["system", "assistant", "user", "tool", "assistant"]
    assert edit.conversation.messages[1].tool_calls
    assert edit.place == (Kind.THOUGHT, 1, -1)
    system = parts(conversation())[1]
    assert turn_parts.moved(conversation(), system, -1).conversation == conversation()


def test_that_role_system_thought_call_and_tools_can_be_added() -> None:
    content = parts(conversation())[-1]
    assert roles(turn_parts.with_role(conversation(), content, "tool").conversation)[-1] == "tool"
    assert turn_parts.with_system(conversation()).conversation == conversation()
    assert roles(turn_parts.with_system(Conversation(())).conversation) == ["system"]
    assert turn_parts.with_thought(conversation(), content).conversation.messages[-1].thinking
    called = turn_parts.with_call(conversation(), content)
    assert called.place == (Kind.CALL, 4, 0)
    assert turn_parts.with_tools(Conversation(())).conversation.tools


def test_that_the_form_gets_what_can_be_read_back() -> None:
    assert parse_conversation(json.loads(turn_parts.as_json(conversation()))) == conversation()


def test_that_json_and_the_first_of_json_lines_can_be_pasted() -> None:
    line = json.dumps(conversation().as_dict())
    assert turn_parts.pasted(turn_parts.as_json(conversation())) == conversation()
    assert turn_parts.pasted(f"{line}\n{line}\n") == conversation()


@pytest.mark.parametrize("text", ["", "hello", "{", "[1]", '{"messages": 3}', '{"a": 1}'])
def test_that_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InvalidConversation) as caught:
        turn_parts.pasted(text)
    assert caught.value.sentence.count(". ") == 0
