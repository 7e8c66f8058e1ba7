"""What is said about one token: under the pointer all of it, below the rows in two lines."""

from __future__ import annotations

import math

import numpy as np

from core.contracts.text import Text, quoted, tr, tr_plural
from core.format import quantity
from gui.pages.dialogue.token_source import Sight, TokenSource


def read_out(source: TokenSource, token: int) -> str:
    """All facts of a token, one per line."""
    return "\n".join(str(line) for line in (*facts(source, token), *origin(source, token), sight(source, token)))


def facts(source: TokenSource, token: int) -> list[Text]:
    """Text, id, role, position, target, weight and loss."""
    rows = source.rows
    lines = [
        tr(
            "token {index:,}: {text}, id {id}",
            index=token,
            text=quoted(source.texts[token] or rows.tokens[token]),
            id=int(rows.id[token]),
        ),
        place(source, token),
    ]
    lines.append(target(source, token))
    if source.loss is not None and math.isfinite(source.loss[token]):
        lines.append(tr("loss {loss} under the small model", loss=quantity(float(source.loss[token]), "nats")))
    return lines


def place(source: TokenSource, token: int) -> Text:
    """Role, message, position and document."""
    rows = source.rows
    position, role, message = int(rows.position[token]), int(rows.role[token]), int(rows.message[token])
    if source.segments > 1:
        segment = int(rows.segment[token])
        if segment < 0:
            return tr("padding")
        if role < 0:
            return tr("of no message, position {position:,}, document {segment}", position=position, segment=segment)
        return tr(
            "{role}, message {message}, position {position:,}, document {segment}",
            role=rows.roles[role],
            message=message,
            position=position,
            segment=segment,
        )
    if role < 0:
        return tr("of no message, position {position:,}", position=position)
    return tr(
        "{role}, message {message}, position {position:,}", role=rows.roles[role], message=message, position=position
    )


def target(source: TokenSource, token: int) -> Text:
    """Whether the model learns from it, and how much."""
    rows = source.rows
    if not rows.kept[token]:
        return tr("cut off: the row is full")
    if not source.is_target[token]:
        return tr("no target: label -100")
    return tr("target, weight {weight:.4g}", weight=float(rows.weight[token]))


def origin(source: TokenSource, token: int) -> list[Text]:
    """What wrote it."""
    rows = source.rows
    lines = []
    start, end = int(rows.template_start[token]), int(rows.template_end[token])
    if start >= 0 and rows.from_content[token]:
        lines.append(tr("text of the message, put in by the template's {start:,}–{end:,}", start=start, end=end))
    elif start >= 0:
        lines.append(tr("written by the template's {start:,}–{end:,}", start=start, end=end))
    elif rows.from_content[token]:
        lines.append(tr("text of the message"))
    if rows.typed[token]:
        lines.append(tr("a special token that was typed in a message: it controls the model all the same"))
    elif rows.special[token]:
        lines.append(tr("a special token"))
    return lines


def sight(source: TokenSource, token: int) -> Text:
    """How many tokens it sees, and how many of them are of other documents."""
    seen = source.sees(token) == Sight.SEEN
    count = int(np.count_nonzero(seen))
    segment = source.rows.segment
    foreign = int(np.count_nonzero(seen & (segment != segment[token])))
    if foreign:
        return tr_plural(
            "sees {count:,} token, {foreign:,} of other documents",
            "sees {count:,} tokens, {foreign:,} of other documents",
            count=count,
            foreign=foreign,
        )
    return tr_plural("sees {count:,} token", "sees {count:,} tokens", count=count)
