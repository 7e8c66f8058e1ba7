"""Text that no message has: a system prompt that the template adds by itself, and the date of the day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from core.chat.doctor.case import evidence_in
from core.chat.doctor.failures import Complaint, Failure, Group
from core.chat.doctor.patient import Patient, shared_length
from core.chat.messages import ROLES, Conversation, Message
from core.chat.rendering import render
from core.chat.template_errors import BrokenTemplate
from core.contracts.text import quoted, tr
from core.outside import shown_label

SYSTEM_INJECTED = Failure(
    id="system-prompt-injected",
    label=tr("The template adds a system prompt"),
    explanation=tr(
        "A conversation without a system message gets one that the template contains. It is trained on and paid for in "
        "every row, and it is missing wherever a part of the conversation is rendered by itself or by another program."
    ),
    repair=tr(
        "Remove the default system prompt from the template, or write it as a system message into the data and into "
        "every request."
    ),
    healthy=tr("Without a system message, the template writes none."),
)
DATE_INJECTED = Failure(
    id="date-injected",
    label=tr("The template writes the date of the day"),
    explanation=tr(
        "The text depends on the day on which it is rendered. Rows of the same conversation differ from day to day, "
        "the model learns the date of the training, and turns rendered on two days do not fit together."
    ),
    repair=tr("Pass a fixed date to the template, or remove {call} from it.", call="strftime_now"),
    healthy=tr("The same conversation gives the same text on every day."),
)

_DATES = (datetime(2024, 1, 2, 3, 4, 5), datetime(2031, 11, 23, 14, 25, 36))
_QUESTION = "kwyjibo"
"""A question that no template contains."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_WORD_SO_FAR = re.compile(r"[^\s<>|]*\Z")
_ROLE_WORDS = {*ROLES, "developer", "model", "human", "bot", "ai", "inst", "instruction", "message", "turn", "chat"}
_PROMPT_WORDS = 3
"""From so many words on, what stands in front of the first message is a system prompt. Headers have one or two."""


def in_template(patient: Patient) -> Iterator[Complaint]:
    yield from _system(patient)
    yield from _date(patient)


def _system(patient: Patient) -> Iterator[Complaint]:
    try:
        text = patient.render((Message("user", _QUESTION),)).text
    except BrokenTemplate:
        return
    before = text.partition(_QUESTION)[0]
    words = list(_WORD.finditer(patient.control_tokens.sub(lambda token: " " * len(token[0]), before)))
    words = [word for word in words if word[0].lower() not in _ROLE_WORDS]
    if len(words) < _PROMPT_WORDS or len(before) == len(text):
        return
    start, end = words[0].start(), words[-1].end()
    rest = before[end:]
    end += min([len(rest), *(rest.find(mark) for mark in ("\n", ".") if mark in rest)])
    end = min([end, *(token.start() for token in patient.control_tokens.finditer(before) if token.start() > start)])
    encoded = patient.encode(text)
    yield Complaint(
        SYSTEM_INJECTED.id,
        tr(
            "A question without a system message is preceded by {text}.",
            text=quoted(shown_label(before[start:end], 120)),
        ),
        (evidence_in(text, encoded, encoded.covering(start, end), tr("The template writes this by itself.")),),
    )


def _date(patient: Patient) -> Iterator[Complaint]:
    user, system = Message("user", _QUESTION), Message("system", "dummy")
    for messages in ((user,), (system, user)):
        try:
            conversation = Conversation(messages)
            switches = patient.setup.switches
            first, second = (
                render(patient.template, conversation, switches=switches, date=date).text for date in _DATES
            )
        except BrokenTemplate:
            continue
        if first == second:
            continue
        start = shared_length(first, second)
        start = start - len(_WORD_SO_FAR.search(first[:start])[0])  # type: ignore[index]  # it matches every text
        tail = shared_length(first[start:][::-1], second[start:][::-1])
        end = max(len(first) - tail, start + 1)
        encoded = patient.encode(first)
        yield Complaint(
            DATE_INJECTED.id,
            tr(
                "On one day the template writes {first}, on another {second}.",
                first=quoted(first[start:end]),
                second=quoted(second[start : len(second) - tail]),
            ),
            (evidence_in(first, encoded, encoded.covering(start, end), tr("These tokens depend on the day.")),),
        )
        return


GROUP = Group(
    id="injected-text",
    label=tr("Text that nobody wrote"),
    failures=(SYSTEM_INJECTED, DATE_INJECTED),
    in_template=in_template,
)
