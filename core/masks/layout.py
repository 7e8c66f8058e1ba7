"""The positions that a mask applies to: queries and keys, which of them are pads, and their documents and turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.contracts.errors import InvalidParams
from core.contracts.text import tr

Flags = NDArray[np.bool_]
Ids = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Side:
    """One side of the score matrix, queries or keys.

    `real` bool [length]: False for a pad. `documents` and `turns` int32 [length], non-decreasing, so that each
    document and each turn is one run of positions.
    """

    real: Flags
    documents: Ids
    turns: Ids

    def __post_init__(self) -> None:
        if not (self.real.ndim == 1 and self.real.shape == self.documents.shape == self.turns.shape):
            raise InvalidParams(tr("Pads, documents and turns must cover the same positions."))
        if np.any(np.diff(self.documents) < 0):
            raise InvalidParams(tr("Documents must be in order: number them by position."))
        if np.any(np.diff(self.turns) < 0):
            raise InvalidParams(tr("Turns must be in order: number them by position."))

    @classmethod
    def of(
        cls,
        length: int,
        *,
        real: Flags | int | None = None,
        documents: Ids | Sequence[int] | None = None,
        turns: Ids | Sequence[int] | None = None,
    ) -> Self:
        """A side of `length` positions. `real` as flags, or as the number of leading positions that are not pads."""
        if real is None or isinstance(real, int | np.integer):
            real = np.arange(length) < (length if real is None else real)
        one = np.zeros(length, dtype=np.int32)
        return cls(
            np.asarray(real, dtype=bool),
            one if documents is None else np.asarray(documents, dtype=np.int32),
            one if turns is None else np.asarray(turns, dtype=np.int32),
        )

    @property
    def length(self) -> int:
        return int(self.real.size)

    def padded_to(self, real: int) -> Self:
        """The same side, with all positions from `real` on marked as pads."""
        return replace(self, real=self.real & (np.arange(self.length) < real))

    @cached_property
    def pad_edges(self) -> NDArray[np.int64]:
        """Positions at which pads begin or end."""
        return np.flatnonzero(np.diff(self.real)) + 1


@dataclass(frozen=True, eq=False)
class Layout:
    """The queries and the keys of one sequence (of one pair of sequences in cross-attention)."""

    queries: Side
    keys: Side

    @classmethod
    def of(cls, query_len: int, key_len: int | None = None) -> Self:
        """Plain lengths: no pads, one document, one turn. `key_len` defaults to `query_len`."""
        queries = Side.of(query_len)
        return cls(queries, queries if key_len is None or key_len == query_len else Side.of(key_len))

    @classmethod
    def self_attention(cls, side: Side) -> Self:
        return cls(side, side)

    @property
    def query_len(self) -> int:
        return self.queries.length

    @property
    def key_len(self) -> int:
        return self.keys.length

    @property
    def offset(self) -> int:
        """key_len - query_len: query i has key position i + offset (aligned bottom-right, as with a KV cache)."""
        return self.key_len - self.query_len


def ids_from_lengths(lengths: Sequence[int], total: int) -> Ids:
    """Ids int32 [total] of consecutive runs: `lengths[0]` times 0, `lengths[1]` times 1, ...

    Positions left over at the end form one more run; lengths beyond `total` are cut off.
    """
    ends = np.cumsum(np.asarray([length for length in lengths if length > 0], dtype=np.int64))
    return np.searchsorted(ends, np.arange(total), side="right").astype(np.int32)


def ids_from_starts(starts: Flags) -> Ids:
    """Ids int32 of runs, where a new run begins at each True (position 0 always begins the first run)."""
    if not starts.size:
        return np.zeros(0, dtype=np.int32)
    later = starts.copy()
    later[0] = False
    return np.cumsum(later, dtype=np.int32)


def ids_from_ends(ends: Flags) -> Ids:
    """Ids int32 of runs, where each True is the last position of its run."""
    return ids_from_starts(np.concatenate([np.zeros(1, dtype=bool), ends[:-1]])) if ends.size else ids_from_starts(ends)
