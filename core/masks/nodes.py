"""The mask algebra: frozen terms, joined by And, Or and Not.

A mask defines which keys each query sees: query i sees key j where `mask.sees(layout, i, j)` is True. Positions are
compared after aligning both ends (bottom-right): query i has key position p = i + key_len - query_len. Only
`causal_top_left` aligns the beginnings.

| written           | query i sees key j when                                   |
| ----------------- | --------------------------------------------------------- |
| `causal`          | j <= p; also written `causal_bottom_right`                |
| `causal_top_left` | j <= i                                                    |
| `window(n)`       | j > p - n: the n keys up to its own, and all later ones   |
| `ahead(n)`        | j <= p + n: everything up to n keys later                 |
| `prefix(n)`       | j < n                                                     |
| `documents`       | they are in the same document                             |
| `same_turn`       | they are in the same turn                                 |
| `turns`           | the key's turn is not after the query's                   |
| `padding`         | the key is a pad (so `~padding` hides pads)               |
| `padded_queries`  | the query is a pad                                        |
| `all`, `none`     | always, never                                             |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from core.masks.layout import Ids, Layout

Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

MAX_COUNT = 1_000_000_000
"""The largest n of `window(n)`, `ahead(n)` and `prefix(n)`: far above any sequence, far below any overflow."""


class Mask:
    """An expression. Frozen; `parse(str(mask))` gives an equal mask."""

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        """Whether query `i` sees key `j`; index arrays that broadcast, each within its length."""
        raise NotImplementedError

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        """The key positions of each row at which `sees` may differ from the key before.

        For rows `i` [rows, 1] a list of [rows, n] or [1, n], not sorted, not clipped to 0..key_len.
        """
        raise NotImplementedError

    def __and__(self, other: Mask) -> Mask:
        return And((self, other))

    def __or__(self, other: Mask) -> Mask:
        return Or((self, other))

    def __invert__(self) -> Mask:
        return Not(self)


@dataclass(frozen=True)
class Term(Mask):
    """A mask that is not composed of others."""

    name: ClassVar[str] = ""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Counted(Term):
    """A term with a count."""

    count: int

    def __str__(self) -> str:
        return f"{self.name}({self.count})"


@dataclass(frozen=True)
class Causal(Term):
    """No key after the query's own position: the mask that hides the future."""

    name: ClassVar[str] = "causal"

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        return np.less_equal(j, i + layout.offset)

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return [i + layout.offset + 1]


@dataclass(frozen=True)
class CausalTopLeft(Term):
    """No key after the query's own index, both counted from 0: what `is_causal=True` of PyTorch's SDPA means."""

    name: ClassVar[str] = "causal_top_left"

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        return np.less_equal(j, i)

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return [i + 1]


@dataclass(frozen=True)
class Window(Counted):
    """No key `count` or more positions back: the own key is one of `count`. It does not hide the future: combine
    it with `causal` or `ahead`."""

    name: ClassVar[str] = "window"

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        seen: Flags = np.greater(j, i + (layout.offset - self.count))
        return seen

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return [i + layout.offset - self.count + 1]


@dataclass(frozen=True)
class Ahead(Counted):
    """No key more than `count` positions ahead; `ahead(0)` is `causal`."""

    name: ClassVar[str] = "ahead"

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        return np.less_equal(j, i + (layout.offset + self.count))

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return [i + layout.offset + self.count + 1]


@dataclass(frozen=True)
class Prefix(Counted):
    """The first `count` keys, for every query."""

    name: ClassVar[str] = "prefix"

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        seen: Flags = (j < self.count) | np.zeros_like(i, dtype=bool)
        return seen

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return [np.full((1, 1), self.count, dtype=np.int64)]


@dataclass(frozen=True)
class Grouped(Term):
    """A term on ids that are non-decreasing along the sequence."""

    def ids(self, layout: Layout) -> tuple[Ids, Ids]:
        """Ids of the queries and of the keys."""
        raise NotImplementedError


@dataclass(frozen=True)
class SameIds(Grouped):
    """Query and key have the same id."""

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        queries, keys = self.ids(layout)
        seen: Flags = np.equal(queries[i], keys[j])
        return seen

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        queries, keys = self.ids(layout)
        return [np.searchsorted(keys, queries[i], side=side) for side in ("left", "right")]


@dataclass(frozen=True)
class Documents(SameIds):
    """Packed documents: each sees only itself."""

    name: ClassVar[str] = "documents"

    def ids(self, layout: Layout) -> tuple[Ids, Ids]:
        return layout.queries.documents, layout.keys.documents


@dataclass(frozen=True)
class SameTurn(SameIds):
    """Only the turn of the dialogue that the query is in."""

    name: ClassVar[str] = "same_turn"

    def ids(self, layout: Layout) -> tuple[Ids, Ids]:
        return layout.queries.turns, layout.keys.turns


