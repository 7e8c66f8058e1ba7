"""What kernels of attention look like, as small kernels of our own (see test_sample_training.py)."""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch.nn import functional

from core.interpreter import intercept


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_close(got: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(got.double(), expected.double(), rtol=tolerance, atol=tolerance)


@triton.jit
def _step(q, k, v, keep, largest, total, o, scale):
    scores = tl.where(keep, tl.dot(q, tl.trans(k), input_precision="ieee") * scale, float("-inf"))
    new = tl.maximum(largest, tl.max(scores, 1))
    weights = tl.exp(scores - new[:, None])
    shrink = tl.exp(largest - new)
    o = o * shrink[:, None] + tl.dot(weights, v, input_precision="ieee")
    return new, total * shrink + tl.sum(weights, 1), o


@triton.jit
def varlen_kernel(q_ptr, k_ptr, v_ptr, o_ptr, start_ptr, scale, ROWS: tl.constexpr, SIZE: tl.constexpr):
    """Packed sequences: a program for a tile of queries of one sequence, and none for what is beyond its end."""
    sequence = tl.program_id(1)
    begin, end = tl.load(start_ptr + sequence), tl.load(start_ptr + sequence + 1)
    rows, cols = begin + tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, SIZE)
    if begin + tl.program_id(0) * ROWS >= end:
        return
    q = tl.load(q_ptr + rows[:, None] * SIZE + cols[None, :], mask=rows[:, None] < end, other=0.0)
    largest, total = tl.full([ROWS], float("-inf"), tl.float32), tl.zeros([ROWS], tl.float32)
    o = tl.zeros([ROWS, SIZE], tl.float32)
    for start in range(begin, begin + (tl.program_id(0) + 1) * ROWS, ROWS):
        keys = start + tl.arange(0, ROWS)
        inside = keys[:, None] < end
        k = tl.load(k_ptr + keys[:, None] * SIZE + cols[None, :], mask=inside, other=0.0)
        v = tl.load(v_ptr + keys[:, None] * SIZE + cols[None, :], mask=inside, other=0.0)
        keep = (keys[None, :] <= rows[:, None]) & (keys[None, :] < end)
        largest, total, o = _step(q, k, v, keep, largest, total, o, scale)
    tl.store(o_ptr + rows[:, None] * SIZE + cols[None, :], o / total[:, None], mask=rows[:, None] < end)


def test_that_packed_sequences_see_themselves_only() -> None:
    q, k, v, o = randn(60, 16), randn(60, 16, seed=1), randn(60, 16, seed=2), torch.full((60, 16), torch.nan)
    starts = torch.tensor([0, 7, 7, 60], dtype=torch.int32)
    with intercept():
        varlen_kernel[(4, 3)](q, k, v, o, starts, 0.25, ROWS=16, SIZE=16)
    parts = [
        functional.scaled_dot_product_attention(*(x[a:b].double() for x in (q, k, v)), is_causal=True)
        for a, b in ((0, 7), (7, 60))
    ]
    assert_close(o, torch.cat(parts), 1e-4)


@triton.jit
def paged_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, lse_ptr, table_ptr, length_ptr, scale, blocks, splits,
    HEADS: tl.constexpr, PAGE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """One token per sequence; a program for a part of its pages, which a table finds."""
    sequence, split = tl.program_id(0), tl.program_id(1)
    length = tl.load(length_ptr + sequence)
    heads, cols, slots = tl.arange(0, HEADS), tl.arange(0, SIZE), tl.arange(0, PAGE)
    q = tl.load(q_ptr + (sequence * HEADS + heads)[:, None] * SIZE + cols[None, :])
    largest, total = tl.full([HEADS], float("-inf"), tl.float32), tl.zeros([HEADS], tl.float32)
    o = tl.zeros([HEADS, SIZE], tl.float32)
    pages = tl.cdiv(tl.cdiv(length, PAGE), splits)
    for page in range(split * pages, min((split + 1) * pages, tl.cdiv(length, PAGE))):
        block = tl.load(table_ptr + sequence * blocks + page).to(tl.int64)
        keep = page * PAGE + slots < length
        at = (block * PAGE + slots)[:, None] * SIZE + cols[None, :]
        k = tl.load(k_ptr + at, mask=keep[:, None], other=0.0)
        v = tl.load(v_ptr + at, mask=keep[:, None], other=0.0)
        largest, total, o = _step(q, k, v, keep[None, :], largest, total, o, scale)
    place = (sequence * splits + split) * HEADS + heads
    tl.store(o_ptr + place[:, None] * SIZE + cols[None, :], o / tl.where(total == 0, 1.0, total)[:, None])
    tl.store(lse_ptr + place, tl.where(total == 0, float("-inf"), largest + tl.log(total)))


