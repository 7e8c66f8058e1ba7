"""Promises about tiles and arguments that make a GPU reach other elements, and promises that hold or do no harm."""

import torch
import triton
import triton.language as tl


@triton.jit
def wrapped_copy(x, o, n, m, B: tl.constexpr, PROMISE: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    j = i % n
    if PROMISE:
        j = tl.max_contiguous(tl.multiple_of(j, B), B)
    tl.store(o + i, tl.load(x + j), mask=i < m)


@triton.jit
def shifted_store(x, o, shift, n, B: tl.constexpr, MULTIPLE: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    to = tl.max_contiguous(tl.multiple_of(i + shift, MULTIPLE), B)
    tl.store(o + to, tl.load(x + i, mask=i < n, other=0), mask=i < n)


@triton.jit
def strided_store(x, o, step, n, B: tl.constexpr):
    i = tl.arange(0, B)
    to = tl.max_contiguous(tl.multiple_of(i * step, B), B)
    tl.store(o + to, tl.load(x + i, mask=i < n, other=0), mask=i < n)


@triton.jit
def quarters(x, o, B: tl.constexpr, DIVIDE: tl.constexpr):
    i = tl.arange(0, B)
    at = tl.max_contiguous(tl.multiple_of(i // 4 * 4, 4), 4) if DIVIDE else tl.max_contiguous(tl.multiple_of(i, 4), 4)
    tl.store(o + i, tl.load(x + at))


@triton.jit
def steps(x, o, n, WIDTH: tl.constexpr, B: tl.constexpr):
    i = tl.arange(0, B)
    keep = tl.max_constancy(i < n, WIDTH)
    tl.store(o + i, tl.load(x + i, mask=keep, other=0), mask=keep)


@triton.jit
def product(a, b, c, m, n, k, B: tl.constexpr, CHUNK: tl.constexpr):
    row = tl.program_id(0) * B + tl.arange(0, B)
    column = tl.program_id(1) * B + tl.arange(0, B)
    rows = tl.max_contiguous(tl.multiple_of(row % m, B), B)
    columns = tl.max_contiguous(tl.multiple_of(tl.where(column < n, column, 0), B), B)
    inner = tl.arange(0, CHUNK)
    acc = tl.zeros((B, B), dtype=tl.float32)
    for start in range(0, k, CHUNK):
        keep = start + inner < k
        left = tl.load(a + rows[:, None] * k + start + inner[None, :], mask=keep[None, :], other=0.0)
        right = tl.load(b + (start + inner[:, None]) * n + columns[None, :], mask=keep[:, None], other=0.0)
        acc = tl.dot(left, right, acc)
    tl.store(c + row[:, None] * n + column[None, :], acc, mask=(row < m)[:, None] & (column < n)[None, :])


def copy(n, count, promise=True, dtype=torch.float32):
    x, o = torch.arange(n).to(dtype), torch.zeros(count, dtype=dtype)
    wrapped_copy[(triton.cdiv(count, 256),)](x, o, n, count, B=256, PROMISE=promise)


def store_shifted(shift, multiple, n=480):
    shifted_store[(triton.cdiv(n, 256),)](torch.ones(n), torch.zeros(n + shift), shift, n, B=256, MULTIPLE=multiple)


def store_strided(step):
    strided_store[(1,)](torch.ones(128), torch.zeros(128 * step), step, 128, B=128)


def gather(divisor):
    quarters[(1,)](torch.ones(128), torch.zeros(128), B=128, DIVIDE=divisor == 4)


def store_steps(n, width):
    steps[(1,)](torch.ones(128), torch.zeros(128), n, WIDTH=width, B=128)


def multiply(m, n, k, dtype=torch.float16):
    a, b, c = torch.rand(m, k).to(dtype), torch.rand(k, n).to(dtype), torch.zeros(m, n)
    product[(triton.cdiv(m, 32), triton.cdiv(n, 32))](a, b, c, m, n, k, B=32, CHUNK=16)


@triton.jit
def scaled(x, o, step, n, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(o + i, tl.load(x + i * step, mask=i < n, other=0), mask=i < n)


def compiled(launches):
    """Compile for aligned tensors, a step of 1 and n = 32; then launch what was compiled with other arguments."""
    x, o = torch.ones(200), torch.zeros(200)
    handle = scaled.warmup(x, o, 1, 32, B=32, grid=(1,))
    for begin, step, n in launches:
        handle[(1,)](x[begin:], o[begin:], step, n, 32)
