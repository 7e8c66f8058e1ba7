"""Integers that wrap, divisions by zero, shifts and casts out of range, and correct twins."""

import torch
import triton
import triton.language as tl


@triton.jit
def row_copy(x, o, stride, B: tl.constexpr, WIDE: tl.constexpr):
    row = tl.program_id(0) * 70000
    if WIDE:
        row = row.to(tl.int64)
    i = tl.arange(0, B)
    tl.store(o + tl.program_id(0) * B + i, tl.load(x + row * stride + i))


@triton.jit
def row_copy_masked(x, o, stride, rows, B: tl.constexpr):
    row = tl.program_id(0) * 70000
    i = tl.arange(0, B)
    keep = (i < B) & (row < rows)
    tl.store(o + tl.program_id(0) * B + i, tl.load(x + row * stride + i, mask=keep, other=0))


@triton.jit
def wraps_back(x, o, i, stride):
    tl.store(o + tl.program_id(0), tl.load(x + (i * stride + tl.program_id(0))))


@triton.jit
def hashed(keys, table, n, size, B: tl.constexpr):
    i = tl.arange(0, B)
    h = tl.load(keys + i, mask=i < n, other=0) * 1640531527
    h = (h ^ (h >> 15)) * 1028477387
    tl.atomic_add(table + (h & (size - 1)), 1, mask=i < n)


@triton.jit
def dropout(x, o, seed, n, B: tl.constexpr):
    i = tl.arange(0, B)
    keep = tl.rand(seed, i) > 0.5
    tl.store(o + i, tl.where(keep, tl.load(x + i, mask=i < n), 0.0), mask=i < n)


@triton.jit
def divided(a, b, o, n, B: tl.constexpr, REST: tl.constexpr, GUARD: tl.constexpr):
    i = tl.arange(0, B)
    x, y = tl.load(a + i, mask=i < n, other=0), tl.load(b + i, mask=i < n, other=0)
    q = x % y if REST else x // y
    tl.store(o + i, tl.where(y == 0, -1, q) if GUARD else q, mask=i < n)


@triton.jit
def divided_scalars(o, x, y, REST: tl.constexpr):
    tl.store(o, x % y if REST else x // y)


@triton.jit
def shifted(a, by, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(o + i, tl.load(a + i, mask=i < n) << tl.load(by + i, mask=i < n, other=0), mask=i < n)


@triton.jit
def whole(x, o, n, B: tl.constexpr, CLAMP: tl.constexpr):
    i = tl.arange(0, B)
    v = tl.load(x + i, mask=i < n, other=float("-inf"))
    if CLAMP:
        v = tl.minimum(tl.maximum(v, -128.0), 127.0)
    tl.store(o + i, v.to(tl.int8), mask=i < n)


@triton.jit
def promised(x, o, n, stride, B: tl.constexpr):
    tl.assume(n > 100)
    row = tl.multiple_of(tl.program_id(0) * stride, 16)
    i = row + tl.arange(0, B)
    tl.store(o + i, tl.load(x + i, mask=i < n, other=0.0), mask=i < n)


def false_assumption():
    promised[(3,)](torch.ones(100), torch.zeros(100), 100, 32, B=32)


def false_multiple():
    promised[(3,)](torch.ones(101), torch.zeros(101), 101, 40, B=32)


def kept_promises():
    promised[(3,)](torch.ones(101), torch.zeros(101), 101, 32, B=32)


def offset_wraps_into_bounds():
    wraps_back[(2,)](torch.ones(64), torch.empty(2), 1 << 16, 1 << 16)


def offset_fits():
    wraps_back[(2,)](torch.ones(1 << 16), torch.empty(2), 1 << 7, 1 << 8)


def offset_wraps():
    row_copy[(2,)](torch.zeros(64), torch.empty(128), 70000, B=64, WIDE=False)


def offset_is_masked():
    row_copy_masked[(2,)](torch.zeros(64), torch.empty(128), 70000, 1, B=64)


def hash_table():
    hashed[(1,)](torch.arange(50, dtype=torch.int32), torch.zeros(64, dtype=torch.int32), 50, 64, B=64)


def random_numbers():
    dropout[(1,)](torch.ones(50), torch.empty(50), 123, 50, B=64)


def _operands(zero: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    b = torch.ones(50, dtype=torch.int32)
    b[7] = zero
    return torch.arange(50, dtype=torch.int32), b, torch.full((50,), 99, dtype=torch.int32)


def quotient_by_zero():
    a, b, o = _operands(0)
    divided[(1,)](a, b, o, 50, B=64, REST=False, GUARD=False)
    return o


def remainder_by_zero():
    a, b, o = _operands(0)
    divided[(1,)](a, b, o, 50, B=64, REST=True, GUARD=False)
    return o


def scalar_by_zero(rest: bool):
    o = torch.full((1,), 99, dtype=torch.int32)
    divided_scalars[(1,)](o, 7, 0, REST=rest)
    return o


def scalar_remainder_by_zero():
    return scalar_by_zero(True)


def guarded_quotient():
    a, b, o = _operands(0)
    divided[(1,)](a, b, o, 50, B=64, REST=False, GUARD=True)


def quotient_by_ones():
    a, b, o = _operands(1)
    divided[(1,)](a, b, o, 50, B=64, REST=False, GUARD=False)


def shift_too_far():
    a, by, o = _operands(40)
    shifted[(1,)](a, by, o, 50, B=64)


def shift_in_range():
    a, by, o = _operands(31)
    shifted[(1,)](a, by, o, 50, B=64)


def cast_out_of_range():
    x = torch.linspace(-100, 100, 50)
    x[3] = 300
    x[4] = float("nan")
    whole[(1,)](x, torch.empty(50, dtype=torch.int8), 50, B=64, CLAMP=False)


def cast_of_clamped():
    x = torch.linspace(-300, 300, 50)
    whole[(1,)](x, torch.empty(50, dtype=torch.int8), 50, B=64, CLAMP=True)


def cast_in_range():
    whole[(1,)](torch.linspace(-128.9, 127.9, 50), torch.empty(50, dtype=torch.int8), 50, B=64, CLAMP=False)
