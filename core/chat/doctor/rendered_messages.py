"""Messages that the template refuses or leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from core.chat.doctor.case import Case
from core.chat.doctor.failures import Complaint, Failure, Group
from core.chat.doctor.findings import Evidence
from core.contracts.text import Text, quoted, tr

REFUSED = Failure(
    id="template-refuses",
    label=tr("The template refuses the conversation"),
    explanation=tr("Rendering ends with an error. A training script stops at this conversation, or skips it silently."),
    repair=tr("Change the conversation to what the template accepts, or the template."),
    healthy=tr("The template renders every conversation."),
)
DROPPED = Failure(
    id="message-dropped",
    label=tr("The template leaves a message out"),
    explanation=tr(
        "The text of a message, its thought or its tool call is not in the rendered text. Templates that do not know "
        "tools or thoughts leave them out without an error."
    ),
    repair=tr("Use a template that writes the role and tool calls, or put their text into the content."),
    healthy=tr("The text of every message and every tool call is rendered."),
)


def in_conversation(case: Case) -> Iterator[Complaint]:
    """The first message with a part that is not in the text. Most templates leave out all thoughts but the last."""
    messages = case.conversation.messages
    for index, message in enumerate(messages):
        content = message.content.partition("</think>")[2].strip() or message.content.strip()
        thought = message.thinking.strip() if index == len(messages) - 1 and case.number else ""
        parts = (content, thought, *(call.name for call in message.tool_calls))
        lost = next((part for part in parts if part and part not in case.text), "")
        if lost:
            sentence = tr(
                "Message {message} of the role {role} is left out of the text, or a part of it: {text}.",
                message=index + 1,
                role=quoted(message.role),
                text=quoted(lost[:80]),
            )
            note = tr("What the template makes of the message.")
            yield Complaint(DROPPED.id, sentence, written_for(case, index, note))
            return


def written_for(case: Case, index: int, note: Text) -> tuple[Evidence, ...]:
    """What the template writes for a message, as evidence."""
    if index not in case.spans:
        return (case.evidence(0, 0, tr("The template writes nothing for the message.")),)
    tokens = case.tokens_in(*case.spans[index])
    return (case.evidence(tokens.start, tokens.stop, note),)


GROUP = Group(
    id="rendered-messages",
    label=tr("Messages and template"),
    failures=(REFUSED, DROPPED),
    in_conversation=in_conversation,
    uses_probes=True,
)
