"""Masked loads without `other` whose undefined lanes reach a result, and correct twins that mask them again."""

import torch
import triton
import triton.language as tl


@triton.jit
def row_sum(x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(o + tl.program_id(0), tl.sum(tl.load(x + tl.program_id(0) * n + i, mask=i < n), axis=0))


@triton.jit
def row_sum_guarded(x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    a = tl.load(x + tl.program_id(0) * n + i, mask=i < n)
    tl.store(o + tl.program_id(0), tl.sum(tl.where(i < n, a, 0.0), axis=0))


@triton.jit
def doubled(x, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(o + i, 2 * tl.load(x + i, mask=i < n), mask=i < n)


@triton.jit
def gathered(x, index, o, n, B: tl.constexpr, GUARD: tl.constexpr):
    i = tl.arange(0, B)
    at = tl.load(index + i, mask=i < n)
    v = tl.load(x + at, mask=i < n, other=0.0) if GUARD else tl.load(x + at)
    tl.store(o + i, v, mask=i < n)


@triton.jit
def branching(x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    a = tl.load(x + i, mask=i < n)
    if tl.max(a, axis=0) > 0:
        tl.store(o, 1.0)


@triton.jit
def loop_total(x, o, n, B: tl.constexpr, GUARD: tl.constexpr):
    total = tl.zeros((B,), tl.float32)
    for start in range(0, n, B):
        i = start + tl.arange(0, B)
        a = tl.load(x + i, mask=i < n)
        total += tl.where(i < n, a, 0.0) if GUARD else a
    tl.store(o, tl.sum(total, axis=0))


@triton.jit
def product(a, b, o, K, B: tl.constexpr, GUARD: tl.constexpr):
    i, k = tl.arange(0, B), tl.arange(0, B)
    x = tl.load(a + i[:, None] * K + k[None, :], mask=k[None, :] < K)
    if GUARD:
        x = tl.where(k[None, :] < K, x, 0.0)
    y = tl.load(b + k[:, None] * B + i[None, :], mask=k[:, None] < K, other=0.0)
    tl.store(o + i[:, None] * B + i[None, :], tl.dot(x, y, input_precision="ieee"))


@triton.jit
def masked_by_data(index, x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    at = tl.load(index + i, mask=i < n)
    valid = (i < n) & (at >= 0)
    tl.store(o + i, tl.load(x + at, mask=valid), mask=valid)


@triton.jit
def running(x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(o + i, tl.cumsum(tl.load(x + i, mask=i < n), axis=0), mask=i < n)


@triton.jit
def returns_early(x, o, n, B: tl.constexpr):
    if tl.program_id(0) > 1:
        return
    i = tl.arange(0, B)
    a = tl.load(x + i, mask=i < n)
    tl.store(o + tl.program_id(0), tl.max(a, axis=0))


def sum_of_undefined():
    row_sum[(3,)](torch.ones(3, 50), torch.empty(3), 50, B=64)


def sum_of_whole_rows():
    row_sum[(3,)](torch.ones(3, 64), torch.empty(3), 64, B=64)


def guarded_sum():
    row_sum_guarded[(3,)](torch.ones(3, 50), torch.empty(3), 50, B=64)


def masked_store():
    doubled[(4,)](torch.ones(100), torch.empty(100), 100, B=32)


def undefined_address():
    gathered[(1,)](torch.ones(64), torch.arange(50), torch.empty(50), 50, B=64, GUARD=False)


def guarded_address():
    gathered[(1,)](torch.ones(64), torch.arange(50), torch.empty(50), 50, B=64, GUARD=True)


def undefined_condition():
    branching[(1,)](torch.ones(50), torch.zeros(1), 50, B=64)


def undefined_in_a_loop():
    loop_total[(1,)](torch.ones(100), torch.zeros(1), 100, B=32, GUARD=False)


def guarded_in_a_loop():
    loop_total[(1,)](torch.ones(100), torch.zeros(1), 100, B=32, GUARD=True)


def undefined_product():
    product[(1,)](torch.ones(16, 10), torch.ones(10, 16), torch.empty(16, 16), 10, B=16, GUARD=False)


def guarded_product():
    product[(1,)](torch.ones(16, 10), torch.ones(10, 16), torch.empty(16, 16), 10, B=16, GUARD=True)


def mask_of_data():
    masked_by_data[(1,)](torch.arange(50), torch.ones(50), torch.empty(50), 50, B=64)


def running_sum():
    running[(1,)](torch.ones(50), torch.empty(50), 50, B=64)


def undefined_after_early_return():
    returns_early[(3,)](torch.ones(50), torch.empty(2), 50, B=64)


@triton.jit
def moved(x, o, n, HOW: tl.constexpr, GUARD: tl.constexpr, B: tl.constexpr):
    i = tl.arange(0, B)
    v = tl.load(x + i, mask=i < n)
    if HOW == "gather":
        tl.store(o + i, tl.gather(v, B - 1 - i, 0), mask=(i >= B - n) | (not GUARD))
    elif HOW == "flip":
        tl.store(o + i, tl.flip(v, 0), mask=(i >= B - n) | (not GUARD))
    elif GUARD:
        tl.store(o + i, tl.histogram(v, B, mask=i < n))
    else:
        tl.store(o + i, tl.histogram(v, B))


def moving(how, guard):
    moved[(1,)](torch.ones(20, dtype=torch.int32), torch.zeros(32, dtype=torch.int32), 20, HOW=how, GUARD=guard, B=32)
