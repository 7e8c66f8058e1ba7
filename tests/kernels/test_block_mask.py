import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention.flex_attention import BlockMask as FlexBlockMask

from kernels.attention import BlockMask, MaskDescription, TermKind, TileClass, block_mask, term, tile_classes
from kernels.attention.flex import flex_block_mask
from kernels.errors import InvalidInputs
from tests.kernels.mask_cases import BLOCKS, LENGTHS, PRESETS, by_definition, causal, cut, descriptions, packed


def make_block_mask(
    mask: MaskDescription, query_len: int, key_len: int, block_q: int, block_kv: int, batch: int
) -> BlockMask:
    return block_mask(mask, batch=batch, query_len=query_len, key_len=key_len, block_q=block_q, block_kv=block_kv)


def brute_force(cells: np.ndarray, block_q: int, block_kv: int) -> np.ndarray:
    sequences, query_len, key_len = cells.shape
    shape = (sequences, -(-query_len // block_q), -(-key_len // block_kv))
    out = np.empty(shape, dtype=np.uint8)
    for b, r, c in np.ndindex(shape):
        tile = cells[b, r * block_q : (r + 1) * block_q, c * block_kv : (c + 1) * block_kv]
        out[b, r, c] = TileClass.FULL if tile.all() else TileClass.PARTIAL if tile.any() else TileClass.EMPTY
    return out


@given(data=st.data(), query_len=LENGTHS, key_len=LENGTHS, block_q=BLOCKS, block_kv=BLOCKS, batch=st.integers(1, 2))
@settings(max_examples=40, deadline=None)
def test_that_classes_are_exact_and_lists_hold_each_tile_once(
    data: st.DataObject, query_len: int, key_len: int, block_q: int, block_kv: int, batch: int
) -> None:
    mask = data.draw(descriptions(query_len, key_len, batch, most_terms=4))
    expected = brute_force(by_definition(mask, query_len, key_len), block_q, block_kv)

    blocks = make_block_mask(mask, query_len, key_len, block_q, block_kv, batch)

    np.testing.assert_array_equal(np.broadcast_to(blocks.classes.numpy(), expected.shape), expected)
    np.testing.assert_array_equal(listed(blocks), blocks.classes.numpy())
    visits = (blocks.classes != TileClass.EMPTY).sum(-1)
    in_order = visits.gather(1, blocks.order.long())
    assert torch.equal(blocks.order.sort(dim=1).values, torch.arange(visits.shape[1]).int().expand_as(blocks.order))
    assert (in_order.diff(dim=1) <= 0).all()


@given(
    data=st.data(), query_len=st.integers(1, 9), key_len=st.integers(1, 9), blocks=st.tuples(*[st.integers(1, 4)] * 2)
)
@settings(max_examples=150, deadline=None)
def test_that_a_single_cell_in_a_corner_decides(
    data: st.DataObject, query_len: int, key_len: int, blocks: tuple[int, int]
) -> None:
    mask = data.draw(descriptions(query_len, key_len, 2, most_terms=2))

    classes = tile_classes(mask, query_len=query_len, key_len=key_len, block_q=blocks[0], block_kv=blocks[1])

    np.testing.assert_array_equal(classes.numpy(), brute_force(by_definition(mask, query_len, key_len), *blocks))


@pytest.mark.parametrize("kind", [TermKind.CAUSAL, TermKind.WINDOW, TermKind.KEYS_BEFORE, TermKind.QUERIES_BEFORE])
@pytest.mark.parametrize("lengths", [(8, 8), (8, 5), (5, 8)], ids=str)
def test_that_edges_on_the_border_of_a_tile_are_found(kind: TermKind, lengths: tuple[int, int]) -> None:
    for value in [None] if kind is TermKind.CAUSAL else range(10):
        mask = term(kind, value)
        classes = tile_classes(mask, query_len=lengths[0], key_len=lengths[1], block_q=2, block_kv=2)
        np.testing.assert_array_equal(classes.numpy(), brute_force(by_definition(mask, *lengths), 2, 2))


def listed(blocks: BlockMask) -> np.ndarray:
    """Classes again, from the lists; a tile listed twice, or a run that could be longer, fails."""
    classes = np.full(tuple(blocks.classes.shape), TileClass.EMPTY, dtype=np.uint8)
    for b, q_block in np.ndindex(classes.shape[:2]):
        first_run, end_run, first_partial, end_partial = blocks.bounds[b, q_block].tolist()
        last_end = -1
        for first, end in blocks.full_runs[first_run:end_run].tolist():
            assert last_end < first < end
            classes[b, q_block, first:end] = TileClass.FULL
            last_end = end
        partial = blocks.partial[first_partial:end_partial].tolist()
        assert partial == sorted(set(partial))
        assert (classes[b, q_block, partial] == TileClass.EMPTY).all()
        classes[b, q_block, partial] = TileClass.PARTIAL
    return classes


def classes_of(theirs: FlexBlockMask, shape: tuple[int, ...]) -> np.ndarray:
    classes = np.full(shape, TileClass.EMPTY, dtype=np.uint8)
    for kind, counts, indices in (
        (TileClass.PARTIAL, theirs.kv_num_blocks, theirs.kv_indices),
        (TileClass.FULL, theirs.full_kv_num_blocks, theirs.full_kv_indices),
    ):
        for b, q_block in np.ndindex(shape[:2]):
            classes[b, q_block, indices[b, 0, q_block, : counts[b, 0, q_block]].tolist()] = kind
    return classes


@pytest.mark.parametrize("lengths", [(256, 256), (128, 320), (320, 192)], ids=str)
@pytest.mark.parametrize("preset", PRESETS)
def test_that_classes_are_those_of_flex_attention(preset: str, lengths: tuple[int, int]) -> None:
    mask = PRESETS[preset](*lengths)
    theirs = flex_block_mask(mask, query_len=lengths[0], key_len=lengths[1], block_q=32, block_kv=64)

    ours = make_block_mask(mask, *lengths, 32, 64, batch=2)

    np.testing.assert_array_equal(ours.classes.numpy(), classes_of(theirs, tuple(ours.classes.shape)))


def test_that_a_mask_that_all_sequences_share_is_stored_once() -> None:
    alike = torch.tensor([40, 40, 40])
    ids = cut(64).repeat(3, 1)
    mask = term(TermKind.KEYS_BEFORE, alike) & term(TermKind.SAME_IDS, q_ids=ids, kv_ids=ids)

    shared = make_block_mask(mask, 64, 64, 16, 16, batch=3)
    unlike = make_block_mask(term(TermKind.KEYS_BEFORE, torch.tensor([40, 40, 39])), 64, 64, 16, 16, batch=3)

    assert shared.sequences == shared.packed.q_ids.shape[0] == 1
    assert unlike.sequences == unlike.packed.limits.shape[0] == 3
    assert shared.batch == unlike.batch == 3


def test_that_a_mask_of_8192_is_classified_a_few_cells_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    sees = MaskDescription.sees

    def counted(mask: MaskDescription, b: torch.Tensor, i: torch.Tensor, j: torch.Tensor, offset: int) -> torch.Tensor:
        seen = sees(mask, b, i, j, offset)
        looked_at.append(seen.numel())
        return seen

    monkeypatch.setattr(MaskDescription, "sees", counted)
    monkeypatch.setattr("kernels.attention.tiles._CELLS_AT_ONCE", 1 << 19)

    classes = tile_classes(packed(8192, 8192), query_len=8192, key_len=8192, block_q=128, block_kv=128)

    assert classes.shape == (1, 64, 64)
    assert max(looked_at) <= 1 << 19
    assert sum(looked_at) < 8192 * 8192 // 20


def test_that_ids_beyond_32_bits_and_batches_that_differ_are_refused() -> None:
    huge = torch.full((1, 8), 1 << 40)
    with pytest.raises(InvalidInputs, match="fit in 32 bits"):
        make_block_mask(term(TermKind.SAME_IDS, q_ids=huge, kv_ids=huge), 8, 8, 16, 16, batch=1)
    with pytest.raises(InvalidInputs, match="describes 2 sequences, but the batch has 3"):
        make_block_mask(term(TermKind.KEYS_BEFORE, torch.tensor([1, 2])), 8, 8, 16, 16, batch=3)
    with pytest.raises(InvalidInputs, match="at least 1"):
        make_block_mask(causal(), 0, 8, 16, 16, batch=1)


@given(data=st.data(), query_len=LENGTHS, key_len=LENGTHS, block_q=BLOCKS, block_kv=BLOCKS, batch=st.integers(1, 2))
@settings(max_examples=20, deadline=None)
def test_that_the_lists_of_the_backward_pass_hold_each_visible_tile_once_by_query_and_by_key(
    data: st.DataObject, query_len: int, key_len: int, block_q: int, block_kv: int, batch: int
) -> None:
    mask = data.draw(descriptions(query_len, key_len, batch, most_terms=3))
    blocks = make_block_mask(mask, query_len, key_len, block_q, block_kv, batch)
    classes = blocks.classes.numpy()
    with_ragged_end = classes.copy()
    if key_len % block_kv:
        with_ragged_end[..., -1][classes[..., -1] == TileClass.FULL] = TileClass.PARTIAL

    for lists, expected in ((blocks.by_query, with_ragged_end), (blocks.by_key, classes.transpose(0, 2, 1))):
        listed, tiles = np.zeros(expected.shape, dtype=int), lists.tiles.numpy()
        visits = np.zeros(expected.shape[:2], dtype=int)
        for sequence, kept in np.ndindex(expected.shape[:2]):
            first, first_partial, end = lists.bounds[sequence, kept].tolist()
            listed[sequence, kept, tiles[first:first_partial]] += TileClass.FULL
            listed[sequence, kept, tiles[first_partial:end]] += TileClass.PARTIAL
            visits[sequence, kept] = end - first
        np.testing.assert_array_equal(listed, expected)
        in_order = np.take_along_axis(visits, lists.order.numpy().astype(int), axis=1)
        assert (np.diff(in_order, axis=1) <= 0).all()
        assert (np.sort(lists.order.numpy(), axis=1) == np.arange(expected.shape[1])).all()