@triton.jit
def merge_kernel(part_ptr, lse_ptr, o_ptr, SPLITS: tl.constexpr, HEADS: tl.constexpr, SIZE: tl.constexpr):
    sequence, head, cols = tl.program_id(0), tl.program_id(1), tl.arange(0, SIZE)
    place = (sequence * SPLITS + tl.arange(0, SPLITS)) * HEADS + head
    weights = tl.softmax(tl.load(lse_ptr + place))
    parts = tl.load(part_ptr + place[:, None] * SIZE + cols[None, :])
    tl.store(o_ptr + (sequence * HEADS + head) * SIZE + cols, tl.sum(parts * weights[:, None], 0))


def test_that_pages_are_found_in_a_table_and_parts_are_merged() -> None:
    heads, page, size, splits = 16, 16, 16, 2
    q, k, v = randn(2, heads, size), randn(8, page, size, seed=1), randn(8, page, size, seed=2)
    table, lengths = torch.tensor([[5, 2, 7], [0, 3, 1]], dtype=torch.int32), torch.tensor([37, 20], dtype=torch.int32)
    parts, lse, o = torch.empty(2, splits, heads, size), torch.empty(2, splits, heads), torch.empty(2, heads, size)
    with intercept():
        paged_kernel[(2, splits)](
            q, k, v, parts, lse, table, lengths, 0.25, 3, splits, HEADS=heads, PAGE=page, SIZE=size
        )
        merge_kernel[(2, heads)](parts, lse, o, SPLITS=splits, HEADS=heads, SIZE=size)
    for sequence, length in enumerate(lengths.tolist()):
        keys, values = (x[table[sequence].long()].flatten(0, 1)[:length].double() for x in (k, v))
        expected = functional.scaled_dot_product_attention(q[sequence].double(), keys, values, scale=0.25)
        assert_close(o[sequence], expected, 1e-4)


@triton.jit
def descriptor_kernel(q_ptr, k_ptr, v_ptr, o_ptr, length, tiles, scale, ROWS: tl.constexpr, SIZE: tl.constexpr):
    """Tensor descriptors, and a grid of fewer programs than tiles."""
    q_rows = tl.make_tensor_descriptor(q_ptr, [length, SIZE], [SIZE, 1], [ROWS, SIZE])
    k_rows = tl.make_tensor_descriptor(k_ptr, [length, SIZE], [SIZE, 1], [ROWS, SIZE])
    v_rows = tl.make_tensor_descriptor(v_ptr, [length, SIZE], [SIZE, 1], [ROWS, SIZE])
    o_rows = tl.make_tensor_descriptor(o_ptr, [length, SIZE], [SIZE, 1], [ROWS, SIZE])
    for tile in tl.range(tl.program_id(0), tiles, tl.num_programs(0)):
        q = q_rows.load([tile * ROWS, 0])
        largest, total = tl.full([ROWS], float("-inf"), tl.float32), tl.zeros([ROWS], tl.float32)
        o = tl.zeros([ROWS, SIZE], tl.float32)
        for start in range(0, length, ROWS):
            keep = (start + tl.arange(0, ROWS) < length)[None, :]
            k, v = k_rows.load([start, 0]), v_rows.load([start, 0])
            largest, total, o = _step(q, k, v, keep, largest, total, o, scale)
        o_rows.store([tile * ROWS, 0], o / total[:, None])


def test_that_descriptors_clip_the_last_tile_of_a_persistent_kernel() -> None:
    q, k, v, o = randn(70, 16), randn(70, 16, seed=1), randn(70, 16, seed=2), torch.full((70, 16), torch.nan)
    with intercept():
        descriptor_kernel[(2,)](q, k, v, o, 70, 5, 0.25, ROWS=16, SIZE=16)
    assert_close(o, functional.scaled_dot_product_attention(q.double(), k.double(), v.double(), scale=0.25), 1e-4)


