"""Masks to test with: the usual ones, random ones, and what each holds, cell by cell, from its definition."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.attention import EVERYTHING, MaskDescription, Term, TermKind, term

LENGTHS = st.integers(1, 70)
BLOCKS = st.sampled_from([16, 32])


def documents(*lengths: int) -> torch.Tensor:
    """int32 [1, sum of lengths]: which document a token belongs to."""
    return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)).to(torch.int32)[None]


def cut(length: int, parts: int = 3) -> torch.Tensor:
    """Ids of `parts` documents of unlike lengths."""
    edges = [round(length * (k / parts) ** 1.5) for k in range(parts + 1)]
    return documents(*(end - first for first, end in pairwise(edges)))


def causal() -> MaskDescription:
    return term(TermKind.CAUSAL)


def prefix_lm(query_len: int, key_len: int) -> MaskDescription:
    return causal() | term(TermKind.KEYS_BEFORE, key_len // 3)


def packed(query_len: int, key_len: int) -> MaskDescription:
    return causal() & term(TermKind.SAME_IDS, q_ids=cut(query_len), kv_ids=cut(key_len))


def padded(query_len: int, key_len: int) -> MaskDescription:
    return term(TermKind.KEYS_BEFORE, torch.tensor([key_len, key_len // 2]))


PRESETS: dict[str, Callable[[int, int], MaskDescription]] = {
    "everything": lambda query_len, key_len: EVERYTHING,
    "nothing": lambda query_len, key_len: ~EVERYTHING,
    "causal": lambda query_len, key_len: causal(),
    "window": lambda query_len, key_len: causal() & term(TermKind.WINDOW, key_len // 4),
    "documents": packed,
    "prefix-lm": prefix_lm,
    "padding": padded,
}


def holds(term: Term, b: int, i: int, j: int, offset: int) -> bool:
    """The definitions, term cell at a time."""

    def at(values: torch.Tensor, *place: int) -> int:
        return int(values[(min(b, values.shape[0] - 1), *place)])

    def limit() -> int:
        return at(term.value) if isinstance(term.value, torch.Tensor) else int(term.value or 0)

    match term.kind:
        case TermKind.CAUSAL:
            return j <= i + offset
        case TermKind.WINDOW:
            return j > i + offset - limit()
        case TermKind.KEYS_BEFORE:
            return j < limit()
        case TermKind.QUERIES_BEFORE:
            return i < limit()
    assert term.q_ids is not None
    assert term.kv_ids is not None
    query, key = at(term.q_ids, i), at(term.kv_ids, j)
    return query == key if term.kind is TermKind.SAME_IDS else key <= query


def by_definition(mask: MaskDescription, query_len: int, key_len: int) -> NDArray[np.bool_]:
    """Bool [sequences, query_len, key_len]."""
    out = np.zeros((mask.sequences, query_len, key_len), dtype=bool)
    for b, i, j in np.ndindex(out.shape):
        row = sum(holds(one, b, i, j, key_len - query_len) << k for k, one in enumerate(mask.terms))
        out[b, i, j] = bool(mask.table >> row & 1)
    return out


@st.composite
def descriptions(draw: st.DrawFn, query_len: int, key_len: int, batch: int, most_terms: int = 6) -> MaskDescription:
    """Any composition of up to `most_terms` terms, for a batch or for all of it alike."""
    terms = tuple(draw(_terms(query_len, key_len, batch)) for _ in range(draw(st.integers(0, most_terms))))
    return MaskDescription(terms, draw(st.integers(0, (1 << (1 << len(terms))) - 1)))


@st.composite
def _terms(draw: st.DrawFn, query_len: int, key_len: int, batch: int) -> Term:
    kind = draw(st.sampled_from(TermKind))
    sequences = draw(st.sampled_from([1, batch]))
    if kind is TermKind.CAUSAL:
        return Term(kind)
    if kind is TermKind.WINDOW:
        return Term(kind, draw(st.integers(0, query_len + key_len)))
    if kind.counts:
        lengths = [draw(st.integers(0, max(query_len, key_len))) for _ in range(sequences)]
        return Term(kind, lengths[0] if sequences == 1 and draw(st.booleans()) else torch.tensor(lengths))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    most, dtype = draw(st.integers(1, 5)), draw(st.sampled_from([torch.int32, torch.int64]))
    ids = [torch.randint(-1, most, (sequences, n), generator=generator).to(dtype) for n in (query_len, key_len)]
    if draw(st.booleans()):
        ids = [each.sort(dim=1).values for each in ids]
    return Term(kind, q_ids=ids[0], kv_ids=ids[1])
