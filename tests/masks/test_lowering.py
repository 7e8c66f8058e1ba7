"""The truth table and predicates for a kernel, evaluated here by their definition, against the mask."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.masks import Layout, Mask, parse, visible_matrix
from core.masks.lowering import MAX_TERMS, KernelTerm, counted_terms, lowered
from tests.masks.compositions import layouts, masks, sides


def holds(term: KernelTerm, batch: int, i: NDArray[np.int64], j: NDArray[np.int64], offset: int) -> NDArray[np.bool_]:
    match term.kind:
        case "CAUSAL":
            return j <= i + offset
        case "WINDOW":
            return j > i + offset - term.window
        case "KEYS_BEFORE":
            return (j < term.lengths[batch]) & (i >= 0)
        case "QUERIES_BEFORE":
            return (i < term.lengths[batch]) & (j >= 0)
        case "SAME_IDS":
            return term.q_ids[batch][i] == term.kv_ids[batch][j]
        case "IDS_NOT_AFTER":
            return term.kv_ids[batch][j] <= term.q_ids[batch][i]
    raise AssertionError(term.kind)


def assert_form_equals(mask: Mask, sequences: tuple[Layout, ...]) -> None:
    lowering = lowered(mask, sequences)
    assert lowering is not None
    assert 0 <= lowering.table < 1 << (1 << len(lowering.terms))
    for batch, layout in enumerate(sequences):
        i, j = np.arange(layout.query_len)[:, None], np.arange(layout.key_len)[None, :]
        index = np.zeros((layout.query_len, layout.key_len), dtype=np.int64)
        for bit, term in enumerate(lowering.terms):
            index += holds(term, batch, i, j, layout.offset).astype(np.int64) << bit
        table = np.array([lowering.table >> row & 1 for row in range(1 << len(lowering.terms))], dtype=bool)
        np.testing.assert_array_equal(table[index], visible_matrix(mask, layout))


@settings(max_examples=80, deadline=None)
@given(mask=masks.filter(lambda mask: counted_terms(mask) <= MAX_TERMS), layout=layouts)
def test_that_the_truth_table_is_the_mask(mask: Mask, layout: Layout) -> None:
    assert_form_equals(mask, (layout,))


@settings(max_examples=20, deadline=None)
@given(side=sides(), lengths=st.lists(st.integers(0, 40), min_size=2, max_size=4))
def test_that_each_sequence_of_a_batch_has_its_own_pads(side: object, lengths: list[int]) -> None:
    batch = tuple(Layout.self_attention(side.padded_to(length)) for length in lengths)  # type: ignore[attr-defined]
    assert_form_equals(parse("causal & ~padding | padded_queries & prefix(2)"), batch)


def test_that_more_terms_than_fit_give_no_form() -> None:
    fits = parse("window(1) | window(2) | window(3) | window(4) | window(5) | ~causal & causal | all")
    assert lowered(fits, (Layout.of(9),)) is not None
    assert lowered(fits & parse("prefix(1)"), (Layout.of(9),)) is None
