import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.attention import EVERYTHING, MaskDescription, Term, TermKind, term, visible
from kernels.errors import InvalidInputs
from tests.kernels.mask_cases import by_definition, causal, descriptions

SIZES = st.integers(1, 9)


@given(data=st.data(), query_len=SIZES, key_len=SIZES, batch=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_that_a_mask_is_its_predicates_evaluated_in_its_table(
    data: st.DataObject, query_len: int, key_len: int, batch: int
) -> None:
    mask = data.draw(descriptions(query_len, key_len, batch))

    cells = visible(mask, query_len=query_len, key_len=key_len)

    np.testing.assert_array_equal(cells.numpy(), by_definition(mask, query_len, key_len))


@given(data=st.data(), query_len=SIZES, key_len=SIZES)
@settings(max_examples=40, deadline=None)
def test_that_and_or_not_of_masks_are_and_or_not_of_their_cells(
    data: st.DataObject, query_len: int, key_len: int
) -> None:
    a, b = (data.draw(descriptions(query_len, key_len, 2, most_terms=3)) for _ in range(2))

    def seen(mask: MaskDescription) -> torch.Tensor:
        return visible(mask, query_len=query_len, key_len=key_len)

    assert torch.equal(seen(~a), ~seen(a))
    assert ((seen(a & b) ^ (seen(a) & seen(b))) == 0).all()
    assert ((seen(a | b) ^ (seen(a) | seen(b))) == 0).all()
    assert torch.equal(seen((a & b).without_idle_terms()).expand_as(seen(a & b)), seen(a & b))


def test_that_a_term_on_both_sides_is_kept_once() -> None:
    lengths = torch.tensor([3, 4])
    padding = term(TermKind.KEYS_BEFORE, lengths)

    joined = (causal() & padding) | (term(TermKind.CAUSAL) & term(TermKind.KEYS_BEFORE, lengths))

    assert [one.kind for one in joined.terms] == [TermKind.CAUSAL, TermKind.KEYS_BEFORE]
    assert joined.table == (causal() & padding).table
    assert len((padding & term(TermKind.KEYS_BEFORE, torch.tensor([3, 4]))).terms) == 2
    assert (joined | ~joined).without_idle_terms().terms == ()


def test_that_rows_of_a_large_mask_come_without_the_rest() -> None:
    rows = visible(causal(), query_len=1 << 20, key_len=1 << 20, rows=slice(5, 7))

    assert rows.shape == (1, 2, 1 << 20)
    assert rows.sum(-1).tolist() == [[6, 7]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kind": TermKind.CAUSAL, "value": 3}, "causal term takes no value"),
        ({"kind": TermKind.WINDOW}, "window term takes a value"),
        ({"kind": TermKind.WINDOW, "value": -1}, "from 0 to 1073741824, not -1"),
        ({"kind": TermKind.WINDOW, "value": torch.tensor([1])}, "window term takes no tensor"),
        ({"kind": TermKind.KEYS_BEFORE, "value": torch.tensor([[1]])}, r"integers \[batch\], not torch.int64 \[1, 1\]"),
        ({"kind": TermKind.KEYS_BEFORE, "value": torch.tensor([1.0])}, "integers"),
        ({"kind": TermKind.SAME_IDS}, "takes q_ids and kv_ids"),
        ({"kind": TermKind.SAME_IDS, "q_ids": torch.zeros(1, 3).int()}, "takes q_ids and kv_ids"),
        ({"kind": TermKind.CAUSAL, "q_ids": torch.zeros(1, 3).int()}, "takes no ids"),
        ({"kind": TermKind.SAME_IDS, "q_ids": torch.zeros(1, 3), "kv_ids": torch.zeros(1, 3)}, "must be integers"),
    ],
)
def test_that_a_term_that_means_nothing_is_refused_in_a_sentence(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        Term(**arguments)  # type: ignore[arg-type]


def test_that_more_than_six_terms_or_bits_or_unlike_batches_are_refused() -> None:
    windows = [term(TermKind.WINDOW, width) for width in range(7)]
    six = windows[0] | windows[1] | windows[2] | windows[3] | windows[4] | windows[5]
    with pytest.raises(InvalidInputs, match="6 different terms, not 7"):
        six | windows[6]
    with pytest.raises(InvalidInputs, match="fit in 2 bits"):
        MaskDescription(causal().terms, 4)
    with pytest.raises(InvalidInputs, match=r"batches of \[2, 3\]"):
        term(TermKind.KEYS_BEFORE, torch.tensor([1, 2])) & term(TermKind.QUERIES_BEFORE, torch.tensor([1, 2, 3]))


def test_that_ids_of_other_lengths_are_refused() -> None:
    mask = term(TermKind.SAME_IDS, q_ids=torch.zeros(1, 4).int(), kv_ids=torch.zeros(1, 5).int())

    with pytest.raises(InvalidInputs, match="ids for 4 queries and 5 keys, but there are 4 and 4"):
        visible(mask, query_len=4, key_len=4)


def test_that_everything_is_everything() -> None:
    assert visible(EVERYTHING, query_len=3, key_len=2).all()
    assert not visible(~EVERYTHING, query_len=3, key_len=2).any()
