"""A loss mask with nothing in it, or with what the model does not have to generate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from core.chat.doctor.case import Case
from core.chat.doctor.failures import ALL_LEARNED, Complaint, Failure, Group
from core.chat.doctor.patient import Patient
from core.contracts.text import Text, tr, tr_plural

_BLOCK, _END = "{% generation %}", "{% endgeneration %}"

ALL_ZERO = Failure(
    id="mask-all-zero",
    label=tr("The loss mask is all zero"),
    explanation=tr(
        "No token of an answer is a target. Libraries that build the mask from {block} give a mask of zeros, without "
        "an error, if the template has no such block or never reaches it.",
        block=_BLOCK,
    ),
    repair=tr(
        "Enclose what the assistant generates, with its end-of-turn token, in {block} and {end}.",
        block=_BLOCK,
        end=_END,
    ),
    healthy=tr("Every answer has targets."),
)
COVERS_OTHERS = Failure(
    id="mask-covers-user",
    label=tr("The loss mask covers user turns"),
    explanation=tr(
        "Tokens of user, system or tool messages are targets. The model learns to speak for the user, and to go on "
        "with the user's turn after its own."
    ),
    repair=tr("Train on assistant turns only: close {block} before the next message begins.", block=_BLOCK),
    healthy=tr("No token of a user, system or tool message is a target."),
)
RUNS_FAR = Failure(
    id="mask-runs-too-far",
    label=tr("The loss mask runs too far"),
    explanation=tr(
        "Tokens that the template writes after the end of the turn are targets. The model learns to open the next turn "
        "instead of stopping."
    ),
    repair=tr("Close {block} directly after the end-of-turn token.", block=_BLOCK),
    healthy=tr("The targets end with the end-of-turn token."),
)


def in_conversation(case: Case) -> Iterator[Complaint]:
    """What is a target and should not be, or that nothing is."""
    if case.patient.setup.policy == "all":
        yield from _covers_others(case)
    elif has_mask(case):
        yield from _covers_others(case)
        yield from _runs_far(case)
    yield from _all_zero(case)


def has_mask(case: Case) -> bool:
    """Whether the conversation has targets, and libraries find them: `assistant_only_loss` needs the block."""
    is_marked = case.patient.setup.policy != "assistant_only" or case.patient.has_generation
    return is_marked and bool(case.targets.any())


def _all_zero(case: Case) -> Iterator[Complaint]:
    for answer in case.answers:
        tokens = case.tokens_in(answer.begins, max(answer.content_ends, answer.begins + 1))
        if not answer.learned or not tokens or (has_mask(case) and case.targets[tokens].any()):
            continue
        if not case.patient.has_generation:
            sentence = tr("The template has no {block}: no token is a target.", block=_BLOCK)
        else:
            sentence = tr("The answer in message {message} has no target.", message=answer.message + 1)
        note = tr("These tokens of the answer are no targets.")
        yield Complaint(ALL_ZERO.id, sentence, (case.evidence(tokens.start, tokens.stop, note),))
        return


def _covers_others(case: Case) -> Iterator[Complaint]:
    covered = []
    for index, message in enumerate(case.conversation.messages):
        if message.role != "assistant" and message.content.strip() and index in case.spans:
            tokens = case.tokens_in(*case.content_of(index))
            if case.targets[tokens].any():
                covered.append(tokens)
    if not covered:
        return
    count = sum(int(case.targets[tokens].sum()) for tokens in covered)
    note = tr("Tokens of a message that is not the assistant's.")
    yield Complaint(
        COVERS_OTHERS.id,
        tr_plural(
            "{count} of {targets} targets is text that is not the assistant's.",
            "{count} of {targets} targets are text that is not the assistant's.",
            count=count,
            targets=int(case.targets.sum()),
        ),
        tuple(case.evidence(tokens.start, tokens.stop, note) for tokens in covered[:2]),
    )


def _runs_far(case: Case) -> Iterator[Complaint]:
    """Targets that the template writes behind an answer. The prompt in front of one does no harm as a target, nor does
    an end token at the end of the text."""
    stray = case.targets & (case.encoded.ids != case.patient.tokenizer.id_of(case.patient.tokenizer.eos))
    for index, message in enumerate(case.conversation.messages):
        if message.role != "assistant" and index in case.spans:
            stray[case.tokens_in(*case.content_of(index))] = False
    for answer in case.answers:
        end = case.encoded.ends[answer.stop] if answer.stop >= 0 else max(answer.content_ends, answer.begins)
        stray[case.tokens_in(answer.opens, end)] = False
    for token in stray.nonzero()[0]:
        stray[token] = not case.is_blank(token)
    tokens = stray.nonzero()[0]
    if not len(tokens):
        return
    first = int(tokens[0])
    end = first + int(np.argmin(np.append(stray[first:], False)))
    yield Complaint(
        RUNS_FAR.id,
        tr_plural(
            "{count} token behind the end of a turn is a target.",
            "{count} tokens behind the end of a turn are targets.",
            count=len(tokens),
        ),
        (case.evidence(first, end, tr("Targets after the end of the turn.")),),
    )


def not_applicable(patient: Patient, has_data: bool) -> Mapping[str, Text]:
    if patient.setup.policy != "all":
        return {}
    return {RUNS_FAR.id: ALL_LEARNED}


GROUP = Group(
    id="loss-mask",
    label=tr("Loss mask"),
    failures=(ALL_ZERO, COVERS_OTHERS, RUNS_FAR),
    in_conversation=in_conversation,
    not_applicable=not_applicable,
    uses_probes=True,
)
