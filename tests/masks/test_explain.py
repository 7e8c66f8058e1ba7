"""Why a cell is visible, and whether a mask is its own transpose: against every cell and every value of the terms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.masks import Layout, Mask, Not, Term, parse, terms_of, visible_matrix
from core.masks.explain import explain_cell
from core.masks.nodes import And, Joined
from core.masks.symmetry import symmetry
from tests.masks.compositions import layouts, masks


def value(mask: Mask, values_of_terms: dict[Term, bool]) -> bool:
    """The composition as a truth function of its terms."""
    if isinstance(mask, Not):
        return not value(mask.term, values_of_terms)
    if isinstance(mask, Joined):
        return (all if isinstance(mask, And) else any)(value(term, values_of_terms) for term in mask.terms)
    assert isinstance(mask, Term)
    return values_of_terms[mask]


@given(masks, layouts, st.data())
def test_that_the_terms_named_settle_the_cell_whatever_the_others_say(
    mask: Mask, layout: Layout, data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, layout.query_len - 1))
    col = data.draw(st.integers(0, layout.key_len - 1))
    explanation = explain_cell(mask, layout, row, col)
    assert explanation.visible == visible_matrix(mask, layout)[row, col]
    others = [term for term in terms_of(mask) if term not in dict(explanation.terms)][:6]
    rest = dict.fromkeys(terms_of(mask), False)
    for values in itertools.product((False, True), repeat=len(others)):
        values_of_terms = {**rest, **dict(zip(others, values, strict=True)), **dict(explanation.terms)}
        assert value(mask, values_of_terms) == explanation.visible


def test_that_the_reason_is_a_sentence_with_the_fewest_terms() -> None:
    layout = Layout.of(16)
    mask = parse("causal & (window(4) | prefix(2))")
    assert str(explain_cell(mask, layout, 3, 9).text) == "hidden, because not causal"
    assert str(explain_cell(mask, layout, 9, 1).text) == "visible, because causal and prefix(2)"
    assert str(explain_cell(mask, layout, 9, 4).text) == "hidden, because not window(4) and not prefix(2)"


@pytest.mark.parametrize("length", [1, 63, 700])
def test_that_a_mask_is_compared_with_its_transpose_cell_by_cell(length: int) -> None:
    layout = Layout.of(length)
    for text in ("causal", "window(5) & ahead(4)", "causal | prefix(7)"):
        matrix = visible_matrix(parse(text), layout)
        comparison = symmetry(parse(text), layout, max_px=100)
        assert comparison.differing == np.count_nonzero(matrix != matrix.T)
        assert comparison.is_symmetric == (comparison.differing == 0)
        assert max(comparison.differs.shape) <= 100
        stride = -(-length // 100)
        assert comparison.seen[0, 0] == pytest.approx(matrix[:stride, :stride].mean())
        last = comparison.differs.shape[0] * stride - stride
        assert comparison.differs[-1, 0] == pytest.approx((matrix != matrix.T)[last:, :stride].mean())


def test_that_only_a_square_mask_has_a_transpose_to_equal() -> None:
    with pytest.raises(InvalidParams, match="40 x 64"):
        symmetry(parse("all"), Layout.of(40, 64))
