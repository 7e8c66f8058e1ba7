"""The accesses of the block-sparse kernel, from its trace: the listed tiles, and the mask only in partial ones."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from kernels.attention import BlockMask, MaskDescription, SparseImpl, TermKind, TileClass, block_mask, sparse_attention
from kernels.attention import term as one_term
from tests.kernels.conftest import INTERPRETED
from tests.kernels.mask_cases import PRESETS, causal, cut
from tests.kernels.oracle import Shape, random_qkv

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not traced")

BLOCK_Q, BLOCK_KV = 32, 16
HEADS, KV_HEADS, HEAD_DIM = 2, 1, 32

if not INTERPRETED:
    from core.interpreter import Access, Launch, intercept


def traced(mask: MaskDescription, query_len: int, key_len: int) -> tuple["Launch", BlockMask]:
    q, k, v = random_qkv(Shape(2, HEADS, KV_HEADS, query_len, key_len, HEAD_DIM))
    blocks = block_mask(mask, batch=2, query_len=query_len, key_len=key_len, block_q=BLOCK_Q, block_kv=BLOCK_KV)
    with intercept() as tracer:
        sparse_attention(q, k, v, impl=SparseImpl.BLOCK_SPARSE, mask=blocks)
    (launch,) = tracer.launches
    return launch, blocks


def loads(launch: "Launch", *names: str) -> Iterator["Access"]:
    return (a for a in launch.accesses if a.kind == "load" and launch.buffers[a.buffer].name in names)


def what_it_computes(launch: "Launch", blocks: BlockMask, program: int) -> tuple[int, int, int]:
    """Which tile of queries, head and sequence a program has."""
    q_blocks, heads, _ = launch.grid
    head, batch = program // q_blocks % heads, program // (q_blocks * heads)
    return int(blocks.order[min(batch, blocks.sequences - 1), program % q_blocks]), head, batch


def visited(launch: "Launch", blocks: BlockMask, name: str) -> np.ndarray:
    """int [batch, heads, q_blocks, kv_blocks]: how often each tile of keys (or values) was loaded."""
    out = np.zeros((2, HEADS, launch.grid[0], blocks.classes.shape[2]), dtype=int)
    row_elements, sequence_elements = HEAD_DIM, KV_HEADS * blocks.key_len * HEAD_DIM
    for access in loads(launch, name):
        offsets, active = access.offsets(), access.active()
        for lane, program in enumerate(access.programs):
            q_block, head, batch = what_it_computes(launch, blocks, int(program))
            keys = np.unique(offsets[lane][active[lane]] - batch * sequence_elements) // row_elements
            (tile,) = np.unique(keys // BLOCK_KV)
            out[batch, head, q_block, tile] += 1
            expected = range(tile * BLOCK_KV, min((tile + 1) * BLOCK_KV, blocks.key_len))
            assert np.unique(keys).tolist() == list(expected)
    return out


@pytest.mark.parametrize("lengths", [(96, 64), (70, 90), (1, 33)], ids=str)
@pytest.mark.parametrize("preset", PRESETS)
def test_that_each_tile_that_is_not_empty_is_loaded_once_and_empty_ones_never(
    preset: str, lengths: tuple[int, int]
) -> None:
    launch, blocks = traced(PRESETS[preset](*lengths), *lengths)

    expected = (blocks.classes != TileClass.EMPTY).int().numpy()[:, None]

    for name in ("k_ptr", "v_ptr"):
        visits = visited(launch, blocks, name)
        np.testing.assert_array_equal(visits, np.broadcast_to(expected, visits.shape))


@pytest.mark.parametrize("lengths", [(160, 128), (130, 150)], ids=str)
def test_that_lengths_and_ids_are_read_in_partial_tiles_only(lengths: tuple[int, int]) -> None:
    padding = one_term(TermKind.KEYS_BEFORE, torch.tensor([lengths[1], lengths[1] // 2]))
    mask = causal() & padding & one_term(TermKind.SAME_IDS, q_ids=cut(lengths[0]), kv_ids=cut(lengths[1]))

    launch, blocks = traced(mask, *lengths)

    partial = HEADS * int((blocks.classes == TileClass.PARTIAL).sum())
    full = int((blocks.classes == TileClass.FULL).sum())
    assert full > 0
    assert partial > 0
    for name in ("limits_ptr", "q_ids_ptr", "kv_ids_ptr", "partial_ptr"):
        assert sum(access.programs.size for access in loads(launch, name)) == partial


def test_that_a_full_tile_is_loaded_without_a_guard_unless_it_hangs_over_the_end() -> None:
    launch, _ = traced(PRESETS["everything"](64, 90), 64, 90)

    tiles = [(int(np.ptp(a.offsets()[lane][a.active()[lane]])) + 1) // HEAD_DIM for a in loads(launch, "k_ptr")
             for lane in range(a.programs.size)]  # fmt: skip

    assert set(tiles) == {BLOCK_KV, 90 % BLOCK_KV}
    assert not list(loads(launch, "partial_ptr"))


def test_that_the_tile_of_queries_with_most_to_visit_starts_first() -> None:
    launch, blocks = traced(causal(), 96, 96)

    rows = np.zeros(launch.grid[0], dtype=int)
    for access in loads(launch, "q_ptr"):
        for lane, program in enumerate(access.programs):
            if program < launch.grid[0]:
                rows[program] = access.offsets()[lane].min() // HEAD_DIM

    assert rows.tolist() == [64, 32, 0]
    assert blocks.order.tolist() == [[2, 1, 0]]


@pytest.mark.parametrize("lengths", [(96, 64), (70, 90), (1, 33)], ids=str)
@pytest.mark.parametrize("preset", PRESETS)
def test_that_the_backward_kernels_load_each_tile_that_is_not_empty_once_for_every_head(
    preset: str, lengths: tuple[int, int]
) -> None:
    """The second kernel has its own tiles, and walks them for both query heads of the KV head."""
    shape = Shape(2, HEADS, KV_HEADS, *lengths, HEAD_DIM)
    q, k, v = (tensor.requires_grad_() for tensor in random_qkv(shape))
    mask = PRESETS[preset](*lengths)
    with intercept(addresses_only=True) as tracer:
        out = sparse_attention(q, k, v, impl=SparseImpl.BLOCK_SPARSE, mask=mask, block_q=BLOCK_Q, block_kv=BLOCK_KV).out
        torch.autograd.grad(out, (q, k, v), torch.empty_like(out))
    _, dq_launch, dkdv_launch = tracer.launches

    def elements_shown(block_q: int, block_kv: int, length: int, axis: int) -> int:
        """Of all rows (or columns) of tiles that are not empty, in all heads."""
        blocks = block_mask(mask, batch=2, query_len=lengths[0], key_len=lengths[1], block_q=block_q, block_kv=block_kv)
        visited = (blocks.classes != TileClass.EMPTY).expand(2, -1, -1).sum((0, 2 - axis)).numpy()
        block = (block_q, block_kv)[axis]
        rows = np.minimum(block, length - np.arange(visited.size) * block)
        return int(visited @ rows) * HEADS * HEAD_DIM

    def loaded(launch: "Launch", *names: str) -> list[int]:
        return [sum(int(access.active().sum()) for access in loads(launch, name)) for name in names]

    assert loaded(dq_launch, "k_ptr", "v_ptr") == 2 * [elements_shown(BLOCK_Q, BLOCK_KV, lengths[1], 1)]
    assert loaded(dkdv_launch, "q_ptr", "do_ptr") == 2 * [elements_shown(BLOCK_KV, BLOCK_Q, lengths[0], 0)]
    keys = 2 * KV_HEADS * lengths[1] * HEAD_DIM
    assert loaded(dkdv_launch, "k_ptr", "v_ptr") == [keys, keys]