@triton.jit
def sparse_kernel(
    q_ptr, k_ptr, v_ptr, o_ptr, chosen_ptr, count_ptr, scale, MOST: tl.constexpr, ROWS: tl.constexpr, SIZE: tl.constexpr
):
    """Each tile of queries reads the blocks of keys that a list names."""
    tile, rows, cols = tl.program_id(0), tl.arange(0, ROWS), tl.arange(0, SIZE)
    q = tl.load(q_ptr + (tile * ROWS + rows)[:, None] * SIZE + cols[None, :])
    largest, total = tl.full([ROWS], float("-inf"), tl.float32), tl.zeros([ROWS], tl.float32)
    o = tl.zeros([ROWS, SIZE], tl.float32)
    i = 0
    while i < tl.load(count_ptr + tile):
        keys = tl.load(chosen_ptr + tile * MOST + i) * ROWS + rows
        k, v = (
            tl.load(k_ptr + keys[:, None] * SIZE + cols[None, :]),
            tl.load(v_ptr + keys[:, None] * SIZE + cols[None, :]),
        )
        largest, total, o = _step(q, k, v, rows[None, :] >= 0, largest, total, o, scale)
        i += 1
    tl.store(o_ptr + (tile * ROWS + rows)[:, None] * SIZE + cols[None, :], o / total[:, None])


def test_that_lists_of_blocks_of_different_lengths_are_followed() -> None:
    q, k, v, o = randn(64, 16), randn(64, 16, seed=1), randn(64, 16, seed=2), torch.full((64, 16), torch.nan)
    chosen = torch.tensor([[0, 0, 0], [0, 1, 0], [2, 0, 1], [3, 0, 0]], dtype=torch.int32)
    counts = torch.tensor([1, 2, 3, 1], dtype=torch.int32)
    with intercept():
        sparse_kernel[(4,)](q, k, v, o, chosen, counts, 0.25, MOST=3, ROWS=16, SIZE=16)
    seen = torch.zeros(4, 4, dtype=torch.bool)
    for row in range(4):
        seen[row, chosen[row, : counts[row]].long()] = True
    mask = seen.repeat_interleave(16, 0).repeat_interleave(16, 1)
    assert_close(o, functional.scaled_dot_product_attention(q.double(), k.double(), v.double(), mask, scale=0.25), 1e-4)


@triton.jit
def entmax_kernel(x_ptr, o_ptr, columns, STEPS: tl.constexpr, BLOCK: tl.constexpr):
    """Of alpha 1.5: the threshold by bisection."""
    row, cols = tl.program_id(0), tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + cols, mask=cols < columns, other=float("-inf")) / 2
    high = tl.max(x)
    low = high - 1
    for _ in tl.static_range(STEPS):
        middle = (low + high) / 2
        above = tl.maximum(x - middle, 0.0)
        enough = tl.sum(above * above) >= 1
        low, high = tl.where(enough, middle, low), tl.where(enough, high, middle)
    above = tl.maximum(x - low, 0.0)
    tl.store(o_ptr + row * columns + cols, above * above, mask=cols < columns)


def test_that_a_bisection_of_scalars_finds_entmax() -> None:
    x, o = randn(5, 50), torch.empty(5, 50)
    with intercept():
        entmax_kernel[(5,)](x, o, 50, STEPS=25, BLOCK=64)
    assert_close(o.sum(1), torch.ones(5), 1e-4)
    support = o > 0
    # Inside the support, sqrt(p) - x / 2 is the same number for all, and outside it is larger.
    tau = (x.double() / 2 - o.double().sqrt()).masked_fill(~support, torch.nan)
    assert_close(tau.nan_to_num(-math.inf).amax(1), tau.nan_to_num(math.inf).amin(1), 1e-4)
    assert bool(
        (
            x[~support].double() / 2 <= tau.nan_to_num(-math.inf).amax(1, keepdim=True).expand(5, 50)[~support] + 1e-4
        ).all()
    )
