"""The rows of several conversations as one training row. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from core.chat.packing import pack
from core.chat.rows import ConversationRows

_OF_THE_TEXT = ("start", "end", "piece", "template_start", "template_end")
"""Fields that point into the rendered text of their own conversation."""


def packed_row(
    own: ConversationRows, neighbours: Sequence[ConversationRows], capacity: int, strategy: str, positions_reset: bool
) -> tuple[ConversationRows, slice] | None:
    """The training row that begins the conversation `own`, packed among `neighbours`, and which of its tokens are its.

    Segments count from 0 in the row. Tokens of neighbours have -1 for what points into a text. None if no token of the
    conversation is in a row.
    """
    others = [
        replace(one, **{name: np.full_like(getattr(one, name), -1) for name in _OF_THE_TEXT}) for one in neighbours
    ]
    members = [taken(own, own.kept), *others]
    packing = pack([len(one) for one in members], capacity, strategy)
    pieces = np.flatnonzero(packing.document == 0)
    if not pieces.size:
        return None
    row = int(packing.row[pieces[0]])
    inside = packing.pieces_of(row)
    parts = []
    for piece in range(inside.start, inside.stop):
        first = int(packing.start[piece])
        parts.append(taken(members[packing.document[piece]], slice(first, first + int(packing.length[piece]))))
    joined = replace(
        concatenated(parts),
        segment=packing.segment_ids(row),
        position=packing.position_ids(row, reset=positions_reset),
    )
    begin = int(packing.offset[pieces[0]])
    return joined, slice(begin, begin + int(packing.length[pieces[0]]))


def taken(rows: ConversationRows, which: slice | np.ndarray) -> ConversationRows:
    """Some of the tokens."""
    columns = {item.name: getattr(rows, item.name) for item in fields(rows)}
    chosen: dict[str, Any] = {name: column[which] for name, column in columns.items() if isinstance(column, np.ndarray)}
    chosen["tokens"] = tuple(rows.tokens[number] for number in np.arange(len(rows))[which])
    return replace(rows, **chosen)


def concatenated(parts: Sequence[ConversationRows]) -> ConversationRows:
    """Rows one after another; roles that only some of them have are added at the end."""
    roles = tuple(dict.fromkeys(role for part in parts for role in part.roles))
    columns = {
        item.name: np.concatenate([getattr(part, item.name) for part in parts])
        for item in fields(ConversationRows)
        if isinstance(getattr(parts[0], item.name), np.ndarray)
    }
    number = [np.array([*(roles.index(role) for role in part.roles), -1], dtype=np.int8) for part in parts]
    columns["role"] = np.concatenate([table[part.role] for table, part in zip(number, parts, strict=True)])
    tokens = tuple(token for part in parts for token in part.tokens)
    return ConversationRows(tokens=tokens, roles=roles, **columns)
