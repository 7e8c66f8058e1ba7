"""Conversations that cannot be learned from, or not as they are meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.chat.doctor.case import Case
from core.chat.doctor.failures import NEEDS_DATA, Complaint, Failure, Group
from core.chat.doctor.patient import Patient
from core.chat.doctor.rendered_messages import written_for
from core.chat.messages import ROLES, Message
from core.contracts.text import Text, listed, quoted, tr

_KNOWN = (*ROLES, "developer")

NO_TARGET = Failure(
    id="no-target",
    label=tr("The conversation has no target"),
    explanation=tr(
        "Nothing is learned from the conversation: it has no assistant message with text, or its answers have the "
        "weight 0. It takes time, and its batch counts it: a batch of such rows alone has the loss NaN."
    ),
    repair=tr("Remove the conversation, or give it an answer."),
    healthy=tr("Every conversation has a target."),
)
ORDER = Failure(
    id="roles-do-not-alternate",
    label=tr("The roles do not alternate"),
    explanation=tr(
        "User and assistant do not take turns, or a system message stands in the middle. Templates write this without "
        "an error, and the model learns turns that never occur in use."
    ),
    repair=tr("Merge messages of the same role that follow one another, and put the system message first."),
    healthy=tr("User and assistant take turns in every conversation."),
)
UNKNOWN_ROLE = Failure(
    id="unknown-role",
    label=tr("A role does not exist"),
    explanation=tr(
        "A message has a role that is none of {roles}. Templates leave such a message out, or open a turn that the "
        "model does not know.",
        roles=", ".join(ROLES),
    ),
    repair=tr("Rename the role, such as 'human' to 'user' and 'gpt' to 'assistant'."),
    healthy=tr("All roles are known."),
)
EMPTY_MESSAGE = Failure(
    id="empty-message",
    label=tr("A message is empty"),
    explanation=tr("A message has neither text nor a tool call. From an empty answer the model learns to say nothing."),
    repair=tr("Remove the message, or the turn that it belongs to."),
    healthy=tr("Every message has text or a tool call."),
)


def in_conversation(case: Case) -> Iterator[Complaint]:
    messages = case.conversation.messages
    yield from _order(case)
    for index, message in enumerate(messages):
        if message.role not in _KNOWN:
            yield Complaint(
                UNKNOWN_ROLE.id,
                tr("Message {message} has the role {role}.", message=index + 1, role=quoted(message.role)),
                written_for(case, index, tr("What the template makes of the message.")),
            )
            break
    for index, message in enumerate(messages):
        if not message.content.strip() and not message.tool_calls:
            yield Complaint(
                EMPTY_MESSAGE.id,
                tr("Message {message} of the role {role} is empty.", message=index + 1, role=quoted(message.role)),
                written_for(case, index, tr("What the template makes of the message.")),
            )
            break
    if not case.targets.any() and not any(_is_answer(message) for message in messages):
        roles = listed(message.role for message in messages)
        yield Complaint(
            NO_TARGET.id,
            tr("The conversation has no answer to learn from; its roles are: {roles}.", roles=roles),
            (case.evidence(0, len(case.encoded), tr("None of these tokens is a target.")),),
        )


def _is_answer(message: Message) -> bool:
    return message.role == "assistant" and message.weight != 0 and bool(message.content or message.tool_calls)


def _order(case: Case) -> Iterator[Complaint]:
    """A tool's result follows the call, and the answer to it follows the result; several results may follow."""
    messages = case.conversation.messages
    for index, message in enumerate(messages):
        before = messages[index - 1].role if index else ""
        if message.role in ("system", "developer"):
            is_wrong = index > 0 and before not in ("system", "developer")
        elif message.role == "user":
            is_wrong = before in ("user", "tool")
        elif message.role == "assistant":
            is_wrong = before not in ("user", "tool")
        elif message.role == "tool":
            is_wrong = not (before == "tool" or (before == "assistant" and bool(messages[index - 1].tool_calls)))
        else:
            continue
        if is_wrong and before in ("", *_KNOWN):
            yield Complaint(
                ORDER.id,
                tr(
                    "Message {message} of the role {role} follows {before}.",
                    message=index + 1,
                    role=quoted(message.role),
                    before=quoted(before) if before else tr("nothing"),
                ),
                written_for(case, index, tr("The message that is out of turn.")),
            )
            return


def not_applicable(patient: Patient, has_data: bool) -> Mapping[str, Text]:
    if has_data:
        return {}
    return {failure.id: NEEDS_DATA for failure in GROUP.failures}


GROUP = Group(
    id="conversations",
    label=tr("Conversations"),
    failures=(NO_TARGET, ORDER, UNKNOWN_ROLE, EMPTY_MESSAGE),
    in_conversation=in_conversation,
    not_applicable=not_applicable,
)
