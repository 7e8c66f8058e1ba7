"""A conversation as a list that can be edited line by line: contents, thoughts, tool calls and tools. No Qt.

Every edit returns a new conversation, and the place of the part that should be selected then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from core.chat.conversation import parse_conversation
from core.chat.messages import Conversation, InvalidConversation, Message, ToolCall
from core.contracts.text import tr, verbatim
from core.outside import first_line

_CALL = re.compile(r"\s*([\w.:/-]+)\s*\((.*)\)\s*", re.DOTALL)
NEXT_ROLE: Mapping[str, str] = {"user": "assistant", "tool": "assistant"}
"""Who speaks after whom; after all others the user does."""
_NEW_CALL = ToolCall("look_up", '{"name": ""}')


class Kind(StrEnum):
    TOOLS = "tools"
    CONTENT = "content"
    THOUGHT = "thought"
    CALL = "call"


@dataclass(frozen=True)
class Part:
    """One line of the list. `message` is -1 for the tools; `call` is the index of a tool call in its message."""

    kind: Kind
    message: int = -1
    call: int = -1
    role: str = ""
    text: str = ""

    @property
    def place(self) -> tuple[Kind, int, int]:
        """What identifies it while its text is edited."""
        return self.kind, self.message, self.call


@dataclass(frozen=True)
class Edit:
    """A changed conversation, and the part to select."""

    conversation: Conversation
    place: tuple[Kind, int, int]


def parts(conversation: Conversation) -> tuple[Part, ...]:
    """The lines of the list, from the top down. A message without content has an empty line, unless
    it calls tools instead."""
    return tuple(_parts(conversation))


def _parts(conversation: Conversation) -> Iterator[Part]:
    if conversation.tools:
        text = json.dumps(list(conversation.tools), ensure_ascii=False)
        yield Part(Kind.TOOLS, role="tools", text=text)
    for index, message in enumerate(conversation.messages):
        if message.thinking:
            yield Part(Kind.THOUGHT, index, role=message.role, text=message.thinking)
        if message.content_form != "absent" or not message.tool_calls:
            yield Part(Kind.CONTENT, index, role=message.role, text=message.content)
        for number, call in enumerate(message.tool_calls):
            yield Part(Kind.CALL, index, number, message.role, f"{call.name}({call.arguments})")


def with_text(conversation: Conversation, part: Part, text: str) -> Conversation:
    """The conversation with another text of a part. Raises InvalidConversation for a call or tools that are no JSON."""
    if part.kind is Kind.TOOLS:
        return replace(conversation, tools=_tools(text))
    message = conversation.messages[part.message]
    match part.kind:
        case Kind.CONTENT:
            message = replace(message, content=text, content_form="text")
        case Kind.THOUGHT:
            message = replace(message, thinking=text)
        case Kind.CALL:
            calls = list(message.tool_calls)
            calls[part.call] = _call(text, calls[part.call])
            message = replace(message, tool_calls=tuple(calls))
    return conversation.with_message(part.message, message)


def with_role(conversation: Conversation, part: Part, role: str) -> Edit:
    message = replace(conversation.messages[part.message], role=role)
    return Edit(conversation.with_message(part.message, message), part.place)


def removed(conversation: Conversation, part: Part) -> Edit:
    """Without the part; a message goes with its content, and so do its thought and its calls."""
    if part.kind is Kind.TOOLS:
        return Edit(replace(conversation, tools=()), (Kind.CONTENT, 0, -1))
    message = conversation.messages[part.message]
    if part.kind is Kind.THOUGHT:
        return Edit(
            conversation.with_message(part.message, replace(message, thinking="")), (Kind.CONTENT, part.message, -1)
        )
    if part.kind is Kind.CALL:
        calls = (*message.tool_calls[: part.call], *message.tool_calls[part.call + 1 :])
        fewer = replace(message, tool_calls=calls)
        return Edit(conversation.with_message(part.message, fewer), (Kind.CONTENT, part.message, -1))
    nearest = min(part.message, len(conversation.messages) - 2)
    return Edit(conversation.without(part.message), (Kind.CONTENT, nearest, -1))


def moved(conversation: Conversation, part: Part, step: int) -> Edit:
    """With the part's message moved up (-1) or down (1); the same conversation at the ends."""
    to = part.message + step
    if part.kind is Kind.TOOLS or not 0 <= to < len(conversation.messages):
        return Edit(conversation, part.place)
    return Edit(conversation.moved(part.message, to), (part.kind, to, part.call))


