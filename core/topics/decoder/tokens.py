"""From typed texts to token ids: a minimal tokenizer that keeps every visible character."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_TOKENS = 96
"""Tokens per text. More could not be drawn legibly."""
PAD, BOS, EOS, OTHER = 0, 1, 2, 3
SPECIAL = ("<pad>", "<bos>", "<eos>", "<other>")
VOCABULARY = len(SPECIAL) + 2 * MAX_TOKENS
"""Large enough for two texts of distinct tokens, so no two tokens ever share an id."""


@dataclass(frozen=True)
class Sequence:
    """Labels to draw and ids int64 [length] to embed, position by position."""

    labels: tuple[str, ...]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def then(self, other: Sequence) -> Sequence:
        """This sequence followed by another."""
        return Sequence(self.labels + other.labels, np.concatenate((self.ids, other.ids)))


def split(text: str, unit: str) -> tuple[str, ...]:
    """The tokens of a text: 'words' between white space, or 'characters', where white space is one '␣'."""
    if unit == "characters":
        return tuple("␣".join(text.split()))
    return tuple(text.split())


def number_tokens(*texts: tuple[str, ...]) -> dict[str, int]:
    """Ids by first appearance, after the special ones: the embedding of a token is that of its id."""
    distinct = dict.fromkeys(token for text in texts for token in text)
    return {token: len(SPECIAL) + index for index, token in enumerate(distinct)}


def sequence(
    tokens: tuple[str, ...], ids: dict[str, int], *, before: int | None = None, after: tuple[int, ...] = ()
) -> Sequence:
    """A text as ids, with special tokens before (one) and after it."""
    front = () if before is None else (before,)
    labels = (*(SPECIAL[i] for i in front), *tokens, *(SPECIAL[i] for i in after))
    return Sequence(labels, np.array([*front, *(ids[token] for token in tokens), *after], dtype=np.int64))


def replaced(original: Sequence, position: int) -> Sequence:
    """The sequence with <other>, which no text contains, at `position`."""
    labels, ids = list(original.labels), original.ids.copy()
    labels[position], ids[position] = SPECIAL[OTHER], OTHER
    return Sequence(tuple(labels), ids)
