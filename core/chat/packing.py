"""Packing: which documents share a row of tokens, and what that costs and mixes. numpy only.

    packing = pack([300, 500, 700], capacity=1024, strategy=BFD)
    packing.rows, packing.fill          # 2 rows, 73% of their tokens are of documents
    packing.position_ids(0)             # 0..699, then 0..299: positions start anew with each document
    packing.cu_seqlens                  # int32 [0, 700, 1000, 1500]: what variable-length attention takes

The strategies are those of TRL's `pack_dataset`, which packs 1,000 documents at a time; this packs all at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.contracts.errors import InvalidParams
from core.contracts.text import tr

BFD, BFD_SPLIT, WRAPPED, NONE = "bfd", "bfd_split", "wrapped", "none"
STRATEGIES = (BFD, BFD_SPLIT, WRAPPED, NONE)
"""Best-fit decreasing, which cuts off what exceeds a row; the same, which makes further pieces of it; all documents end
to end, cut at every row; one document per row."""

UNCUT = (BFD_SPLIT, WRAPPED)
"""Those that cut nothing off: what does not fit into a row goes to another one."""

Lengths = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Packing:
    """Pieces of documents in rows of `capacity` tokens.

    documents  int32 [documents]: the length of each, in tokens
    row        int32 [pieces], in order: the row that each piece is in
    document   int32 [pieces]: the document that it is of
    start      int32 [pieces]: its first token within that document
    length     int32 [pieces]: its tokens, 1 or more
    Pieces of a row lie one after another from position 0; what is left of the row is padding.
    """

    strategy: str
    capacity: int
    documents: Lengths
    row: Lengths
    document: Lengths
    start: Lengths
    length: Lengths

    @property
    def rows(self) -> int:
        return int(self.row[-1]) + 1 if self.row.size else 0

    @cached_property
    def row_lengths(self) -> Lengths:
        """Tokens of documents in each row, int32 [rows]."""
        return np.bincount(self.row, self.length, self.rows).astype(np.int32)

    @cached_property
    def offset(self) -> Lengths:
        """The position in its row at which each piece begins, int32 [pieces]: as many tokens of other pieces do all its
        tokens see without a document mask."""
        before = np.cumsum(self.length, dtype=np.int64) - self.length
        row_starts = np.cumsum(self.row_lengths, dtype=np.int64) - self.row_lengths
        return (before - row_starts[self.row]).astype(np.int32)

    @property
    def tokens(self) -> int:
        """Tokens of documents that are in a row."""
        return int(self.length.sum())

    @property
    def cut_tokens(self) -> int:
        """Tokens that no row has, because their document is longer than a row."""
        return int(self.documents.sum()) - self.tokens

    @property
    def fill(self) -> float:
        """The share of the rows that is tokens of documents, 0 to 1. NaN without rows."""
        return self.tokens / (self.rows * self.capacity) if self.rows else float("nan")

    def padded_fill(self, batch: int) -> float:
        """The same if every batch of `batch` rows is only as long as its longest row, as a collator pads it."""
        if not self.rows:
            return float("nan")
        groups = np.arange(0, self.rows, batch)
        longest = np.maximum.reduceat(self.row_lengths, groups).astype(np.int64)
        sizes = np.diff(np.append(groups, self.rows))
        return self.tokens / int((longest * sizes).sum())

    @cached_property
    def split(self) -> NDArray[np.bool_]:
        """Which documents lie in several pieces, bool [documents]: a later piece does not see the earlier ones, and
        what it asks for may be there."""
        return np.bincount(self.document, minlength=self.documents.size) > 1

    @property
    def splits(self) -> int:
        """How many documents are cut into several pieces."""
        return int(self.split.sum())

    @property
    def causal_pairs(self) -> int:
        """Pairs of a token and one before it, or itself, in the same row: what causal attention alone sees."""
        lengths = self.row_lengths.astype(np.int64)
        return int((lengths * (lengths + 1) // 2).sum())

    @property
    def own_pairs(self) -> int:
        """Those within one piece: what attention sees with the document mask."""
        lengths = self.length.astype(np.int64)
        return int((lengths * (lengths + 1) // 2).sum())

    @property
    def contaminated_pairs(self) -> int:
        """Pairs of tokens of different documents that attention sees if the document mask is forgotten."""
        return self.causal_pairs - self.own_pairs

    @property
    def contamination(self) -> float:
        """The share of what causal attention sees that is of another document, 0 to 1. NaN without tokens."""
        return self.contaminated_pairs / self.causal_pairs if self.causal_pairs else float("nan")

    @cached_property
    def cu_seqlens(self) -> Lengths:
        """Where each piece begins if all rows are laid end to end without padding, and where the last one ends: int32
        [pieces + 1], as variable-length attention takes it. A row ends where a piece does."""
        return np.append(0, np.cumsum(self.length)).astype(np.int32)

    def pieces_of(self, row: int) -> slice:
        """The pieces of a row, as a slice of the arrays."""
        first, end = np.searchsorted(self.row, (row, row + 1))
        return slice(int(first), int(end))

    def position_ids(self, row: int, *, reset: bool = True) -> Lengths:
        """The positions of a row's tokens, int32 [tokens in the row]: from 0 in each piece, or with `reset=False` from
        0 in the row."""
        lengths = self.length[self.pieces_of(row)]
        positions = np.arange(int(lengths.sum()), dtype=np.int32)
        return positions - np.repeat(self.offset[self.pieces_of(row)], lengths) if reset else positions

    def segment_ids(self, row: int) -> Lengths:
        """Which piece of the row each token is in, from 0: int32 [tokens in the row]."""
        lengths = self.length[self.pieces_of(row)]
        return np.repeat(np.arange(lengths.size, dtype=np.int32), lengths)


def pack(lengths: Sequence[int] | Lengths, capacity: int, strategy: str = BFD) -> Packing:
    """Packs documents of these lengths, in tokens, into rows of `capacity`. Documents without tokens are left out.

    Takes O(n log n + n log capacity). Raises InvalidParams for an unknown strategy or a row without room.
    """
    if strategy not in STRATEGIES:
        raise InvalidParams(
            tr("There is no packing {name}: use {choices}.", name=strategy, choices=", ".join(STRATEGIES))
        )
    if capacity < 1:
        raise InvalidParams(tr("A row of {capacity} tokens holds nothing: use 1 or more.", capacity=capacity))
    documents = np.asarray(lengths, dtype=np.int32).reshape(-1)
    if strategy == WRAPPED:
        return _wrapped(documents, capacity)
    document, start, length = _cut_at(documents, capacity)
    if strategy != BFD_SPLIT:
        document, start, length = document[start == 0], start[start == 0], length[start == 0]
    if strategy == NONE:
        order, row = np.arange(document.size), np.arange(document.size)
    else:
        order, row = _best_fit_decreasing(length, capacity)
    return _packing(strategy, capacity, documents, row, document[order], start[order], length[order])


def _packing(
    strategy: str,
    capacity: int,
    documents: Lengths,
    row: NDArray[np.integer],
    document: NDArray[np.integer],
    start: NDArray[np.integer],
    length: NDArray[np.integer],
) -> Packing:
    pieces = (np.asarray(column, dtype=np.int32) for column in (row, document, start, length))
    return Packing(strategy, capacity, documents, *pieces)


def _wrapped(documents: Lengths, capacity: int) -> Packing:
    """All documents end to end; a row ends after every `capacity` tokens, wherever that is."""
    ends = np.cumsum(documents, dtype=np.int64)
    total = int(ends[-1]) if ends.size else 0
    cuts = np.unique(np.concatenate((np.arange(0, total, capacity), ends - documents, ends)))
    begin, end = cuts[:-1], cuts[1:]
    document = np.searchsorted(ends, begin, side="right")
    start = begin - (ends - documents)[document]
    return _packing(WRAPPED, capacity, documents, begin // capacity, document, start, end - begin)


def _cut_at(documents: Lengths, capacity: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Document, start and length of the pieces of at most `capacity` tokens, in order."""
    parts = -(-documents.astype(np.int64) // capacity)
    document = np.repeat(np.arange(documents.size, dtype=np.int64), parts)
    number = np.arange(document.size) - np.repeat(np.cumsum(parts) - parts, parts)
    start = number * capacity
    return document, start, np.minimum(documents[document] - start, capacity)


def _best_fit_decreasing(lengths: NDArray[np.int64], capacity: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pieces in the order of their rows, and the row of each. The longest first; each goes where it leaves least.

    Of rows with the same room left, the one that has had it longest is taken. Source: Ding et al. 2024, arXiv
    2404.10830.
    """
    spaces = _Spaces(capacity)
    rows_with: dict[int, deque[int]] = {}
    row_of = np.empty(lengths.size, dtype=np.int64)
    count = 0
    longest_first = np.argsort(-lengths, kind="stable")
    for piece in longest_first:
        length = int(lengths[piece])
        space = spaces.least_from(length)
        if space:
            row = rows_with[space].popleft()
            if not rows_with[space]:
                spaces.remove(space)
        else:
            space, row, count = capacity, count, count + 1
        row_of[piece] = row
        left = space - length
        if left:
            queue = rows_with.setdefault(left, deque())
            if not queue:
                spaces.add(left)
            queue.append(row)
    # Within a row, the longest piece is first, as it came first.
    order = longest_first[np.argsort(row_of[longest_first], kind="stable")]
    return order, row_of[order]


class _Spaces:
    """A set of numbers from 1 to `largest` that finds its least member that is not below a number, in O(log largest).

    A binary tree of the greatest members: `_greatest[n]` is that of node n, 0 if there is none.
    """

    def __init__(self, largest: int) -> None:
        self._leaves = 1 << (largest - 1).bit_length() if largest > 1 else 1
        self._greatest = [0] * (2 * self._leaves)

    def add(self, number: int) -> None:
        self._set(number, number)

    def remove(self, number: int) -> None:
        self._set(number, 0)

    def least_from(self, number: int) -> int:
        """The least member that is `number` or more; 0 if there is none."""
        node, greatest = 1, self._greatest
        if greatest[node] < number:
            return 0
        while node < self._leaves:
            node *= 2
            if greatest[node] < number:
                node += 1
        return greatest[node]

    def _set(self, number: int, value: int) -> None:
        node, greatest = self._leaves + number - 1, self._greatest
        greatest[node] = value
        while node > 1:
            node //= 2
            left, right = greatest[2 * node], greatest[2 * node + 1]
            greatest[node] = left if left >= right else right
