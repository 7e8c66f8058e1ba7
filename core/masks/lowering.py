"""A mask in the form that the block-sparse kernel takes: a few different predicates and a truth table over them.

Whatever the expression, the kernel evaluates each predicate once per cell and looks the result up in one constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.masks.layout import Ids, Layout
from core.masks.nodes import (
    Ahead,
    And,
    Causal,
    CausalTopLeft,
    Constant,
    Documents,
    Grouped,
    Mask,
    Not,
    Or,
    PaddedQueries,
    Padding,
    Prefix,
    SameTurn,
    Term,
    Turns,
    Window,
    terms_of,
)

MAX_TERMS = 6
"""The number of different terms that fit in a kernel's truth table of 2**6 bits."""

Layouts = tuple[Layout, ...]


@dataclass(frozen=True, eq=False)
class KernelTerm:
    """One predicate on query i and key j of sequence b, with offset = key_len - query_len.

    The condition of each `kind`: CAUSAL j <= i + offset; WINDOW j > i + offset - window; KEYS_BEFORE j < lengths[b];
    QUERIES_BEFORE i < lengths[b]; SAME_IDS q_ids[b, i] == kv_ids[b, j]; IDS_NOT_AFTER kv_ids[b, j] <= q_ids[b, i].
    `lengths` int32 [batch], `q_ids` int32 [batch, query_len], `kv_ids` int32 [batch, key_len].
    """

    kind: str
    window: int | None = None
    lengths: Ids | None = None
    q_ids: Ids | None = None
    kv_ids: Ids | None = None


@dataclass(frozen=True, eq=False)
class Lowering:
    """Bit sum(term_k(i, j) << k) of `table` is 1 if (i, j) is visible."""

    terms: tuple[KernelTerm, ...]
    table: int


def counted_terms(mask: Mask) -> int:
    """How many different terms a kernel has to evaluate; constants do not count."""
    return sum(not isinstance(term, Constant) for term in terms_of(mask))


def lowered(mask: Mask, layouts: Layouts) -> Lowering | None:
    """`mask` over a batch, or None if it has more than MAX_TERMS different terms."""
    terms = [term for term in terms_of(mask) if not isinstance(term, Constant)]
    if len(terms) > MAX_TERMS:
        return None
    predicates = [_predicate(term, layouts) for term in terms]
    table = 0
    for row in range(1 << len(terms)):
        values = {term: bool(row >> bit & 1) != predicates[bit][1] for bit, term in enumerate(terms)}
        table |= _value(mask, values) << row
    return Lowering(tuple(predicate for predicate, _ in predicates), table)


def _value(mask: Mask, values: Mapping[Term, bool]) -> bool:
    match mask:
        case And(terms):
            return all(_value(term, values) for term in terms)
        case Or(terms):
            return any(_value(term, values) for term in terms)
        case Not(term):
            return not _value(term, values)
        case Constant():
            return mask.value
        case Term():
            return values[mask]
    raise TypeError(f"{mask!r} is not a mask.")


def _predicate(term: Term, layouts: Layouts) -> tuple[KernelTerm, bool]:
    """The kernel's predicate, and whether it is the negation of the term."""
    first = layouts[0]
    longest = first.query_len + first.key_len
    match term:
        case Causal():
            return KernelTerm("CAUSAL"), False
        case CausalTopLeft():
            queries, keys = np.arange(first.query_len), np.arange(first.key_len)
            return _by_ids("IDS_NOT_AFTER", [queries] * len(layouts), [keys] * len(layouts)), False
        case Window(count):
            return KernelTerm("WINDOW", window=min(count, longest)), False
        case Ahead(count):
            last = np.arange(first.query_len) + first.offset + min(count, longest)
            return _by_ids("IDS_NOT_AFTER", [last] * len(layouts), [np.arange(first.key_len)] * len(layouts)), False
        case Prefix(count):
            lengths = np.full(len(layouts), min(count, first.key_len), dtype=np.int32)
            return KernelTerm("KEYS_BEFORE", lengths=lengths), False
        case Documents() | SameTurn():
            return _by_ids("SAME_IDS", *_ids(term, layouts)), False
        case Turns():
            return _by_ids("IDS_NOT_AFTER", *_ids(term, layouts)), False
        case Padding():
            real = [layout.keys.real for layout in layouts]
            ones = [np.ones(layout.query_len) for layout in layouts]
            return _before("KEYS_BEFORE", real) or _by_ids("SAME_IDS", ones, real), True
        case PaddedQueries():
            real = [layout.queries.real for layout in layouts]
            ones = [np.ones(layout.key_len) for layout in layouts]
            return _before("QUERIES_BEFORE", real) or _by_ids("SAME_IDS", real, ones), True
    raise TypeError(f"{term!r} has no counterpart in the kernel.")


def _before(kind: str, real: Sequence[NDArray[np.bool_]]) -> KernelTerm | None:
    """A length if all pads are at the end, otherwise None."""
    if any(np.any(~row[:-1] & row[1:]) for row in real):
        return None
    return KernelTerm(kind, lengths=np.array([np.count_nonzero(row) for row in real], dtype=np.int32))


def _by_ids(kind: str, queries: Sequence[NDArray[np.generic]], keys: Sequence[NDArray[np.generic]]) -> KernelTerm:
    return KernelTerm(kind, q_ids=np.stack(queries).astype(np.int32), kv_ids=np.stack(keys).astype(np.int32))


def _ids(term: Grouped, layouts: Layouts) -> tuple[list[Ids], list[Ids]]:
    both = [term.ids(layout) for layout in layouts]
    return [queries for queries, _ in both], [keys for _, keys in both]
