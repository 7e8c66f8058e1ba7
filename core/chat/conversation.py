"""Conversations, read from the JSON value of a line in a data file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from core.chat.messages import (
    MAX_MESSAGES,
    ROLES,
    THOUGHTS,
    ContentForm,
    Conversation,
    InvalidConversation,
    Message,
    ToolCall,
)
from core.contracts.text import Text, tr

_SHAREGPT_ROLES = {"human": "user", "gpt": "assistant", "observation": "tool"}
_KNOWN = ("role", "content", "tool_calls", "name", "tool_call_id", "weight", *THOUGHTS)


def parse_conversation(value: Any) -> Conversation:
    """The conversation in a JSON value of one of four shapes:

    - {"messages": [{"role": ..., "content": ...}, ...]}, the shape of OpenAI, transformers and TRL;
    - a bare list of such messages;
    - {"conversations": [{"from": "human", "value": ...}, ...]}, ShareGPT's; its names of roles are translated;
    - {"prompt": [...], "completion": [...]}, TRL's.

    "tools" and "chat_template_kwargs" beside the messages are read too. Keys whose value is null count as absent, as in
    transformers. Raises InvalidConversation.
    """
    if isinstance(value, list):
        return Conversation(_messages(value))
    if not isinstance(value, Mapping):
        raise _shapeless()
    tools, switches = _tools(value.get("tools")), _switches(value.get("chat_template_kwargs"))
    if "messages" in value:
        return Conversation(_messages(value["messages"]), tools, None, switches)
    if "conversations" in value:
        return Conversation(_sharegpt(value), tools, None, switches)
    if "prompt" in value and "completion" in value:
        if isinstance(value["prompt"], str) or isinstance(value["completion"], str):
            raise InvalidConversation(
                tr(
                    "The prompt or the completion is plain text, which no chat template is applied to: write both as "
                    "lists of messages."
                )
            )
        prompt = _messages(value["prompt"])
        messages = (*prompt, *_messages(value["completion"], before=len(prompt)))
        return Conversation(messages, tools, len(prompt), switches)
    raise _shapeless()


def _shapeless() -> InvalidConversation:
    return InvalidConversation(
        tr(
            "This is no conversation: it needs a list of messages under {keys}, each with a role and a content.",
            keys="messages, conversations, prompt + completion",
        )
    )


def _messages(value: Any, before: int = 0) -> tuple[Message, ...]:
    """The messages of a list; `before` is the number of messages in front of it."""
    if not isinstance(value, list):
        raise _shapeless()
    if before + len(value) > MAX_MESSAGES:
        raise InvalidConversation(
            tr(
                "The conversation has {count:,} messages, more than the {limit:,} that can be examined: split it.",
                count=before + len(value),
                limit=MAX_MESSAGES,
            )
        )
    return tuple(_message(message, number) for number, message in enumerate(value, before + 1))


def _message(value: Any, number: int) -> Message:
    if not isinstance(value, Mapping):
        raise InvalidConversation(tr("Message {number} is no object with a role and a content.", number=number))
    if any(not isinstance(key, str) for key in value):
        raise InvalidConversation(tr("Message {number} has a key that is no text.", number=number))
    given = {key: item for key, item in value.items() if item is not None}
    if "role" not in given and "from" in given:
        given = _renamed(given)
    role = given.get("role")
    if not isinstance(role, str):
        raise InvalidConversation(
            tr(
                "Message {number} has no role: give it one of {roles}.",
                number=number,
                roles=", ".join(ROLES),
            )
        )
    content, form = _content(given, number)
    thought = next((given[key] for key in THOUGHTS if key in given), "")
    calls = given.get("tool_calls", [])
    if not isinstance(calls, list):
        raise InvalidConversation(tr("The tool calls of message {number} are no list.", number=number))
    return Message(
        role=role,
        content=content,
        thinking=_text(thought, "reasoning_content", number),
        tool_calls=tuple(_tool_call(call, number) for call in calls),
        name=_text(given.get("name", ""), "name", number),
        tool_call_id=_text(given.get("tool_call_id", ""), "tool_call_id", number),
        weight=_weight(given.get("weight"), number),
        content_form=form,
        more={key: item for key, item in given.items() if key not in _KNOWN or (key in THOUGHTS and item == "")},
    )


def _content(message: Mapping[str, Any], number: int) -> tuple[str, ContentForm]:
    if "content" not in message:
        return "", "absent"
    content = message["content"]
    if isinstance(content, str):
        return content, "text"
    if not isinstance(content, list):
        raise InvalidConversation(_not_text("content", number))
    texts = []
    for part in content:
        if not isinstance(part, Mapping) or not isinstance(part.get("text"), str):
            raise InvalidConversation(
                tr(
                    "Message {number} has a part that is no text: images, sounds and videos cannot be examined.",
                    number=number,
                )
            )
        texts.append(part["text"])
    return "".join(texts), "parts"


def _tool_call(value: Any, number: int) -> ToolCall:
    call = value.get("function", value) if isinstance(value, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        raise InvalidConversation(
            tr("A tool call of message {number} is no object with a name and arguments.", number=number)
        )
    arguments = call.get("arguments", {})
    return ToolCall(
        name=call["name"],
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False),
        id=str(value.get("id") or ""),
        as_text=isinstance(arguments, str),
        is_bare="function" not in value,
    )


def _weight(value: Any, number: int) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and math.isfinite(value) and value >= 0:
        return float(value)
    raise InvalidConversation(
        tr("The weight of message {number} must be a number of 0 or more.", number=number),
    )


def _text(value: Any, key: str, number: int) -> str:
    if isinstance(value, str):
        return value
    raise InvalidConversation(_not_text(key, number))


def _not_text(key: str, number: int) -> Text:
    return tr("{key} of message {number} is no text.", key=key, number=number)


def _sharegpt(value: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages under "conversations", after the text under "system" if there is one."""
    messages = value["conversations"]
    system = value.get("system")
    if isinstance(system, str) and system and isinstance(messages, list):
        messages = [{"role": "system", "content": system}, *messages]
    return _messages(messages)


def _renamed(message: dict[str, Any]) -> dict[str, Any]:
    """A message of ShareGPT with the names that templates know; a function call becomes a tool call."""
    rest = {key: item for key, item in message.items() if key not in ("from", "value")}
    role, value = message["from"], message.get("value")
    if role == "function_call" and isinstance(value, str):
        try:
            return {**rest, "role": "assistant", "tool_calls": [json.loads(value)]}
        except (ValueError, RecursionError):
            pass
    role = _SHAREGPT_ROLES.get(role, role) if isinstance(role, str) else role
    return {**rest, "role": role, **({} if value is None else {"content": value})}


def _tools(value: Any) -> tuple[dict[str, Any], ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            value = ()
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(tool, dict) for tool in value):
        return tuple(value)
    raise InvalidConversation(tr("The tools are no list of JSON schemas."))


def _switches(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return value
    raise InvalidConversation(tr("chat_template_kwargs is no object with names and values."))
