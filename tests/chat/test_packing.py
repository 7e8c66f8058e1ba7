"""Packing: what each strategy puts where, against plain loops over the same lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat.packing import BFD, BFD_SPLIT, NONE, STRATEGIES, WRAPPED, Packing, pack
from core.chat.packing_masks import mask_saving, row_layout, row_tiling
from core.contracts.errors import InvalidParams
from core.masks import Causal, Documents, TileClass, visible_matrix

LENGTHS = st.lists(st.integers(0, 40), max_size=30)
CAPACITIES = st.integers(1, 24)


def _rows(packing: Packing) -> list[list[tuple[int, int, int]]]:
    """(document, start, length) of the pieces of each row."""
    rows: list[list[tuple[int, int, int]]] = [[] for _ in range(packing.rows)]
    for row, document, start, length in zip(
        packing.row.tolist(), packing.document.tolist(), packing.start.tolist(), packing.length.tolist(), strict=True
    ):
        rows[row].append((document, start, length))
    return rows


def _seen(packing: Packing, same_piece: bool) -> int:
    """Pairs of a token and one not after it in its row, counted one by one; only those of one piece, if asked."""
    pairs = 0
    for row in _rows(packing):
        pieces = [piece for piece, (_, _, length) in enumerate(row) for _ in range(length)]
        pairs += sum(
            not same_piece or pieces[key] == pieces[query] for query in range(len(pieces)) for key in range(query + 1)
        )
    return pairs


@given(LENGTHS, CAPACITIES, st.sampled_from(STRATEGIES))
def test_that_every_token_is_in_one_row_or_cut(lengths: list[int], capacity: int, strategy: str) -> None:
    packing = pack(lengths, capacity, strategy)

    placed = sorted(
        (document, start + token) for row in _rows(packing) for document, start, size in row for token in range(size)
    )
    kept = capacity if strategy in (BFD, NONE) else max(lengths, default=0)
    assert placed == [(document, token) for document, size in enumerate(lengths) for token in range(min(size, kept))]
    assert packing.cut_tokens == sum(max(0, size - kept) for size in lengths)
    assert packing.row_lengths.tolist() == [sum(size for _, _, size in row) for row in _rows(packing)]
    assert packing.row_lengths.max(initial=0) <= capacity


@given(LENGTHS, CAPACITIES, st.sampled_from(STRATEGIES))
def test_that_counts_are_those_of_the_rows(lengths: list[int], capacity: int, strategy: str) -> None:
    packing = pack(lengths, capacity, strategy)

    assert packing.causal_pairs == _seen(packing, same_piece=False)
    assert packing.own_pairs == _seen(packing, same_piece=True)
    pieces_of = np.bincount([document for row in _rows(packing) for document, _, _ in row], minlength=len(lengths))
    assert packing.split.tolist() == (pieces_of > 1).tolist()
    ends = np.cumsum([size for row in _rows(packing) for _, _, size in row]).tolist()
    assert packing.cu_seqlens.tolist() == [0, *ends]
    for number, row in enumerate(_rows(packing)):
        sizes = [size for _, _, size in row]
        assert packing.position_ids(number).tolist() == [place for size in sizes for place in range(size)]
        assert packing.position_ids(number, reset=False).tolist() == list(range(sum(sizes)))
        assert packing.segment_ids(number).tolist() == [piece for piece, size in enumerate(sizes) for _ in range(size)]
        before = [sum(sizes[:place]) for place in range(len(sizes))]
        assert packing.offset[packing.pieces_of(number)].tolist() == before


@given(LENGTHS, CAPACITIES)
def test_that_best_fit_takes_the_row_with_the_least_room(lengths: list[int], capacity: int) -> None:
    room: list[int] = []
    expected = []
    for size in sorted((min(size, capacity) for size in lengths if size), reverse=True):
        fitting = [row for row, free in enumerate(room) if free >= size]
        if not fitting:
            room.append(capacity)
            expected.append([])
        row = min(fitting, key=lambda row: room[row]) if fitting else len(room) - 1
        room[row] -= size
        expected[row].append(size)

    packing = pack(lengths, capacity, BFD)

    # Which of two rows with the same room takes a piece changes which pieces share it, not how full rows are.
    assert sorted(sum(size for _, _, size in row) for row in _rows(packing)) == sorted(map(sum, expected))


def test_that_the_strategies_differ_as_documented() -> None:
    assert _rows(pack([5, 2, 3, 1], 4, BFD)) == [[(0, 0, 4)], [(2, 0, 3), (3, 0, 1)], [(1, 0, 2)]]
    assert _rows(pack([5, 2, 3, 1], 4, BFD_SPLIT)) == [
        [(0, 0, 4)], [(2, 0, 3), (0, 4, 1)], [(1, 0, 2), (3, 0, 1)],
    ]  # fmt: skip
    assert _rows(pack([5, 2, 3, 1], 4, WRAPPED)) == [
        [(0, 0, 4)], [(0, 4, 1), (1, 0, 2), (2, 0, 1)], [(2, 1, 2), (3, 0, 1)],
    ]  # fmt: skip
    assert _rows(pack([5, 2, 3, 1], 4, NONE)) == [[(0, 0, 4)], [(1, 0, 2)], [(2, 0, 3)], [(3, 0, 1)]]


def test_that_fill_counts_padding_to_the_capacity_or_to_the_longest_row_of_a_batch() -> None:
    packing = pack([4, 2, 3, 1], 8, NONE)

    assert packing.fill == 10 / 32
    assert packing.padded_fill(2) == 10 / (2 * 4 + 2 * 3)
    assert packing.padded_fill(3) == 10 / (3 * 4 + 1)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_that_no_documents_make_no_rows(strategy: str) -> None:
    packing = pack([0, 0], 8, strategy)

    assert packing.rows == 0
    assert np.isnan([packing.fill, packing.padded_fill(4), packing.contamination]).all()
    assert np.isnan(mask_saving(packing).saved)


def test_that_a_strategy_that_does_not_exist_and_a_row_without_room_are_refused() -> None:
    with pytest.raises(InvalidParams, match="There is no packing greedy: use bfd, bfd_split, wrapped, none"):
        pack([3], 8, "greedy")
    with pytest.raises(InvalidParams, match="A row of 0 tokens holds nothing"):
        pack([3], 0)


def test_that_the_document_mask_of_a_row_hides_other_documents() -> None:
    packing = pack([3, 2, 4], 16, BFD)
    seen = visible_matrix(Causal() & Documents(), row_layout(packing, 0))

    segments = packing.segment_ids(0)
    positions = np.arange(segments.size)
    assert np.array_equal(seen, (segments[:, None] == segments[None, :]) & (positions[:, None] >= positions[None, :]))
    assert int(seen.sum()) == packing.own_pairs


def test_that_the_saving_counts_cells_exactly_and_tiles_as_a_kernel_computes_them() -> None:
    packing = pack([64, 64, 128], 256, BFD)
    saving = mask_saving(packing, block=64, heads=2, head_dim=8)

    assert saving.causal_flops == 4 * 8 * 2 * (256 * 257 // 2)
    assert saving.document_flops == 4 * 8 * 2 * (2 * 64 * 65 // 2 + 128 * 129 // 2)
    # Of 10 tiles at or below the diagonal, 3 are of the first document and 1 of each of the others.
    assert saving.tiles_saved == 1 - 5 / 10
    assert saving.tiled_rows == 1
    assert int((row_tiling(packing, 0, 64).classes != TileClass.EMPTY).sum()) == 5
