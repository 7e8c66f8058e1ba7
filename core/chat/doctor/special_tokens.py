"""Special tokens and white space: what the tokenizer adds, what a user can type, and what the template takes away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.chat.doctor.case import Case, prepare
from core.chat.doctor.failures import NEEDS_DATA, Complaint, Failure, Group
from core.chat.doctor.patient import Patient
from core.chat.doctor.probes import INDENTED
from core.chat.template_errors import BrokenTemplate
from core.contracts.text import Text, quoted, tr, tr_plural

BOS_DOUBLED = Failure(
    id="bos-doubled",
    label=tr("The beginning-of-sequence token is doubled"),
    explanation=tr(
        "The template writes the token, and the tokenizer adds it once more, or the template writes it twice. No text "
        "of the pretraining begins like this."
    ),
    repair=tr(
        "Encode the rendered text with {option}, or remove the token from the template.",
        option="add_special_tokens=False",
    ),
    healthy=tr("The text begins with at most one beginning-of-sequence token."),
)
INJECTED = Failure(
    id="special-token-typed",
    label=tr("A special token in a message becomes a control token"),
    explanation=tr(
        "A message contains the text of a special token, and the tokenizer makes the special token of it. Whoever can "
        "write messages can end a turn, open another role and speak for it."
    ),
    repair=tr(
        "Encode messages without special tokens ({transformers} in transformers), or remove such text from the data.",
        transformers="apply_chat_template(..., sanitize_control_tokens=True)",
    ),
    healthy=tr("No message contains the text of a special token."),
)
STRIPPED = Failure(
    id="whitespace-stripped",
    label=tr("The template strips white space"),
    explanation=tr(
        "White space at the edge of a message is in the data and not in the text. Indented code and lists lose the "
        "indentation of their first line."
    ),
    repair=tr("Remove {filter} from the template, or write the data without white space at the edges.", filter="trim"),
    healthy=tr("White space at the edges of messages is kept."),
    data_decides=True,
)


def in_template(patient: Patient) -> Iterator[Complaint]:
    """Whether white space is kept that the doctor's other conversations do not have: it would merge with the line end
    before it."""
    try:
        yield from _stripped(prepare(patient, INDENTED))
    except BrokenTemplate:
        return


def in_conversation(case: Case) -> Iterator[Complaint]:
    yield from _doubled(case)
    yield from _typed(case)
    yield from _stripped(case)


def _doubled(case: Case) -> Iterator[Complaint]:
    """What the template begins with twice, or what the tokenizer puts in front of a text that begins with it."""
    tokenizer, encoded = case.patient.tokenizer, case.encoded
    bos = tokenizer.id_of(tokenizer.bos)
    count = 1 if bos >= 0 and encoded.ids[:2].tolist() == [bos, bos] else encoded.in_front
    if count and encoded.ids[:count].tolist() == encoded.ids[count : 2 * count].tolist():
        evidence = case.evidence(0, 2 * count, tr("The text begins with the same tokens twice."))
        token = quoted("".join(evidence.tokens[:count]))
        yield Complaint(BOS_DOUBLED.id, tr("The tokens begin with {token} twice.", token=token), (evidence,))


def _typed(case: Case) -> Iterator[Complaint]:
    pattern = case.patient.control_tokens
    for index, message in enumerate(case.conversation.messages):
        found = pattern.search(message.content)
        if not found or index not in case.spans:
            continue
        begin = case.content_of(index)[0]
        at = case.text.find(found[0], begin, case.spans[index][1])
        tokens = case.tokens_in(at, at + len(found[0]))
        if at < 0 or not case.encoded.special[tokens].any():
            continue
        yield Complaint(
            INJECTED.id,
            tr(
                "Message {message} of the role {role} contains {token}, which becomes a control token.",
                message=index + 1,
                role=quoted(message.role),
                token=quoted(found[0]),
            ),
            (case.evidence(tokens.start, tokens.stop, tr("A special token that comes from a message.")),),
        )
        return


def _stripped(case: Case) -> Iterator[Complaint]:
    """White space in front of any message, and on both sides of an answer, which would be learned."""
    for index, message in enumerate(case.conversation.messages):
        content, bare = message.content, message.content.strip()
        if not bare or content == bare or index not in case.spans:
            continue
        expected = content if message.role == "assistant" else content.rstrip()
        opens, ends = case.spans[index]
        at = case.text.find(bare, opens, ends)
        if at < 0 or case.text.find(expected, opens, ends) >= 0:
            continue
        yield Complaint(
            STRIPPED.id,
            tr_plural(
                "Message {message} loses {count} character of white space at its edges.",
                "Message {message} loses {count} characters of white space at its edges.",
                message=index + 1,
                count=len(expected) - len(bare),
            ),
            (
                case.evidence(
                    *_around(case, at, at + len(bare)), tr("The message in the text, without its white space.")
                ),
            ),
        )
        return


def _around(case: Case, start: int, end: int) -> tuple[int, int]:
    tokens = case.tokens_in(start, end)
    return tokens.start, min(tokens.stop, tokens.start + 8)


def not_applicable(patient: Patient, has_data: bool) -> Mapping[str, Text]:
    reasons = {}
    if not (patient.tokenizer.bos or patient.tokenizer.adds_bos):
        reasons[BOS_DOUBLED.id] = tr("The tokenizer has no beginning-of-sequence token.")
    if not has_data:
        reasons[INJECTED.id] = NEEDS_DATA
    return reasons


GROUP = Group(
    id="special-tokens",
    label=tr("Special tokens and white space"),
    failures=(BOS_DOUBLED, INJECTED, STRIPPED),
    in_template=in_template,
    in_conversation=in_conversation,
    not_applicable=not_applicable,
    uses_probes=True,
)
