"""Renders a conversation with a chat template, and tells which part of the template wrote which characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from core.chat.messages import Conversation, InvalidConversation
from core.chat.sandbox import DEFAULT_DATE
from core.chat.template_code import compiled
from core.chat.traced import Run
from core.chat.traced_data import TracedData
from core.contracts.text import tr

_LINE_END = re.compile(r"\r\n|\r")


@dataclass(frozen=True)
class ChatTemplate:
    """A Jinja chat template. `special` holds the texts that it may use as variables (bos_token, eos_token, ...).

    Ranges of characters count in `source`, whose line ends are \\n.
    """

    source: str
    name: str = ""
    special: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", _LINE_END.sub("\n", self.source))


class Piece(NamedTuple):
    """Consecutive characters of the rendered text with one origin.

    `start` and `end` count characters of the text; `template_start` and `template_end` those of the template's source:
    the text between tags, the literal, or the {{ }} that wrote the piece (-1 if unknown). `message` is the index of the
    message being rendered, -1 for none. `from_content` marks text of the message itself (content, thought, tool call),
    `generation` what is inside of {% generation %}.
    """

    start: int
    end: int
    template_start: int
    template_end: int
    message: int
    from_content: bool
    generation: bool


@dataclass(frozen=True)
class Rendered:
    """A rendered conversation. `pieces` cover `text` without gaps, in order.

    `generation_spans` are the ranges of characters [start, end) that transformers notes for {% generation %}, and that
    its mask and TRL's labels follow. They equal the pieces inside, except where a template builds the text out of
    order. The other fields are what was rendered, so that parts of it can be rendered again.
    """

    text: str
    pieces: tuple[Piece, ...]
    generation_spans: tuple[tuple[int, int], ...]
    template: ChatTemplate
    conversation: Conversation
    add_generation_prompt: bool = False
    switches: Mapping[str, Any] = field(default_factory=dict)
    date: datetime | None = None


def render(
    template: ChatTemplate,
    conversation: Conversation,
    *,
    add_generation_prompt: bool = False,
    switches: Mapping[str, Any] | None = None,
    date: datetime | None = None,
) -> Rendered:
    """The text that transformers' `apply_chat_template(tokenize=False)` gives, and where it comes from.

    `switches` are further variables of the template (enable_thinking, documents, ...); they win over those of the
    conversation. `date` is what `strftime_now` tells; a fixed day without it, so that the text does not depend on the
    day. Raises BrokenTemplate, and InvalidConversation for one without messages.
    """
    if not conversation.messages:
        raise InvalidConversation(tr("The conversation has no message: add one."))
    chosen = {**conversation.switches, **(switches or {})}
    data = TracedData()
    for name, value in {"documents": None, **template.special, **chosen}.items():
        data.add(name, value)
    data.add("tools", list(conversation.tools) or None)
    data.add("add_generation_prompt", add_generation_prompt)
    data.add_messages(conversation)
    code = compiled(template.source)
    written = code.write(data, date or DEFAULT_DATE)
    return Rendered(
        written.text,
        _pieces(written.runs, code.branch_of),
        written.generation_spans,
        template,
        conversation,
        add_generation_prompt,
        chosen,
        date,
    )


def _pieces(runs: Sequence[Run], branch_of: Callable[[int], int]) -> tuple[Piece, ...]:
    """The runs with their places in the text; neighbours of the same origin are one piece."""
    pieces: list[Piece] = []
    start = 0
    for run in _with_messages(runs, branch_of):
        end = start + run.length
        if pieces and pieces[-1][2:] == run[1:]:
            pieces[-1] = pieces[-1]._replace(end=end)
        else:
            pieces.append(Piece(start, end, *run[1:]))
        start = end
    return tuple(pieces)


def _with_messages(runs: Sequence[Run], branch_of: Callable[[int], int]) -> list[Run]:
    """The runs, with the message of those that a branch of an {% if %} wrote outside of a loop over messages, such as
    `{% if messages[0].role == 'system' %}...`: the only message whose text that branch wrote."""
    filled = list(runs)
    start = 0
    for _, group in groupby(runs, key=lambda run: branch_of(run.template_start)):
        part = list(group)
        found = {run.message for run in part if run.message >= 0}
        if len(found) == 1 and len(part) > 1 and branch_of(part[0].template_start):
            (message,) = found
            filled[start : start + len(part)] = [
                run._replace(message=message) if run.message < 0 else run for run in part
            ]
        start += len(part)
    return filled
