"""Programs, and lanes of one program, that store equal and different values to one place, and correct twins."""

import torch
import triton
import triton.language as tl


@triton.jit
def flag(out, n, DIFFERENT: tl.constexpr):
    p = tl.program_id(0)
    tl.store(out + tl.minimum(p, n), tl.where(DIFFERENT, p, 7).to(tl.float32))


@triton.jit
def count_up(out, DIFFERENT: tl.constexpr):
    for i in range(3):
        tl.store(out, i + DIFFERENT * tl.program_id(0))


@triton.jit
def halves(out, B: tl.constexpr, ADD: tl.constexpr):
    o = tl.arange(0, B)
    if tl.program_id(0) == 0:
        tl.store(out + o, o * 1.0)
    else:
        tl.store(out + B // 2 + o, (o + B // 2 + ADD) * 1.0)


@triton.jit
def scatter(index, x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    i = tl.load(index + o, mask=o < n, other=0)
    tl.store(out + i, tl.load(x + o, mask=o < n, other=0), mask=o < n)


@triton.jit
def scatter_add(index, x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    i = tl.load(index + o, mask=o < n, other=0)
    v = tl.load(x + o, mask=o < n, other=0)
    tl.store(out + i, tl.load(out + i, mask=o < n) + v, mask=o < n)


@triton.jit
def clamp(index, out, n, B: tl.constexpr):
    o = tl.arange(0, B)
    i = tl.load(index + o, mask=o < n, other=0)
    tl.store(out + i, tl.maximum(tl.load(out + i, mask=o < n), 1.0), mask=o < n)


@triton.jit
def halve_into(x, out, B: tl.constexpr):
    o = tl.arange(0, B) // 2
    tl.store(out + o, tl.load(x + o) + 1)


@triton.jit
def read_back(out):
    tl.store(out, tl.load(out) + 1.0)


@triton.jit
def overlapping_rows(out, STRIDE: tl.constexpr, B: tl.constexpr):
    i, j = tl.arange(0, B)[:, None], tl.arange(0, B)[None, :]
    tl.store(out + i * STRIDE + j, (i * STRIDE + j + 0.5 * (i == 3)))


@triton.jit
def broadcast_store(out, B: tl.constexpr):
    tl.store(out + tl.program_id(0) + tl.zeros((B,), tl.int32), 3.0)


def equal_updates():
    read_back[(4,)](torch.zeros(1))


def equal_flags():
    flag[(4,)](torch.zeros(4), 0, DIFFERENT=False)


def different_flags():
    flag[(4,)](torch.zeros(4), 0, DIFFERENT=True)


def own_flags():
    flag[(4,)](torch.zeros(4), 3, DIFFERENT=True)


def equal_in_the_end():
    count_up[(4,)](torch.zeros(1), DIFFERENT=0)


def different_in_the_end():
    count_up[(4,)](torch.zeros(1), DIFFERENT=1)


def equal_overlap():
    halves[(2,)](torch.zeros(24), B=16, ADD=0)


def different_overlap():
    halves[(2,)](torch.zeros(24), B=16, ADD=1)


def not_a_number():
    scatter[(2,)](torch.zeros(64, dtype=torch.int64), torch.full((64,), float("nan")), torch.zeros(4), 64, B=32)


def colliding_lanes():
    index, x = torch.tensor([0, 1, 1, 2, 2, 2, 3, 3]), torch.arange(8, dtype=torch.float16)
    scatter[(1,)](index, x, torch.zeros(4, dtype=torch.float16), 8, B=8)


def masked_lanes():
    index, x = torch.tensor([0, 1, 2, 3, 3, 3, 3, 3]), torch.arange(8.0)
    scatter[(1,)](index, x, torch.zeros(4), 4, B=8)


def equal_additions():
    index = torch.tensor([0, 1, 1, 2, 2, 2, 3, 3])
    scatter_add[(1,)](index, torch.ones(8), torch.zeros(4), 8, B=8)


def equal_clamps():
    clamp[(1,)](torch.tensor([0, 1, 1, 2, 2, 2, 3, 3]), torch.zeros(4), 8, B=8)


def additions_of_zero():
    index = torch.tensor([0, 1, 1, 2, 2, 2, 3, 3])
    scatter_add[(1,)](index, torch.zeros(8), torch.zeros(4), 8, B=8)


def equal_pairs_of_another_tensor():
    halve_into[(1,)](torch.zeros(8), torch.zeros(8), B=8)


def additions_to_places_of_their_own():
    scatter_add[(1,)](torch.randperm(8), torch.ones(8), torch.zeros(8), 8, B=8)


def permuted_lanes():
    scatter[(1,)](torch.randperm(64), torch.rand(64), torch.zeros(64), 64, B=64)


def equal_lanes():
    scatter[(1,)](torch.tensor([0, 1, 1, 2, 2, 2, 3, 3]), torch.ones(8), torch.zeros(4), 8, B=8)


def lanes_of_broadcast():
    broadcast_store[(4,)](torch.zeros(4), B=16)


def rows_apart():
    overlapping_rows[(1,)](torch.zeros(64), STRIDE=8, B=8)


def rows_overlap():
    overlapping_rows[(1,)](torch.zeros(64), STRIDE=4, B=8)
