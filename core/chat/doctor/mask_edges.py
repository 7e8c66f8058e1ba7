"""The first and the last token of an answer: where a loss mask is off by one or a few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.chat.doctor.case import Answer, Case
from core.chat.doctor.failures import ALL_LEARNED, Complaint, Failure, Group
from core.chat.doctor.loss_mask import has_mask
from core.chat.doctor.patient import Patient
from core.contracts.text import Text, quoted, tr, tr_plural

_BLOCK = "{% generation %}"

BEGINS_LATE = Failure(
    id="mask-begins-too-late",
    label=tr("The loss mask begins too late"),
    explanation=tr(
        "Several tokens at the beginning of an answer are no targets. The model does not learn how to begin."
    ),
    repair=tr("Open {block} directly after the header of the assistant's turn.", block=_BLOCK),
    healthy=tr("The targets begin where the answer begins."),
)
LOSES_FIRST = Failure(
    id="mask-loses-first-token",
    label=tr("The loss mask loses the first token"),
    explanation=tr(
        "The first token of an answer is no target. A mask that is shifted once too often does this, and one that "
        "counts the tokens of the prompt alone."
    ),
    repair=tr(
        "Build the mask from the characters of the answer, not from a count of tokens, and leave the shift to the "
        "model."
    ),
    healthy=tr("The first token of each answer is a target."),
)
LOSES_LAST = Failure(
    id="mask-loses-last-token",
    label=tr("The loss mask loses the last token"),
    explanation=tr("Tokens at the end of an answer's text are no targets. The model does not learn how answers end."),
    repair=tr("Close {block} after the whole answer and its end-of-turn token.", block=_BLOCK),
    healthy=tr("The last token of each answer's text is a target."),
)
MERGED = Failure(
    id="boundary-merge",
    label=tr("Prompt and answer merge into one token"),
    explanation=tr(
        "One token covers the end of the prompt and the beginning of the answer, such as a space and a word. At "
        "inference the prompt ends before the answer, so the model reads other tokens than those it was trained on."
    ),
    repair=tr(
        "Let the header of the assistant's turn end with a special token or a line break, and strip white space from "
        "the beginning of answers."
    ),
    healthy=tr("Every answer begins with a token of its own."),
)


def in_conversation(case: Case) -> Iterator[Complaint]:
    """The edges of each answer that the policy wants learned."""
    for answer in case.answers:
        if answer.learned:
            yield from _merged(case, answer)
            if has_mask(case):
                yield from _edges(case, answer)


def _edges(case: Case, answer: Answer) -> Iterator[Complaint]:
    tokens = case.tokens_in(answer.begins, answer.content_ends)
    learned = case.targets[tokens].nonzero()[0]
    if not len(learned):
        return
    missed, left = int(learned[0]), len(tokens) - 1 - int(learned[-1])
    begin = tokens.start
    if missed == 1:
        note = tr("The first token here begins the answer. It is no target.")
        sentence = tr("The first token of the answer in message {message} is no target.", message=answer.message + 1)
        yield Complaint(LOSES_FIRST.id, sentence, (case.evidence(begin, min(begin + 4, tokens.stop), note),))
    elif missed > 1:
        note = tr("The answer begins with these tokens. They are no targets.")
        sentence = tr(
            "The answer in message {message} begins with {count} tokens that are no targets.",
            message=answer.message + 1,
            count=missed,
        )
        yield Complaint(BEGINS_LATE.id, sentence, (case.evidence(begin, begin + missed, note),))
    if left:
        note = tr("The text of the answer ends with these tokens. They are no targets.")
        sentence = tr_plural(
            "The last token of the text in message {message} is no target.",
            "The last {count} tokens of the text in message {message} are no targets.",
            count=left,
            message=answer.message + 1,
        )
        yield Complaint(LOSES_LAST.id, sentence, (case.evidence(tokens.stop - left, tokens.stop, note),))


def _merged(case: Case, answer: Answer) -> Iterator[Complaint]:
    token = case.tokens_in(answer.begins, answer.ends).start - 1
    starts, ends = case.encoded.starts, case.encoded.ends
    if token < 0 or not starts[token] < answer.begins < ends[token]:
        return
    before, after = case.text[starts[token] : answer.begins], case.text[answer.begins : ends[token]]
    target = tr("It is a target, with the end of the prompt in it.")
    lost = tr("It is no target: the answer loses its beginning.")
    yield Complaint(
        MERGED.id,
        tr(
            "In message {message} the end of the prompt {before} and the beginning of the answer {after} are one "
            "token.",
            message=answer.message + 1,
            before=quoted(before),
            after=quoted(after),
        ),
        (case.evidence(token, token + 1, target if case.targets[token] else lost),),
    )


def not_applicable(patient: Patient, has_data: bool) -> Mapping[str, Text]:
    if patient.setup.policy != "all":
        return {}
    return {failure.id: ALL_LEARNED for failure in (BEGINS_LATE, LOSES_FIRST, LOSES_LAST)}


GROUP = Group(
    id="mask-edges",
    label=tr("Edges of the loss mask"),
    failures=(BEGINS_LATE, LOSES_FIRST, LOSES_LAST, MERGED),
    in_conversation=in_conversation,
    not_applicable=not_applicable,
    uses_probes=True,
)
