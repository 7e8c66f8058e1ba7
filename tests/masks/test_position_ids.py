"""Position ids by way of counting, against transformers and a plain loop; distances against the whole matrix."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from transformers.masking_utils import find_packed_sequence_indices

from core.masks import Layout, Mask, Side, visible_matrix
from core.masks.position_ids import Counting, changed_distances, position_ids
from tests.masks.compositions import masks, sides


@given(side=sides())
def test_that_tokens_are_counted_as_transformers_counts_an_attention_mask(side: Side) -> None:
    mask = torch.from_numpy(side.real)[None].long()
    generated = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)[0]
    np.testing.assert_array_equal(position_ids(side, Counting.TOKENS), generated.numpy())
    np.testing.assert_array_equal(position_ids(side, Counting.PLACE), np.arange(side.length))


@given(side=sides())
def test_that_each_document_begins_at_0(side: Side) -> None:
    counted: dict[int, int] = {}
    expected = []
    for document, real in zip(side.documents.tolist(), side.real.tolist(), strict=True):
        expected.append(counted.get(document, 0) if real else 0)
        counted[document] = counted.get(document, 0) + real
    assert position_ids(side, Counting.DOCUMENT).tolist() == expected


def test_that_transformers_finds_the_documents_in_ids_that_are_reset() -> None:
    side = Side.of(7, documents=[0, 0, 1, 1, 1, 2, 2])
    ids = torch.from_numpy(position_ids(side, Counting.DOCUMENT))[None]
    assert find_packed_sequence_indices(ids)[0].tolist() == side.documents.tolist()


@settings(max_examples=40, deadline=None)
@given(mask=masks, side=sides())
def test_that_changed_distances_are_counted_exactly(mask: Mask, side: Side) -> None:
    layout = Layout.self_attention(side)
    seen = visible_matrix(mask, layout) & side.real[:, None] & side.real
    for counting in Counting:
        ids = position_ids(side, counting)
        places = np.arange(side.length)
        changed = (ids[:, None] - ids) != (places[:, None] - places)
        distances = changed_distances(mask, layout, counting)
        assert distances is not None
        assert (distances.visible, distances.changed) == (int(seen.sum()), int((seen & changed).sum()))
