"""Cells, rows, tiles and pixels against the definition, for random compositions over random layouts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.masks import (
    Layout,
    Mask,
    Padding,
    Side,
    TileClass,
    bin_counts,
    ids_from_lengths,
    parse,
    rasterise,
    row_counts,
    tile_classes,
    tile_counts,
    visible,
    visible_matrix,
)
from tests.masks.compositions import by_definition, layouts, masks


@settings(max_examples=150, deadline=None)
@given(mask=masks, layout=layouts, block_q=st.integers(1, 17), block_kv=st.integers(1, 17))
def test_that_cells_rows_and_tiles_equal_the_definition(
    mask: Mask, layout: Layout, block_q: int, block_kv: int
) -> None:
    expected = by_definition(mask, layout)

    np.testing.assert_array_equal(visible_matrix(mask, layout), expected)
    np.testing.assert_array_equal(row_counts(mask, layout), expected.sum(axis=1))
    classes = tile_classes(mask, layout, block_q, block_kv)
    counts = tile_counts(mask, layout, block_q, block_kv)
    assert classes.shape == counts.shape == (-(-layout.query_len // block_q), -(-layout.key_len // block_kv))
    for (row, column), tile_class in np.ndenumerate(classes):
        tile = expected[row * block_q : (row + 1) * block_q, column * block_kv : (column + 1) * block_kv]
        right = TileClass.FULL if tile.all() else TileClass.PARTIAL if tile.any() else TileClass.EMPTY
        assert (tile_class, counts[row, column]) == (right, tile.sum())


@settings(max_examples=60, deadline=None)
@given(mask=masks, layout=layouts, data=st.data())
def test_that_a_picture_of_any_part_has_the_exact_share_under_each_pixel(
    mask: Mask, layout: Layout, data: st.DataObject
) -> None:
    rows = sorted(data.draw(st.lists(st.integers(-5, 50), min_size=2, max_size=2)))
    cols = sorted(data.draw(st.lists(st.integers(-5, 50), min_size=2, max_size=2)))
    width, height = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    shown = by_definition(mask, layout)[max(0, rows[0]) : max(0, rows[1]), max(0, cols[0]) : max(0, cols[1])]

    picture = rasterise(mask, layout, (rows[0], rows[1]), (cols[0], cols[1]), width, height)

    assert picture.shape == (min(height, shown.shape[0]), min(width, shown.shape[1]))
    if not picture.size:
        return
    row_edges = np.arange(picture.shape[0] + 1) * shown.shape[0] // picture.shape[0]
    col_edges = np.arange(picture.shape[1] + 1) * shown.shape[1] // picture.shape[1]
    for (y, x), share in np.ndenumerate(picture):
        cells = shown[row_edges[y] : row_edges[y + 1], col_edges[x] : col_edges[x + 1]]
        assert share == pytest.approx(cells.mean(), abs=1e-6)


LONG = "causal & (window(1024) | prefix(4)) & ~padding | documents & ~turns"


def test_that_a_long_mask_is_counted_exactly() -> None:
    mask = parse(LONG)
    side = Side.of(
        2999, real=2500, documents=ids_from_lengths([1000, 63, 1], 2999), turns=ids_from_lengths([63] * 9, 2999)
    )
    layout = Layout.self_attention(side)
    whole = visible_matrix(mask, layout)

    np.testing.assert_array_equal(row_counts(mask, layout), whole.sum(axis=1))
    padded = np.zeros((3072, 3072), dtype=np.int64)
    padded[:2999, :2999] = whole
    np.testing.assert_array_equal(
        tile_counts(mask, layout, 128, 64), padded.reshape(24, 128, 48, 64).sum(axis=(1, 3))[:, :47]
    )


def test_that_a_part_in_the_middle_is_counted_without_the_rest() -> None:
    mask, layout = parse("causal & window(50)"), Layout.of(1000)
    whole = visible_matrix(mask, layout)

    counts = bin_counts(mask, layout, np.array([63, 64, 300]), np.array([10, 20, 290]))

    expected = [[whole[a:b, c:d].sum() for c, d in ((10, 20), (20, 290))] for a, b in ((63, 64), (64, 300))]
    np.testing.assert_array_equal(counts, expected)


def test_that_pads_anywhere_are_counted_in_pieces_that_fit() -> None:
    real = np.arange(1500) % 3 > 0
    layout = Layout.self_attention(Side.of(1500, real=real))

    np.testing.assert_array_equal(row_counts(~Padding(), layout), np.full(1500, 1000))


def test_that_ranges_outside_the_matrix_are_refused() -> None:
    with pytest.raises(IndexError, match=r"8 key positions; positions 3 to 8 do not exist"):
        visible(parse("causal"), Layout.of(8), np.arange(2), np.array([3, 8]))


def test_that_a_matrix_without_keys_or_queries_counts_nothing() -> None:
    for query_len, key_len in ((0, 5), (5, 0), (0, 0)):
        layout = Layout.of(query_len, key_len)
        assert row_counts(parse("all"), layout).tolist() == [0] * query_len
        assert tile_classes(parse("all"), layout, 4, 4).size == 0
        assert rasterise(parse("causal & prefix(2)"), layout, (0, 9), (0, 9), 4, 4).size == 0
