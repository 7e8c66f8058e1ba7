"""Whether what was said stays as it was written when the conversation goes on.

A conversation is generated turn by turn, and trained on as a whole. Where the two texts differ, the model is trained on
contexts that it never meets.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from core.chat.doctor.case import SHOWN_TOKENS, Case, evidence_in
from core.chat.doctor.failures import Complaint, Failure, Group
from core.chat.doctor.findings import Evidence
from core.chat.doctor.patient import Patient, shared_length
from core.chat.messages import Message, ToolCall
from core.chat.template_errors import BrokenTemplate
from core.contracts.text import Text, tr

_MAX_SHAPES = 10_000
_FEWEST, _MOST, _MAX_CHARACTERS = 4, 64, 2_000_000
"""Beginnings of one conversation that are rendered, evenly spaced in a long one, and the characters of all of them."""

REWRITTEN = Failure(
    id="history-rewritten",
    label=tr("The template rewrites what was said before"),
    explanation=tr(
        "Rendering the first messages alone does not give the beginning of rendering all of them. The model is trained "
        "on contexts that it never meets when it answers turn by turn, and cached keys and values cannot be reused."
    ),
    repair=tr("Let the template write each message without looking at those that follow."),
    healthy=tr("Rendered turn by turn, a conversation is the beginning of the whole."),
)
THOUGHTS_DROPPED = Failure(
    id="thoughts-dropped",
    label=tr("The template drops earlier thoughts"),
    explanation=tr(
        "A thought is written while its answer is the last one, and left out as soon as the conversation goes on. "
        "Earlier answers are learned without the thoughts that led to them."
    ),
    repair=tr("Write thoughts in every turn, or train on one example per turn, each ending with its answer."),
    healthy=tr("A thought stays in the text when the conversation goes on."),
    data_decides=True,
)
PROMPT_DIFFERS = Failure(
    id="generation-prompt-differs",
    label=tr("The generation prompt is not what was trained on"),
    explanation=tr(
        "With the generation prompt at its end, the text before an answer is not the beginning of the text that is "
        "trained on. The model answers in a context that it has not seen."
    ),
    repair=tr("Let the template begin an assistant message with exactly what it writes as the generation prompt."),
    healthy=tr("An answer is trained on behind the generation prompt."),
    data_decides=True,
)


def in_conversation(case: Case) -> Iterator[Complaint]:
    """Every beginning of the conversation against the whole. One complaint.

    Conversations of a shape that was found sound before are not rendered again: see `_shape`.
    """
    shape = _shape(case)
    if case.number and shape in case.patient.sound_shapes:
        return
    complaint = _first_difference(case)
    if complaint is not None:
        yield complaint
    elif len(case.patient.sound_shapes) < _MAX_SHAPES:
        case.patient.sound_shapes.add(shape)


def _shape(case: Case) -> Hashable:
    """All that a template can tell two conversations apart by, except what the messages say: roles, which keys there
    are, white space at the edges, and which literals of the template (such as '</think>') the content has."""
    return (
        bool(case.conversation.tools),
        tuple(sorted(case.conversation.switches)),
        tuple(
            (
                message.role,
                bool(message.content),
                message.content[:1].isspace(),
                message.content[-1:].isspace(),
                message.content_form,
                bool(message.thinking),
                len(message.tool_calls),
                bool(message.name),
                tuple(message.more),
                frozenset(case.patient.literals.findall(message.content)),
            )
            for message in case.conversation.messages
        ),
    )


def _first_difference(case: Case) -> Complaint | None:
    messages = case.conversation.messages
    asked = next((index for index, message in enumerate(messages) if message.role == "user"), len(messages))
    counts = range(asked + 1, len(messages))
    most = max(_FEWEST, min(_MOST, _MAX_CHARACTERS // max(1, len(case.text))))
    for count in sorted({counts[(len(counts) - 1) * step // (most - 1)] for step in range(most)} if counts else ()):
        is_answered = messages[count].role == "assistant"
        prompted = _rendered(case, count, prompts=True) if is_answered else None
        if prompted is not None and case.text.startswith(prompted):
            continue  # and so does the text without the prompt
        shorter = _rendered(case, count)
        if shorter is not None and not case.text.startswith(shorter):
            return _rewritten(case, count, shorter)
        if prompted is not None and not _suits_thoughts(case, count):
            return _prompt_differs(case, count, prompted)
    return None


def _rendered(case: Case, count: int, prompts: bool = False) -> str | None:
    """None where the template refuses so few messages."""
    try:
        return case.rendered_until(count, prompts=prompts)
    except BrokenTemplate:
        return None


def _suits_thoughts(case: Case, count: int) -> bool:
    """Whether a probe fits to the generation prompt if its answers have thoughts, or if they have none: a prompt may
    ask for either, and the data decides."""
    if case.number:
        return False
    for thought in ("", "A thought."):
        messages = tuple(
            replace(message, thinking=thought) if message.role == "assistant" else message
            for message in case.conversation.messages[: count + 1]
        )
        try:
            prompted = case.patient.render(messages[:count], prompts=True).text
            if case.patient.render(messages).text.startswith(prompted):
                return True
        except BrokenTemplate:
            continue
    return False


def _rewritten(case: Case, count: int, shorter: str) -> Complaint:
    thought = next(
        (t for t in _thoughts(case.conversation.messages[:count]) if t in shorter and t not in case.text), ""
    )
    if thought:
        at = shorter.index(thought)
        note = tr("Written while its answer is the last one, and left out of the whole conversation.")
        return Complaint(
            THOUGHTS_DROPPED.id,
            tr(
                "A thought in the messages up to number {count} is left out when the conversation goes on.", count=count
            ),
            (_evidence(case, shorter, at, at + len(thought), note), *_both(case, shorter)),
        )
    return Complaint(
        REWRITTEN.id,
        tr("The messages up to number {count} are written in another way when the conversation goes on.", count=count),
        _both(case, shorter),
    )


def _prompt_differs(case: Case, count: int, prompted: str) -> Complaint:
    sentence = tr(
        "The text before the answer in message {message} does not end with the generation prompt.", message=count + 1
    )
    return Complaint(PROMPT_DIFFERS.id, sentence, _both(case, prompted))


def _both(case: Case, shorter: str) -> tuple[Evidence, Evidence]:
    """Where the two texts begin to differ, in each."""
    at = shared_length(shorter, case.text)
    whole = case.tokens_in(at, len(case.text))
    begin = max(0, whole.start - 1)
    return (
        _evidence(case, shorter, at, len(shorter), tr("Turn by turn, the text goes on like this.")),
        case.evidence(
            begin, min(whole.stop, begin + SHOWN_TOKENS), tr("In the whole conversation it goes on like this.")
        ),
    )


def _evidence(case: Case, text: str, start: int, end: int, note: Text) -> Evidence:
    encoded = case.patient.encode(text)
    tokens = encoded.covering(start, end)[:SHOWN_TOKENS]
    return replace(evidence_in(text, encoded, tokens, note), conversation=case.number)


def _thoughts(messages: Sequence[Message]) -> Iterator[str]:
    """The thoughts of messages, also those in the text of the message."""
    for message in messages:
        thought = message.thinking or message.content.partition("</think>")[0].rpartition("<think>")[2]
        if thought.strip() and (message.thinking or "</think>" in message.content):
            yield thought.strip()


def in_template(patient: Patient) -> Iterator[Complaint]:
    """What TRL's `is_chat_template_prefix_preserving` asks: does a tool's result leave the tokens before it as they
    were?"""
    for as_text in (False, True):
        call = ToolCall("dummy", "{}", as_text=as_text)
        messages = (Message("user", "dummy"), Message("assistant", "", tool_calls=(call,)))
        result = Message("tool", "dummy", name="dummy")
        try:
            shorter = patient.render(messages).text
            longer = patient.render((*messages, result), prompts=True).text
        except BrokenTemplate:
            continue
        before, after = patient.tokenizer.encode(shorter), patient.tokenizer.encode(longer)
        if len(before) <= len(after) and (before.ids == after.ids[: len(before)]).all():
            return
        same = min(len(before), len(after))
        differing = (before.ids[:same] != after.ids[:same]).nonzero()[0]
        at = int(differing[0]) if len(differing) else same
        yield Complaint(
            REWRITTEN.id,
            tr("The result of a tool changes how the messages before it are written."),
            (
                evidence_in(
                    shorter, before, range(at, len(before)), tr("Without the result, the text goes on like this.")
                ),
                evidence_in(longer, after, range(at, len(after)), tr("With the result, it goes on like this.")),
            ),
        )
        return


GROUP = Group(
    id="history",
    label=tr("Turn by turn"),
    failures=(REWRITTEN, THOUGHTS_DROPPED, PROMPT_DIFFERS),
    in_template=in_template,
    in_conversation=in_conversation,
    uses_probes=True,
)
