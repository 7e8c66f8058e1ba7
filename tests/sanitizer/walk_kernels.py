"""Kernels that transpose, choose, part or discard on purpose; and loops over rows, and rows that may be none."""

import torch
import triton
import triton.language as tl


@triton.jit
def copy_transposed(x, o, s0, s1, B: tl.constexpr):
    i, j = tl.arange(0, B)[:, None], tl.arange(0, B)[None, :]
    tl.store(o + i * B + j, tl.load(x + i * s1 + j * s0))


@triton.jit
def add_its_mirror(x, o, B: tl.constexpr):
    i, j = tl.arange(0, B)[:, None], tl.arange(0, B)[None, :]
    tl.store(o + i * B + j, tl.load(x + i * B + j) + tl.load(x + j * B + i))


@triton.jit
def scores(q, k, o, D: tl.constexpr):
    i, d = tl.arange(0, D)[:, None], tl.arange(0, D)[None, :]
    keys = tl.load(k + tl.arange(0, D)[None, :] * D + tl.arange(0, D)[:, None])
    tl.store(o + i * D + d, tl.dot(tl.load(q + i * D + d), keys))


@triton.jit
def double(x, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(o + i, 2 * tl.load(x + i, mask=i < n), mask=i < n)


@triton.jit
def block_sums(x, o, B: tl.constexpr):
    r, c = tl.program_id(0), tl.arange(0, B)
    tl.store(o + r, tl.sum(tl.load(x + r * B + c), axis=0))


@triton.jit
def first_columns(x, o, n, stride, B: tl.constexpr):
    r, c = tl.program_id(0), tl.arange(0, B)
    tl.store(o + r * B + c, tl.load(x + r * stride + c, mask=c < n))


@triton.jit
def walked(x, o, n, stride, B: tl.constexpr):
    r, total = tl.program_id(0), tl.zeros((B,), tl.float32)
    place = x + r * stride + tl.arange(0, B)
    for _ in range(n // B):
        total += tl.load(place)
        place += B
    tl.store(o + r, tl.sum(total, axis=0))


@triton.jit
def picked(x, y, o, stride):
    r = tl.program_id(0)
    label = tl.load(y + r)
    logit = tl.load(x + r * stride + label)
    tl.store(o + r, tl.where(label < 0, 0.0, logit))


@triton.jit
def picked_if(x, y, o, stride):
    r = tl.program_id(0)
    label = tl.load(y + r)
    if label != -100:
        tl.store(o + r, tl.load(x + r * stride + label))


@triton.jit
def picked_in_turn(x, y, o, stride, rows):
    for r in range(tl.program_id(0), rows, tl.num_programs(0)):
        tl.store(o + r, tl.load(x + r * stride + tl.load(y + r)))


@triton.jit
def flat_gather(x, index, o, n):
    r, j = tl.program_id(0), tl.arange(0, 4)
    i = tl.load(index + r * 4 + j)
    tl.store(o + r * 4 + j, tl.load(x + i * n))


@triton.jit
def windows(x, o, hop, B: tl.constexpr):
    r, c = tl.program_id(0), tl.arange(0, B)
    tl.store(o + r * B + c, tl.load(x + r * hop + c))


@triton.jit
def strided_copy(x, o, s0, s1, B: tl.constexpr):
    r, c = tl.program_id(0), tl.arange(0, B)
    tl.store(o + r * B + c, tl.load(x + r * s0 + c * s1))


@triton.jit
def every_other(x, index, o):
    r = tl.program_id(0)
    tl.store(o + r, tl.load(x + 2 * tl.load(index + r)))


def transposed_on_purpose():
    x = torch.rand(16, 16)
    copy_transposed[(1,)](x, torch.empty(16, 16), *x.stride(), B=16)


def both_ways():
    add_its_mirror[(1,)](torch.rand(16, 16), torch.empty(16, 16), B=16)


def keys_transposed():
    scores[(1,)](torch.rand(16, 16), torch.rand(16, 16), torch.empty(16, 16), D=16)


def flat_with_equal_strides():
    x = torch.rand(24, 16).t()
    double[(6,)](x, torch.empty_like(x), x.numel(), B=64)


def blocks_of_a_view():
    block_sums[(24,)](torch.rand(16, 24).t(), torch.empty(24), B=16)


def blocks_of_a_packed_tensor():
    block_sums[(24,)](torch.rand(24, 16), torch.empty(24), B=16)


def columns_by_a_mask():
    x = torch.rand(4, 24)
    first_columns[(4,)](x, torch.empty(4, 16), 16, x.stride(0), B=16)


def columns_of_one_block():
    x = torch.rand(4, 40)
    first_columns[(4,)](x, torch.empty(4, 16), 20, x.stride(0), B=16)


def loop_to_the_end():
    x = torch.rand(4, 64)
    walked[(4,)](x, torch.empty(4), 64, x.stride(0), B=16)


def loop_by_pointers():
    x = torch.rand(4, 70)
    walked[(4,)](x, torch.empty(4), 70, x.stride(0), B=16)


def labels(kernel, label, *more, programs=4):
    x, y = torch.rand(4, 10), torch.tensor([3, 0, label, 9])
    kernel[(programs,)](x, y, torch.zeros(4), x.stride(0), *more)


def ignored_label_dropped():
    labels(picked, -1)


def ignored_label_skipped():
    labels(picked_if, -100)


def other_label_not_skipped():
    labels(picked_if, -1)


def offsets_from_the_row():
    x, jumps = torch.rand(6, 8), torch.tensor([8, 16, 3, 0, 1, -8])
    picked_if[(6,)](x, jumps, torch.zeros(6), 8)


def label_of_the_next_row():
    labels(picked_in_turn, 10, 4, programs=2)


def rows_by_index():
    flat_gather[(4,)](torch.rand(4, 10), torch.zeros(4, 4, dtype=torch.int64) + 3, torch.empty(4, 4), 10)


def overlapping_windows():
    windows[(8,)](torch.rand(9, 8), torch.empty(8, 16), 8, B=16)


def expanded_by_its_strides():
    x = torch.rand(16).expand(4, 16)
    strided_copy[(4,)](x, torch.empty(4, 16), *x.stride(), B=16)


def slice_by_its_strides():
    x = torch.rand(16, 4, 3)[:, :, 1].t()
    strided_copy[(4,)](x, torch.empty(4, 16), *x.stride(), B=16)


def index_of_pairs():
    every_other[(3,)](torch.rand(4, 10), torch.tensor([3, 0, 19]), torch.empty(3))
