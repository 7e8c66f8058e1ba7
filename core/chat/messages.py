"""Conversations: messages with roles, thoughts and tool calls, and the shapes in which data files hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from core.contracts.errors import TilescopeError

ROLES = ("system", "user", "assistant", "tool")
"""The roles that every public template knows, though not every template accepts each of them."""

THOUGHTS = ("reasoning_content", "thinking", "reasoning")
"""The keys of a thought, in the order in which transformers looks for them."""

MAX_MESSAGES = 10_000
"""Of one conversation. The longest that the public data sets hold have a few hundred."""


class InvalidConversation(TilescopeError):
    """What is no conversation; the sentence says where and what would be one."""


ContentForm = Literal["text", "parts", "absent"]


@dataclass(frozen=True)
class ToolCall:
    """A call that an assistant message makes. `arguments` is JSON text.

    Templates get the arguments as an object, as transformers documents it. `as_text` hands them over as text, as files
    for OpenAI hold them: a template that writes JSON then writes it twice. `is_bare` leaves out the wrapper
    {"type": "function", "function": ...}.
    """

    name: str
    arguments: str
    id: str = ""
    as_text: bool = False
    is_bare: bool = False

    def as_dict(self) -> dict[str, Any]:
        """What a template gets."""
        function = {"name": self.name, "arguments": self.arguments if self.as_text else _value_of(self.arguments)}
        call: dict[str, Any] = function if self.is_bare else {"type": "function", "function": function}
        return {"id": self.id, **call} if self.id else call


@dataclass(frozen=True)
class Message:
    """One message. `thinking` is what the assistant thought before it answered (`reasoning_content`).

    `weight` is the message's factor in the loss where the data set one. `content_form` says how templates get the
    content: as text, as a list with one part of text, or not at all. `more` holds the message's other keys: a template
    may read them.
    """

    role: str
    content: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    name: str = ""
    tool_call_id: str = ""
    weight: float | None = None
    content_form: ContentForm = "text"
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """What a template gets: only the keys that the message has."""
        message: dict[str, Any] = {"role": self.role}
        if self.content_form == "text":
            message["content"] = self.content
        elif self.content_form == "parts":
            message["content"] = [{"type": "text", "text": self.content}]
        message |= self.more
        if self.thinking:
            message["reasoning_content"] = self.thinking
        if self.tool_calls:
            message["tool_calls"] = [call.as_dict() for call in self.tool_calls]
        if self.name:
            message["name"] = self.name
        if self.tool_call_id:
            message["tool_call_id"] = self.tool_call_id
        if self.weight is not None:
            message["weight"] = self.weight
        return message


@dataclass(frozen=True)
class Conversation:
    """Messages in order, and the JSON schemas of the tools that the assistant may call.

    `prompt_messages` is the number of leading messages that are the prompt where the data tells prompt and completion
    apart; None where it does not. `switches` are template variables that the data sets (`chat_template_kwargs`).
    """

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    prompt_messages: int | None = None
    switches: Mapping[str, Any] = field(default_factory=dict)

    def with_message(self, index: int, message: Message) -> Conversation:
        """The conversation with another message at `index`."""
        return replace(self, messages=(*self.messages[:index], message, *self.messages[index + 1 :]))

    def without(self, index: int) -> Conversation:
        """The conversation without the message at `index`."""
        prompt = self.prompt_messages
        return replace(
            self,
            messages=(*self.messages[:index], *self.messages[index + 1 :]),
            prompt_messages=prompt - 1 if prompt is not None and index < prompt else prompt,
        )

    def inserted(self, index: int, message: Message) -> Conversation:
        """The conversation with `message` before the one at `index`; at the end for index `len(messages)`."""
        prompt = self.prompt_messages
        return replace(
            self,
            messages=(*self.messages[:index], message, *self.messages[index:]),
            prompt_messages=prompt + 1 if prompt is not None and index < prompt else prompt,
        )

    def moved(self, index: int, to: int) -> Conversation:
        """The conversation with the message at `index` moved to `to`. The prompt keeps its number of messages."""
        rest = [*self.messages]
        rest.insert(to, rest.pop(index))
        return replace(self, messages=tuple(rest))

    def as_dict(self) -> dict[str, Any]:
        """The conversation as a line of a data file; `parse_conversation` reads it back."""
        messages = [message.as_dict() for message in self.messages]
        if self.prompt_messages is None:
            line: dict[str, Any] = {"messages": messages}
        else:
            line = {"prompt": messages[: self.prompt_messages], "completion": messages[self.prompt_messages :]}
        if self.tools:
            line["tools"] = list(self.tools)
        if self.switches:
            line["chat_template_kwargs"] = dict(self.switches)
        return line


def _value_of(arguments: str) -> Any:
    """The arguments as the object that their text spells; the text itself where it spells none."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return value if isinstance(value, dict) else arguments
