"""Kernels that read and write memory made without values, and their correct twins."""

import torch
import triton
import triton.language as tl


@triton.jit
def total(x, t, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(t, tl.sum(tl.load(x + i, mask=i < n, other=0.0), axis=0))


@triton.jit
def add_to(x, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(o + i, tl.load(o + i, mask=i < n) + tl.load(x + i, mask=i < n), mask=i < n)


@triton.jit
def double(x, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(o + i, 2 * tl.load(x + i, mask=i < n), mask=i < n)


@triton.jit
def through_workspace(x, w, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(w + i, tl.load(x + i, mask=i < n), mask=i < n)
    tl.debug_barrier()
    tl.store(o + i, tl.load(w + i, mask=i < n), mask=i < n)


@triton.jit
def last_sums(x, part, counter, o, n, G: tl.constexpr, B: tl.constexpr):
    p = tl.program_id(0)
    i = p * B + tl.arange(0, B)
    tl.store(part + p, tl.sum(tl.load(x + i, mask=i < n, other=0.0), axis=0))
    tl.debug_barrier()
    if tl.atomic_add(counter, 1) == G - 1:
        tl.store(o, tl.sum(tl.load(part + tl.arange(0, G)), axis=0))


def total_of_empty():
    t = torch.empty(1)
    total[(4,)](torch.ones(1000), t, 1000, B=256)


def total_of_zeros():
    t = torch.zeros(1)
    total[(4,)](torch.ones(1000), t, 1000, B=256)


def total_of_filled():
    t = torch.empty(3)
    t[:1].fill_(0)
    total[(4,)](torch.ones(1000), t, 1000, B=256)


def total_of_numpy():
    t = torch.empty(1)
    t.numpy()[0] = 0
    total[(4,)](torch.ones(1000), t, 1000, B=256)


def total_of_data():
    t = torch.empty(1)
    t.data.zero_()
    total[(4,)](torch.ones(1000), t, 1000, B=256)


def accumulator():
    o = torch.empty(1000)
    add_to[(4,)](torch.ones(1000), o, 1000, B=256)


def accumulator_after_kernel():
    x, o = torch.ones(1000), torch.empty(1000)
    double[(4,)](x, o, 1000, B=256)
    add_to[(4,)](x, o, 1000, B=256)


def accumulator_after_half():
    x, o = torch.ones(1000), torch.empty_like(torch.ones(1000))
    double[(2,)](x, o, 1000, B=256)
    add_to[(4,)](x, o, 1000, B=256)


def grid_too_small():
    o = torch.empty(1000)
    double[(1000 // 256,)](torch.ones(1000), o, 1000, B=256)
    return o


def grid_too_small_but_filled_later():
    o = torch.empty(1000)
    double[(1000 // 256,)](torch.ones(1000), o, 1000, B=256)
    o[768:] = 0
    return o


def spare_room():
    o = torch.empty(1024)
    double[(4,)](torch.ones(1000), o, 1000, B=256)
    return o[:1000]


def whole_grid():
    o = torch.empty(1000)
    double[(4,)](torch.ones(1000), o, 1000, B=256)
    return o


def two_halves():
    o = torch.empty(1000)
    double[(2,)](torch.ones(512), o, 512, B=256)
    double[(2,)](torch.ones(488), o[512:], 488, B=256)
    return o


def workspace():
    x, w, o = torch.ones(1000), torch.empty(2000), torch.empty(1000)
    through_workspace[(4,)](x, w, o, 1000, B=256)


def last_block():
    part, counter, o = torch.empty(4), torch.zeros(1, dtype=torch.int32), torch.empty(1)
    last_sums[(4,)](torch.ones(1000), part, counter, o, 1000, G=4, B=256)


@triton.jit
def lower_triangle(x, w, n: tl.constexpr):
    i = tl.arange(0, n)
    place = i[:, None] * n + i[None, :]
    tl.store(w + place, tl.load(x + place), mask=i[:, None] >= i[None, :])


@triton.jit
def sum_of_lower_triangle(w, o, n: tl.constexpr, MASKED: tl.constexpr):
    i = tl.arange(0, n)
    values = tl.load(w + i[:, None] * n + i[None, :])
    if MASKED:
        values = tl.where(i[:, None] >= i[None, :], values, 0.0)
    tl.store(o + i, tl.sum(values, axis=1))


def triangle(masked):
    w, o = torch.empty(16, 16), torch.empty(16)
    lower_triangle[(1,)](torch.ones(16, 16), w, 16)
    sum_of_lower_triangle[(1,)](w, o, 16, masked)


def triangle_that_is_masked_again():
    triangle(True)


def triangle_with_what_nobody_wrote():
    triangle(False)


@triton.jit
def positive_ones(x, o, counter, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    values = tl.load(x + i, mask=i < n, other=0)
    place = tl.atomic_add(counter + tl.zeros_like(i), 1, mask=values > 0)
    tl.store(o + place, values, mask=values > 0)


def output_of_a_size_that_depends_on_data():
    x, o = torch.linspace(-1, 2, 64), torch.empty(64)
    positive_ones[(4,)](x, o, torch.zeros(1, dtype=torch.int32), 64, 16)