def with_turn(conversation: Conversation, part: Part | None) -> Edit:
    """With an empty message after the part's, by whoever speaks next; after the last one without a part."""
    after = part.message if part is not None else len(conversation.messages) - 1
    role = NEXT_ROLE.get(conversation.messages[after].role, "user") if after >= 0 else "user"
    return Edit(conversation.inserted(after + 1, Message(role, "")), (Kind.CONTENT, after + 1, -1))


def with_system(conversation: Conversation) -> Edit:
    """With an empty system message at the beginning; the one that is there, if any, is selected."""
    if conversation.messages and conversation.messages[0].role == "system":
        return Edit(conversation, (Kind.CONTENT, 0, -1))
    return Edit(conversation.inserted(0, Message("system", "")), (Kind.CONTENT, 0, -1))


def with_thought(conversation: Conversation, part: Part) -> Edit:
    """With a thought before the content of the part's message."""
    message = conversation.messages[part.message]
    thinking = message.thinking or "…"
    return Edit(
        conversation.with_message(part.message, replace(message, thinking=thinking)), (Kind.THOUGHT, part.message, -1)
    )


def with_call(conversation: Conversation, part: Part) -> Edit:
    """With another tool call of the part's message."""
    message = conversation.messages[part.message]
    more = replace(message, tool_calls=(*message.tool_calls, _NEW_CALL))
    return Edit(conversation.with_message(part.message, more), (Kind.CALL, part.message, len(message.tool_calls)))


def with_tools(conversation: Conversation) -> Edit:
    """With the schema of a tool to begin with."""
    properties = {"name": {"type": "string"}}
    function = {"name": _NEW_CALL.name, "parameters": {"type": "object", "properties": properties}}
    tools = conversation.tools or ({"type": "function", "function": function},)
    return Edit(replace(conversation, tools=tools), (Kind.TOOLS, -1, -1))


def as_json(conversation: Conversation) -> str:
    """The text of the form's parameter."""
    return json.dumps(conversation.as_dict(), ensure_ascii=False, indent=1)


def pasted(text: str) -> Conversation:
    """The conversation in a pasted text: JSON, or the first line of JSON lines. Raises InvalidConversation."""
    try:
        return parse_conversation(json.loads(text))
    except (ValueError, RecursionError) as error:
        first = text.strip().partition("\n")[0]
        try:
            return parse_conversation(json.loads(first))
        except (ValueError, RecursionError):
            raise InvalidConversation(
                tr("The pasted text is no JSON: {reason}.", reason=verbatim(first_line(error)))
            ) from None


def _call(text: str, before: ToolCall) -> ToolCall:
    found = _CALL.fullmatch(text)
    if found is None:
        raise InvalidConversation(
            tr("A tool call is written as {example}.", example=verbatim(f"{_NEW_CALL.name}({_NEW_CALL.arguments})"))
        )
    name, arguments = found[1], found[2].strip() or "{}"
    try:
        json.loads(arguments)
    except (ValueError, RecursionError) as error:
        raise InvalidConversation(
            tr(
                "The arguments of {name} are no JSON: {reason}.",
                name=verbatim(name),
                reason=verbatim(first_line(error)),
            )
        ) from None
    return replace(before, name=name, arguments=arguments)


def _tools(text: str) -> tuple[dict[str, object], ...]:
    try:
        value = json.loads(text or "[]")
    except (ValueError, RecursionError) as error:
        raise InvalidConversation(tr("The tools are no JSON: {reason}.", reason=verbatim(first_line(error)))) from None
    return parse_conversation({"messages": [], "tools": value}).tools
