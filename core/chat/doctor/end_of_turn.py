"""The token that ends a turn: without it among the targets, the model never learns to stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.chat.doctor.case import Answer, Case
from core.chat.doctor.failures import Complaint, Failure, Group
from core.chat.doctor.patient import Patient
from core.contracts.text import Text, quoted, tr, tr_plural

NOT_LEARNED = Failure(
    id="end-of-turn-not-learned",
    label=tr("The end-of-turn token is not learned"),
    explanation=tr(
        "The template ends an answer with a special token, but the token is no target. The loss falls as it should, "
        "and the model never stops by itself."
    ),
    repair=tr(
        "Move the end-of-turn token inside {block}, before {end}.", block="{% generation %}", end="{% endgeneration %}"
    ),
    healthy=tr("The token that ends an answer is a target."),
)
OF_NEXT_MESSAGE = Failure(
    id="end-of-turn-of-next-message",
    label=tr("The end-of-turn token belongs to the next message"),
    explanation=tr(
        "The template writes nothing after an answer that could end it. The token that ends it is written when the "
        "next message is, so it is no part of the answer, and the last answer has none at all."
    ),
    repair=tr(
        "Let the template write the end-of-turn token directly after the text of the assistant, in the same turn."
    ),
    healthy=tr("Each answer ends with a special token of its own."),
)
PAD_IS_END = Failure(
    id="pad-is-end-of-turn",
    label=tr("The pad token is the end-of-turn token"),
    explanation=tr(
        "A collator that ignores every label equal to the pad token ignores the real end-of-turn tokens as well. The "
        "model never learns to stop."
    ),
    repair=tr(
        "Use a pad token that no answer contains, or mask by position (labels are -100 where the attention mask is 0)."
    ),
    healthy=tr("No target is equal to the pad token, or padding is masked by its position."),
)


def in_conversation(case: Case) -> Iterator[Complaint]:
    """The end of each answer that the policy wants learned."""
    for answer in case.answers:
        if answer.learned:
            yield from _not_ended(case, answer) if answer.stop < 0 else _not_learned(case, answer)
    yield from _masked_by_padding(case)


def _not_learned(case: Case, answer: Answer) -> Iterator[Complaint]:
    """Only where some of the answer is learned: a mask that is all zero is another failure."""
    body = case.targets[case.tokens_in(answer.begins, answer.ends)]
    if case.targets[answer.stop] or not body.any():
        return
    token = quoted(case.token_text(answer.stop))
    first = max(0, answer.stop - 3)
    yield Complaint(
        NOT_LEARNED.id,
        tr(
            "The answer in message {message} ends with {token}, which is no target.",
            message=answer.message + 1,
            token=token,
        ),
        (case.evidence(first, answer.stop + 1, tr("The last token here ends the turn. It is not learned.")),),
    )


def _not_ended(case: Case, answer: Answer) -> Iterator[Complaint]:
    end = case.tokens_in(answer.begins, answer.ends).stop
    following = next((token for token in range(end, len(case.encoded)) if not case.is_blank(token)), -1)
    begin = max(0, end - 4)
    if following >= 0 and case.added[following]:
        sentence = tr(
            "The answer in message {message} has no end; {token} after it belongs to the next message.",
            message=answer.message + 1,
            token=quoted(case.token_text(following)),
        )
        note = tr("The last token here belongs to the next message.")
        yield Complaint(OF_NEXT_MESSAGE.id, sentence, (case.evidence(begin, following + 1, note),))
        return
    sentence = tr("No special token ends the answer in message {message}.", message=answer.message + 1)
    note = tr("The answer ends with these tokens.")
    yield Complaint(OF_NEXT_MESSAGE.id, sentence, (case.evidence(begin, end, note),))


def _masked_by_padding(case: Case) -> Iterator[Complaint]:
    patient = case.patient
    if patient.setup.padding_masked_by == "position" or not patient.pad:
        return
    is_pad = case.encoded.ids == patient.tokenizer.id_of(patient.pad)
    lost = (is_pad & case.targets).nonzero()[0]
    if len(lost):
        yield Complaint(
            PAD_IS_END.id,
            tr_plural(
                "{count} target is {token}, which is also the pad token: it is ignored as padding.",
                "{count} targets are {token}, which is also the pad token: they are ignored as padding.",
                count=len(lost),
                token=quoted(patient.pad),
            ),
            (case.evidence(max(0, lost[0] - 3), lost[0] + 1, tr("The last token here is masked with the padding.")),),
        )


def not_applicable(patient: Patient, has_data: bool) -> Mapping[str, Text]:
    if not patient.pad:
        return {PAD_IS_END.id: tr("The tokenizer has neither a pad token nor an end token.")}
    return {}


GROUP = Group(
    id="end-of-turn",
    label=tr("End of turn"),
    failures=(NOT_LEARNED, OF_NEXT_MESSAGE, PAD_IS_END),
    in_conversation=in_conversation,
    not_applicable=not_applicable,
    uses_probes=True,
)
