"""Kernels whose offsets of 32 bits wrap at sizes that are larger than those of a test, and correct twins."""

import torch
import triton
import triton.language as tl


@triton.jit
def by_rows(x, o, stride, n, B: tl.constexpr, WIDE: tl.constexpr):
    row = tl.program_id(0)
    if WIDE:
        row = row.to(tl.int64)
    i = tl.arange(0, B)
    tl.store(o + tl.program_id(0), tl.sum(tl.load(x + row * stride + i, mask=i < n, other=0), axis=0))


@triton.jit
def by_sums(x, o, stride, n, B: tl.constexpr):
    i = tl.program_id(0) * stride + tl.arange(0, B)
    tl.store(o + tl.program_id(0), tl.sum(tl.load(x + i, mask=tl.arange(0, B) < n, other=0), axis=0))


@triton.jit
def by_loop(x, o, rows, stride, n, B: tl.constexpr):
    i = tl.arange(0, B)
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        tl.store(o + row, tl.sum(tl.load(x + row * stride + i, mask=i < n, other=0), axis=0))


@triton.jit
def elementwise(x, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x + i, 1, mask=i < n)


@triton.jit
def by_index(x, index, o, stride, n, B: tl.constexpr):
    i = tl.arange(0, B)
    row = tl.load(index + tl.program_id(0))
    tl.store(o + tl.program_id(0), tl.sum(tl.load(x + row * stride + i, mask=i < n, other=0), axis=0))


@triton.jit
def along_y(x, o, stride, n, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(o + tl.program_id(1), tl.sum(tl.load(x + tl.program_id(1) * stride + i, mask=i < n, other=0), axis=0))


@triton.jit
def product(a, b, c, m, n, k, sa, sb, sc, B: tl.constexpr, GROUP: tl.constexpr):
    pid, tiles_n = tl.program_id(0), tl.cdiv(n, B)
    first = pid // (GROUP * tiles_n) * GROUP
    of_group = min(tl.cdiv(m, B) - first, GROUP)
    row = (first + pid % (GROUP * tiles_n) % of_group) * B + tl.arange(0, B)
    column = pid % (GROUP * tiles_n) // of_group * B + tl.arange(0, B)
    inner = tl.arange(0, B)
    acc = tl.zeros((B, B), dtype=tl.float32)
    for start in range(0, k, B):
        left = tl.load(a + (row % m)[:, None] * sa + start + inner[None, :], mask=start + inner[None, :] < k, other=0.0)
        right = tl.load(b + (start + inner[:, None]) * sb + column[None, :] % n, mask=start + inner[:, None] < k)
        acc = tl.dot(left, right, acc)
    mask = (row < m)[:, None] & (column < n)[None, :]
    tl.store(c + row.to(tl.int64)[:, None] * sc + column[None, :], acc, mask=mask)


@triton.jit
def by_sorted_rows(x, o, stride, B: tl.constexpr, INDEX: tl.constexpr):
    i = tl.arange(0, B)
    if INDEX:
        tl.store(o + i, tl.load(x + tl.sort(tl.load(x + tl.program_id(0) * stride + i)) * stride))
    else:
        tl.store(o + tl.program_id(0) * stride + i, tl.sort(tl.load(x + tl.program_id(0) * stride + i)))


def bytes_of(*shape):
    return torch.zeros(shape, dtype=torch.int8)


def rows(count=5, columns=4096, wide=False):
    x = bytes_of(count, columns)
    by_rows[(count,)](x, bytes_of(count), x.stride(0), columns, B=triton.next_power_of_2(columns), WIDE=wide)


def padded_rows():
    x = bytes_of(5, 1 << 20)[:, :10]
    by_rows[(5,)](x, bytes_of(5), x.stride(0), 10, B=16, WIDE=False)


def padded_sums():
    x = bytes_of(5, (1 << 20) - 1)[:, :10]
    by_sums[(5,)](x, bytes_of(5), x.stride(0), 10, B=16)


def wide_rows():
    rows(wide=True)


def sums(count=5, columns=3000):
    x = bytes_of(count, columns)
    by_sums[(count,)](x, bytes_of(count), x.stride(0), columns, B=triton.next_power_of_2(columns))


def loop(count=5, columns=4096):
    x = bytes_of(count, columns)
    by_loop[(3,)](x, bytes_of(count), count, x.stride(0), columns, B=columns)


def vector(n=5000):
    elementwise[(triton.cdiv(n, 1024),)](bytes_of(n), n, BLOCK=1024)


def index(count=5, columns=4096):
    x = bytes_of(count, columns)
    by_index[(7,)](x, torch.zeros(7, dtype=torch.int32), bytes_of(7), x.stride(0), columns, B=columns)


def second_side(count=5, columns=4096):
    x = bytes_of(count, columns)
    along_y[(1, count)](x, bytes_of(count), x.stride(0), columns, B=columns)


def products(m=100, n=72, k=40):
    a, b, c = torch.rand(m, k), torch.rand(k, n), torch.empty(m, n)
    grid = (triton.cdiv(m, 16) * triton.cdiv(n, 16),)
    product[grid](a, b, c, m, n, k, a.stride(0), b.stride(0), c.stride(0), B=16, GROUP=4)


def square_products():
    products(80, 80, 80)


def unequal_products():
    products(80, 80, 80)
    products(80, 64, 32)


def sorted_rows(block=64):
    x = bytes_of(5, 1 << 16)[:, :block]
    by_sorted_rows[(5,)](x, torch.empty_strided(x.shape, x.stride(), dtype=x.dtype), x.stride(0), B=block, INDEX=False)


def sorted_index():
    by_sorted_rows[(3,)](torch.zeros(5, 1 << 16, dtype=torch.int32), bytes_of(64), 1 << 16, B=64, INDEX=True)
