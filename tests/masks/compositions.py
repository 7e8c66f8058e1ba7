"""Random masks over random layouts, and their cells by definition."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.masks import (
    Ahead,
    All,
    And,
    Causal,
    CausalTopLeft,
    Documents,
    Layout,
    Mask,
    Not,
    Nothing,
    Or,
    PaddedQueries,
    Padding,
    Prefix,
    SameTurn,
    Side,
    Turns,
    Window,
)

counts = st.integers(0, 45)
terms = st.one_of(
    st.sampled_from(
        [Causal(), CausalTopLeft(), Padding(), PaddedQueries(), Documents(), Turns(), SameTurn(), All(), Nothing()]
    ),
    counts.map(Window),
    counts.map(Prefix),
    counts.map(Ahead),
)
masks: st.SearchStrategy[Mask] = st.recursive(
    terms,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
)


@st.composite
def sides(draw: st.DrawFn, longest: int = 40) -> Side:
    """Any pads at all; documents and turns in runs, their numbers with gaps."""
    length = draw(st.integers(1, longest))
    real = np.array(draw(st.lists(st.booleans(), min_size=length, max_size=length)))
    runs = [np.cumsum(draw(st.lists(st.integers(0, 2), min_size=length, max_size=length))) for _ in range(2)]
    return Side.of(length, real=real, documents=runs[0], turns=runs[1])


layouts = st.one_of(sides().map(Layout.self_attention), st.builds(Layout, sides(), sides()))


def by_definition(mask: Mask, layout: Layout) -> NDArray[np.bool_]:
    """The whole matrix, cell by cell in Python, using only the tree of core.masks."""
    return np.array(
        [[_cell(mask, layout, i, j) for j in range(layout.key_len)] for i in range(layout.query_len)], dtype=bool
    )


def _cell(mask: Mask, layout: Layout, i: int, j: int) -> bool:
    position = i + layout.key_len - layout.query_len
    queries, keys = layout.queries, layout.keys
    match mask:
        case And(terms):
            return all(_cell(term, layout, i, j) for term in terms)
        case Or(terms):
            return any(_cell(term, layout, i, j) for term in terms)
        case Not(term):
            return not _cell(term, layout, i, j)
        case Causal():
            return j <= position
        case CausalTopLeft():
            return j <= i
        case Window(n):
            return position - j < n
        case Ahead(n):
            return j - position <= n
        case Prefix(n):
            return j < n
        case Documents():
            return bool(queries.documents[i] == keys.documents[j])
        case SameTurn():
            return bool(queries.turns[i] == keys.turns[j])
        case Turns():
            return bool(keys.turns[j] <= queries.turns[i])
        case Padding():
            return not keys.real[j]
        case PaddedQueries():
            return not queries.real[i]
        case All():
            return True
        case Nothing():
            return False
    raise AssertionError(mask)
