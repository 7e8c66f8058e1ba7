"""The doctor's own conversations: what every template should render, and be learned from, without a fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.chat.doctor.case import Case, prepare
from core.chat.doctor.patient import Patient
from core.chat.messages import Conversation, Message
from core.chat.template_errors import BrokenTemplate

_SKY = (
    Message("user", "What color is the sky?"),
    Message("assistant", "It is blue."),
    Message("user", "And at night?"),
    Message("assistant", "It is black, with stars."),
)
_THOUGHTS = (
    _SKY[0],
    replace(_SKY[1], thinking="They mean the sky by day."),
    _SKY[2],
    replace(_SKY[3], thinking="No sun, no blue."),
)
_DUMMY = tuple(Message(role, "dummy") for role in ("user", "assistant", "user"))

PROBES = (
    Conversation(_SKY),
    Conversation((Message("system", "Answer in few words."), *_SKY)),
    Conversation(_SKY[:2]),
    Conversation(_DUMMY),
    Conversation(_THOUGHTS),
)
"""Two turns, without and with a system message; one turn; the messages of TRL's `is_chat_template_stop_token_trained`;
and two turns with thoughts."""


INDENTED = Conversation((Message("user", "Write a line of Python."), Message("assistant", "    return 1")))
"""An answer that begins with white space. It is none of the probes: white space may merge with what is before it."""


def cases(patient: Patient) -> Iterator[Case]:
    """The probes that the template accepts. Raises BrokenTemplate if it accepts none."""
    refused: list[BrokenTemplate] = []
    # Where the completion is what follows the prompt, a conversation that ends with the user has none.
    tried = [probe for probe in PROBES if patient.setup.policy != "completion_only" or _ends_with_answer(probe)]
    for probe in tried:
        try:
            yield prepare(patient, probe)
        except BrokenTemplate as error:
            refused.append(error)
    if len(refused) == len(tried):
        raise refused[0]


def _ends_with_answer(conversation: Conversation) -> bool:
    return conversation.messages[-1].role == "assistant"
