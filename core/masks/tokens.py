"""Splits typed text into token labels, and reads pads, documents and turns from special markers.

The splitter only makes labels: words, single Chinese or Japanese characters, punctuation, and markers in angle
brackets. It is not the tokenizer of a model.

- `<pad>` is a pad;
- `<doc>` begins a document, `<eos>` ends one;
- `<system>`, `<user>`, `<assistant>` and `<tool>` begin a turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from core.masks.layout import Side, ids_from_ends, ids_from_starts

PAD = "<pad>"
TURN_MARKERS = ("<system>", "<user>", "<assistant>", "<tool>")
DOCUMENT_START, DOCUMENT_END = "<doc>", "<eos>"

_CHARACTER_SCRIPTS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(
    rf"</?[A-Za-z_|]{{1,20}}>|[{_CHARACTER_SCRIPTS}]|[^\W{_CHARACTER_SCRIPTS}]{{1,24}}(?:['’][a-z]{{1,3}}\b)?|[^\w\s]"
)


@dataclass(frozen=True)
class Tokens:
    """The tokens of a text, up to a limit.

    `characters_used` of `characters` were read: fewer if the text has more tokens than the limit.
    """

    labels: tuple[str, ...]
    characters: int
    characters_used: int

    @property
    def is_cut(self) -> bool:
        return self.characters_used < self.characters

    @cached_property
    def side(self) -> Side:
        """Pads, documents and turns, read from the markers."""
        labels = [label.lower() for label in self.labels]

        def flags(*markers: str) -> NDArray[np.bool_]:
            return np.array([label in markers for label in labels], dtype=bool)

        starts, ends = flags(DOCUMENT_START), flags(DOCUMENT_END)
        # <eos><doc> is one boundary, not two: <eos> closes one document and <doc> opens the next.
        after_end = ids_from_ends(ends)
        documents = ids_from_starts(starts | (np.diff(after_end, prepend=0) > 0))
        return Side(~flags(PAD), documents, ids_from_starts(flags(*TURN_MARKERS)))


@lru_cache(maxsize=8)
def tokenise(text: str, limit: int) -> Tokens:
    """The first `limit` tokens of `text`. The time grows with `limit`, not with the length of the text."""
    matches = list(islice(_TOKEN.finditer(text), limit + 1))
    used = matches[limit].start() if len(matches) > limit else len(text)
    return Tokens(tuple(match[0] for match in matches[:limit]), len(text), used)


def numbered(length: int) -> Tokens:
    """Positions without text, labelled by their numbers."""
    return Tokens(tuple(str(position) for position in range(length)), 0, 0)


def stretched(tokens: Tokens, length: int) -> tuple[tuple[str, ...], Side]:
    """Labels and side of `length` positions: tokens cut off at the end, or repeated so that proportions are kept.

    Documents, turns and pads grow with the length, so that a short text can describe a sequence of thousands.
    """
    count = len(tokens.labels)
    if length == count:
        return tokens.labels, tokens.side
    source = np.arange(length) if length < count else np.arange(length) * count // length
    side = tokens.side
    labels = tuple(tokens.labels[index] for index in source.tolist())
    return labels, Side(side.real[source], side.documents[source], side.turns[source])
