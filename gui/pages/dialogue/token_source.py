"""The aligned rows of a conversation, the text of each token as it is shown, and what the mask lets it see. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.chat.packing_masks import rows_layout
from core.chat.rows import ConversationRows
from core.chat.targets import IGNORED
from core.masks import Causal, Documents, Layout, Mask, visible
from core.outside import cleaned, cut

LONGEST = 48
"""Characters of a token that are shown in its cell; the read-out shows more."""
_VISIBLE = str.maketrans({" ": "·", "\n": "⏎", "\r": "␍", "\t": "⇥", "\u00a0": "⍽", "\u200b": "◌", "\ufeff": "◌"})
_PARTS = "₀₁₂₃₄₅₆₇₈₉"


class Sight(IntEnum):
    """Whether a token sees another one, and what hides it if not."""

    HIDDEN = 0
    SEEN = 1
    LATER = 2
    OTHER_DOCUMENT = 3


@dataclass(frozen=True, eq=False)
class TokenSource:
    """What the aligned rows show.

    texts  the characters of each token
    loss   float32 [n]: nats under the small model, NaN where there is none; None before a run
    mask   who sees whom; together with the documents in `rows.segment`
    first  the index of the first token of the page's own conversation; in a packed row, others are before and after
    """

    rows: ConversationRows
    texts: tuple[str, ...]
    loss: NDArray[np.float32] | None = None
    mask: Mask = Causal() & Documents()
    first: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """What stands in each cell: white space and control characters visible, long tokens cut. Tokens that share
        characters, as the bytes of one character do, are numbered."""
        known: dict[str, str] = {}
        shown = []
        for text in self.texts:
            if text not in known:
                known[text] = visible_token(text)
            shown.append(known[text])
        for token in np.flatnonzero(self._part).tolist():
            shown[token] += "".join(_PARTS[int(digit)] for digit in str(self._part[token]))
        return tuple(text or visible_token(self.rows.tokens[token]) for token, text in enumerate(shown))

    @cached_property
    def is_target(self) -> NDArray[np.bool_]:
        return np.not_equal(self.rows.label, IGNORED)

    @cached_property
    def kept(self) -> slice:
        """The tokens that the row holds; those that are cut off are before or after them."""
        kept = np.flatnonzero(self.rows.kept)
        return slice(int(kept[0]), int(kept[-1]) + 1) if kept.size else slice(0, 0)

    @cached_property
    def layout(self) -> Layout:
        """The tokens that are kept, as `core.masks` takes them."""
        return rows_layout(self.rows)

    @property
    def segments(self) -> int:
        """How many documents the row has."""
        return int(self.rows.segment.max(initial=-1)) + 1

    def sees(self, query: int) -> NDArray[np.uint8]:
        """Per key a Sight, uint8 [n]. A token that is cut off sees none, and none sees it."""
        keys = np.arange(len(self), dtype=np.int64)
        sight = np.full(len(self), Sight.HIDDEN, dtype=np.uint8)
        sight[keys > query] = Sight.LATER
        sight[(keys < query) & (self.rows.segment != self.rows.segment[query])] = Sight.OTHER_DOCUMENT
        if self.rows.kept[query]:
            seen = visible(self.mask, self.layout, np.array([query - self.kept.start]), self._kept_places)[0]
            sight[self.kept][seen] = Sight.SEEN
        return sight

    def seen_by(self, key: int) -> NDArray[np.bool_]:
        """Per query whether it sees the key, bool [n]."""
        seen = np.zeros(len(self), dtype=bool)
        if self.rows.kept[key]:
            seen[self.kept] = visible(self.mask, self.layout, self._kept_places, np.array([key - self.kept.start]))[
                :, 0
            ]
        return seen

    @property
    def _kept_places(self) -> NDArray[np.int64]:
        return np.arange(self.kept.stop - self.kept.start, dtype=np.int64)

    def written_by(self, start: int, end: int) -> NDArray[np.bool_]:
        """Which tokens the characters [start, end) of the template wrote, bool [n]."""
        rows = self.rows
        return (rows.template_start >= 0) & (rows.template_start < end) & (rows.template_end > start)

    @cached_property
    def _part(self) -> NDArray[np.int64]:
        """int [n]: the number, from 1, of a token that shares its characters with its neighbours; 0 for others."""
        start, end = self.rows.start, self.rows.end
        part = np.zeros(len(start), dtype=np.int64)
        if len(start) < 2:
            return part
        shares = (start[1:] == start[:-1]) & (end[1:] == end[:-1]) & (end[1:] > start[1:])
        for token in np.flatnonzero(shares).tolist():
            part[token] = max(part[token], 1)
            part[token + 1] = part[token] + 1
        return part


def visible_token(text: str) -> str:
    """A token on one line: white space visible, other control characters spelled out, cut to LONGEST characters."""
    return cleaned(cut(text, LONGEST).translate(_VISIBLE))