@dataclass(frozen=True)
class Turns(Grouped):
    """The whole turn that the query is in, and every turn before it."""

    name: ClassVar[str] = "turns"

    def ids(self, layout: Layout) -> tuple[Ids, Ids]:
        return layout.queries.turns, layout.keys.turns

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        queries, keys = self.ids(layout)
        seen: Flags = np.less_equal(keys[j], queries[i])
        return seen

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        queries, keys = self.ids(layout)
        return [np.searchsorted(keys, queries[i], side="right")]


@dataclass(frozen=True)
class Padding(Term):
    """The keys that are pads."""

    name: ClassVar[str] = "padding"

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        seen: Flags = ~layout.keys.real[j] | np.zeros_like(i, dtype=bool)
        return seen

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return [layout.keys.pad_edges[None, :]]


@dataclass(frozen=True)
class PaddedQueries(Term):
    """The queries that are pads."""

    name: ClassVar[str] = "padded_queries"

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        seen: Flags = ~layout.queries.real[i] | np.zeros_like(j, dtype=bool)
        return seen

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return []


@dataclass(frozen=True)
class Constant(Term):
    """A term with the same value everywhere."""

    value: ClassVar[bool] = False

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        return np.full(np.broadcast_shapes(i.shape, j.shape), self.value)

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return []


@dataclass(frozen=True)
class All(Constant):
    """Every key, for every query: bidirectional attention."""

    name: ClassVar[str] = "all"
    value: ClassVar[bool] = True


@dataclass(frozen=True)
class Nothing(Constant):
    """No key at all."""

    name: ClassVar[str] = "none"


@dataclass(frozen=True)
class Joined(Mask):
    """Two or more masks joined by one operator."""

    terms: tuple[Mask, ...]
    operator: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if len(self.terms) < 2:
            raise ValueError(f"{type(self).__name__} joins two or more masks, not {len(self.terms)}.")

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return [edge for term in self.terms for edge in term.edges(layout, i)]

    def __str__(self) -> str:
        """Parentheses around what binds less tightly and around groups of the same operator, which stay groups."""
        joins = (Or, And) if isinstance(self, And) else (Or,)
        return f" {self.operator} ".join(f"({t})" if isinstance(t, joins) else str(t) for t in self.terms)


@dataclass(frozen=True)
class And(Joined):
    """Visible where all of `terms` are."""

    operator: ClassVar[str] = "&"

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        visible = self.terms[0].sees(layout, i, j)
        for term in self.terms[1:]:
            visible = visible & term.sees(layout, i, j)
        return visible


@dataclass(frozen=True)
class Or(Joined):
    """Visible where at least one of `terms` is."""

    operator: ClassVar[str] = "|"

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        visible = self.terms[0].sees(layout, i, j)
        for term in self.terms[1:]:
            visible = visible | term.sees(layout, i, j)
        return visible


@dataclass(frozen=True)
class Not(Mask):
    """Visible where `term` is not."""

    term: Mask

    def sees(self, layout: Layout, i: Index, j: Index) -> Flags:
        return ~self.term.sees(layout, i, j)

    def edges(self, layout: Layout, i: Index) -> list[Index]:
        return self.term.edges(layout, i)

    def __str__(self) -> str:
        return f"~({self.term})" if isinstance(self.term, Joined) else f"~{self.term}"


PLAIN_TERMS: dict[str, type[Term]] = {
    term.name: term
    for term in (Causal, CausalTopLeft, Padding, PaddedQueries, Documents, Turns, SameTurn, All, Nothing)
}
COUNTED_TERMS: dict[str, type[Counted]] = {term.name: term for term in (Window, Ahead, Prefix)}
"""The terms by the name under which they are written."""
SYNONYMS = {"causal_bottom_right": "causal"}
"""Other names under which a term can be written."""
ALIGNED_TERMS = (Causal, CausalTopLeft, Window, Ahead)
"""The terms that compare positions: with unequal lengths it matters which ends are aligned."""


def terms_of(mask: Mask) -> tuple[Term, ...]:
    """The terms of a mask, each once, in the order in which they are written."""
    match mask:
        case Joined(terms):
            return tuple(dict.fromkeys(leaf for term in terms for leaf in terms_of(term)))
        case Not(term):
            return terms_of(term)
        case Term():
            return (mask,)
    raise TypeError(f"{mask!r} is not a mask.")


def substituted(mask: Mask, term: Term, other: Mask) -> Mask:
    """The mask with every `term` replaced by `other`."""
    match mask:
        case Joined(terms):
            return type(mask)(tuple(substituted(part, term, other) for part in terms))
        case Not(part):
            return Not(substituted(part, term, other))
    return other if mask == term else mask
