"""Conversations that are longer than a training row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from core.chat.doctor.case import Case
from core.chat.doctor.failures import NEEDS_DATA, Complaint, Failure, Group
from core.chat.doctor.patient import Patient
from core.chat.packing import UNCUT
from core.contracts.text import Text, tr

_REPAIR = tr(
    "Increase max_length, split the conversation into one example per turn, or shorten its beginning. Truncation on "
    "the other side may keep the answer."
)
REMOVES_ANSWER = Failure(
    id="truncation-removes-answer",
    label=tr("Truncation removes an answer"),
    explanation=tr(
        "The conversation is longer than max_length, and what is cut has targets. An answer that is cut in the middle "
        "has no end-of-turn token, and one that lost its question teaches to guess."
    ),
    repair=_REPAIR,
    healthy=tr("No target is cut off."),
)
REMOVES_ALL = Failure(
    id="truncation-removes-all-targets",
    label=tr("Truncation removes the only target"),
    explanation=tr(
        "The conversation is longer than max_length, and all its targets are cut. The row takes time and teaches "
        "nothing; a batch of such rows alone has the loss NaN."
    ),
    repair=_REPAIR,
    healthy=tr("Every conversation keeps a target."),
)


def in_conversation(case: Case) -> Iterator[Complaint]:
    count, kept = len(case.encoded), case.kept
    if kept.stop - kept.start == count:
        return
    cut = np.ones(count, dtype=bool)
    cut[kept] = False
    had, lost = int(case.targets.sum()), int((case.targets & cut).sum())
    if not lost:
        return
    failure = REMOVES_ALL if lost == had else REMOVES_ANSWER
    tokens = (case.targets & cut).nonzero()[0]
    first = int(tokens[0]) if kept.start == 0 else max(0, kept.start - 8)
    end = int(tokens[-1]) + 1 if kept.start == 0 else kept.start
    yield Complaint(
        failure.id,
        tr(
            "The conversation has {tokens:,} tokens and max_length is {limit:,}: {lost:,} of {targets:,} targets are "
            "cut.",
            tokens=count,
            limit=kept.stop - kept.start,
            lost=lost,
            targets=had,
        ),
        (case.evidence(first, end, tr("These tokens are cut.")),),
    )


def not_applicable(patient: Patient, has_data: bool) -> Mapping[str, Text]:
    if patient.setup.max_length is None:
        reason = tr("Rows have no max_length.")
    elif patient.setup.packing in UNCUT:
        reason = tr("This packing cuts no token off.")
    elif not has_data:
        reason = NEEDS_DATA
    else:
        return {}
    return {failure.id: reason for failure in (REMOVES_ANSWER, REMOVES_ALL)}


GROUP = Group(
    id="truncation",
    label=tr("Truncation"),
    failures=(REMOVES_ANSWER, REMOVES_ALL),
    in_conversation=in_conversation,
    not_applicable=not_applicable,
)
