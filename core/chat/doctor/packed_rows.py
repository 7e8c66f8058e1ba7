"""Packing several conversations into one row without keeping them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from core.chat.doctor.census import Census
from core.chat.doctor.failures import NEEDS_DATA, Complaint, Failure, Group
from core.chat.doctor.findings import Evidence
from core.chat.doctor.patient import Patient
from core.chat.packing import Packing, pack
from core.contracts.text import Text, tr, tr_plural

_SHOWN = 3
_EDGE = 4

NO_MASK = Failure(
    id="packing-without-document-mask",
    label=tr("Packing without a document mask"),
    explanation=tr(
        "Conversations that share a row see those before them. Answers are learned with other conversations in their "
        "context, and the loss does not show it."
    ),
    repair=tr(
        "Use an attention that takes the bounds of documents (variable-length FlashAttention with {argument}, or "
        "FlexAttention), or do not pack.",
        argument="cu_seqlens",
    ),
    healthy=tr("Each conversation sees only itself."),
)
NO_RESET = Failure(
    id="packing-without-position-reset",
    label=tr("Packing without restarting positions"),
    explanation=tr(
        "Positions count through the row instead of from 0 in each conversation. Learned and absolute positions are "
        "then those of a late place in a text. Libraries that find the bounds of documents by positions that restart "
        "lose the document mask as well."
    ),
    repair=tr("Give each conversation of a row position ids from 0."),
    healthy=tr("Positions begin at 0 in each conversation."),
)
SPLIT = Failure(
    id="packing-splits-conversations",
    label=tr("Packing splits conversations"),
    explanation=tr(
        "A conversation that does not fit into the rest of a row goes on in the next row. There its answers are "
        "learned without the question."
    ),
    repair=tr("Pack best-fit decreasing with a max_length that the longest conversation fits into."),
    healthy=tr("Each conversation lies in one row."),
)


def in_data(patient: Patient, census: Census) -> Iterator[Complaint]:
    setup = patient.setup
    if setup.packing == "none" or setup.max_length is None or not len(census):
        return
    packing = pack(census.lengths.astype(np.int32), setup.max_length, setup.packing)
    late = packing.offset > 0
    if late.any() and not setup.document_mask:
        yield _leak(packing, late, census)
    if late.any() and not setup.positions_reset:
        yield _positions(packing, late, census)
    if packing.splits:
        yield _split(packing, census)


def _leak(packing: Packing, late: NDArray[np.bool_], census: Census) -> Complaint:
    """A token at position p of its own piece sees `offset` strange tokens and p + 1 of its own."""
    offset, length = packing.offset.astype(np.int64), packing.length.astype(np.int64)
    strange = offset * length / (offset * length + length * (length + 1) // 2)
    evidence = []
    for piece in _worst(packing, late, strange, census):
        note = tr(
            "Conversation {conversation:,} begins at token {offset:,} of row {row:,}: {share:.1%} of what it sees is "
            "not its own.",
            conversation=_number(packing, piece, census),
            offset=int(offset[piece]),
            row=int(packing.row[piece]),
            share=float(strange[piece]),
        )
        evidence.append(_border(packing, piece, census, note))
    sentence = tr_plural(
        "{share:.1%} of what tokens see belongs to another conversation. {count:,} of {pieces:,} conversations sees "
        "others: {median:.1%} of what it sees.",
        "{share:.1%} of what tokens see belongs to another conversation. {count:,} of {pieces:,} conversations see "
        "others, half of those with {median:.1%} or more.",
        count=int(late.sum()),
        share=packing.contamination,
        pieces=len(late),
        median=float(np.median(strange[late])),
    )
    return Complaint(NO_MASK.id, sentence, tuple(evidence))


def _positions(packing: Packing, late: NDArray[np.bool_], census: Census) -> Complaint:
    evidence = []
    for piece in _worst(packing, late, packing.offset, census):
        note = tr(
            "Conversation {conversation:,} begins at position {offset:,} of row {row:,}.",
            conversation=_number(packing, piece, census),
            offset=int(packing.offset[piece]),
            row=int(packing.row[piece]),
        )
        evidence.append(_border(packing, piece, census, note))
    sentence = tr_plural(
        "{count:,} of {pieces:,} conversations begins behind position 0, at {offset:,}.",
        "{count:,} of {pieces:,} conversations begin behind position 0, the latest at {offset:,}.",
        count=int(late.sum()),
        pieces=len(late),
        offset=int(packing.offset.max()),
    )
    return Complaint(NO_RESET.id, sentence, tuple(evidence))


def _split(packing: Packing, census: Census) -> Complaint:
    evidence = []
    for piece in _worst(packing, packing.start > 0, -packing.start, census):
        start, number = int(packing.start[piece]), _number(packing, piece, census)
        note = tr(
            "Row {row:,} goes on with conversation {conversation:,} at its token {start:,}.",
            row=int(packing.row[piece]),
            conversation=number,
            start=start,
        )
        tokens = _sample(packing, piece, census)[max(0, start - _EDGE) : start + _EDGE]
        begin = max(0, start - _EDGE)
        evidence.append(Evidence(note, "".join(tokens), begin, begin + len(tokens), tokens, (), number))
    sentence = tr_plural(
        "{count:,} of {documents:,} conversations is cut into several pieces.",
        "{count:,} of {documents:,} conversations are cut into several pieces.",
        count=packing.splits,
        documents=len(packing.documents),
    )
    return Complaint(SPLIT.id, sentence, tuple(evidence))


def _worst(packing: Packing, chosen: NDArray[np.bool_], measure: NDArray[np.number], census: Census) -> Iterator[int]:
    """The chosen pieces with the greatest measure; of sampled conversations, whose tokens can be shown, if possible."""
    sampled = chosen & (packing.document < len(census.samples))
    pieces = np.flatnonzero(sampled if sampled.any() else chosen)
    for piece in pieces[np.argsort(-measure[pieces], kind="stable")][:_SHOWN]:
        yield int(piece)


def _number(packing: Packing, piece: int, census: Census) -> int:
    return int(census.numbers[packing.document[piece]])


def _sample(packing: Packing, piece: int, census: Census) -> tuple[str, ...]:
    document = int(packing.document[piece])
    return census.samples[document] if document < len(census.samples) else ()


def _border(packing: Packing, piece: int, census: Census, note: Text) -> Evidence:
    """The last tokens of the piece before and the first of this one, as they stand in the row."""
    end_before = int(packing.start[piece - 1] + packing.length[piece - 1])
    last = _sample(packing, piece - 1, census)[:end_before][-_EDGE:]
    start, offset = int(packing.start[piece]), int(packing.offset[piece])
    first = _sample(packing, piece, census)[start : start + min(_EDGE, int(packing.length[piece]))]
    tokens, number = (*last, *first), _number(packing, piece, census)
    return Evidence(note, "".join(tokens), offset - len(last), offset + len(first), tokens, (), number)


def not_applicable(patient: Patient, has_data: bool) -> Mapping[str, Text]:
    if patient.setup.packing == "none":
        reason = tr("Nothing is packed.")
    elif not has_data:
        reason = NEEDS_DATA
    else:
        return {}
    return {failure.id: reason for failure in GROUP.failures}


GROUP = Group(
    id="packing",
    label=tr("Packing"),
    failures=(NO_MASK, NO_RESET, SPLIT),
    in_data=in_data,
    not_applicable=not_applicable,
)
