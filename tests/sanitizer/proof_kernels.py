"""Small kernels for proofs: right ones, and the same with a fault that the sizes of a launch need not show."""

import torch
import triton
import triton.language as tl


@triton.jit
def add(x_ptr, out_ptr, n, BLOCK: tl.constexpr, MASKED: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    if MASKED:
        x = tl.load(x_ptr + offsets, mask=offsets < n)
        tl.store(out_ptr + offsets, x + 1, mask=offsets < n)
    else:
        x = tl.load(x_ptr + offsets)
        tl.store(out_ptr + offsets, x + 1)


@triton.jit
def affine(x_ptr, out_ptr, n, SCALE: tl.constexpr, SHIFT: tl.constexpr, MORE: tl.constexpr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets * SCALE + SHIFT, mask=offsets < n + MORE)
    tl.store(out_ptr + offsets, x, mask=offsets < n)


@triton.jit
def affine_2d(x_ptr, out_ptr, m, n, stride, MORE: tl.constexpr, SWAPPED: tl.constexpr, BM: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * 4 + tl.arange(0, 4)
    inside = (rows[:, None] < m + MORE) & (columns[None, :] < n)
    x = tl.load(x_ptr + rows[:, None] * stride + columns[None, :], mask=inside, other=0.0)
    if SWAPPED:
        tl.store(out_ptr + columns[None, :] * n + rows[:, None], x, mask=inside)
    else:
        tl.store(out_ptr + rows[:, None] * n + columns[None, :], x, mask=inside)


@triton.jit
def softmax(x_ptr, out_ptr, stride, columns, BLOCK: tl.constexpr):
    row, column = tl.program_id(0), tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * stride + column, mask=column < columns, other=-float("inf"))
    numerator = tl.exp(x - tl.max(x, axis=0))
    tl.store(out_ptr + row * stride + column, numerator / tl.sum(numerator, axis=0), mask=column < columns)


@triton.jit
def row_sums(x_ptr, out_ptr, rows, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    places = x_ptr + row * columns + tl.arange(0, BLOCK)
    for start in range(0, columns, BLOCK):
        total += tl.load(places, mask=start + tl.arange(0, BLOCK) < columns, other=0.0)
        places += BLOCK
    tl.store(out_ptr + row, tl.sum(total, axis=0))


@triton.jit
def one_sum(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n, other=0.0)
    tl.store(out_ptr, tl.sum(x, axis=0))


@triton.jit
def gather(x_ptr, index_ptr, out_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    index = tl.load(index_ptr + offsets, mask=offsets < n, other=0)
    x = tl.load(x_ptr + index, mask=offsets < n)
    tl.store(out_ptr + offsets, x, mask=offsets < n)


def run_add(masked, n=32, block=16):
    x = torch.rand(n)
    add[(triton.cdiv(n, block),)](x, torch.empty_like(x), n, BLOCK=block, MASKED=masked)


def run_affine(n, scale, shift, more, block):
    x = torch.rand(n)
    out = torch.empty_like(x)
    affine[(triton.cdiv(n, block),)](x, out, n, SCALE=scale, SHIFT=shift, MORE=more, BLOCK=block)


def run_affine_2d(m, n, more, swapped, bm):
    x = torch.rand(m, n + 3)[:, :n]
    grid = (triton.cdiv(m, bm), triton.cdiv(n, 4))
    affine_2d[grid](x, torch.empty(m, n), m, n, x.stride(0), MORE=more, SWAPPED=swapped, BM=bm)


def run_softmax(rows=6, columns=11):
    x = torch.rand(rows, columns)
    softmax[(rows,)](x, torch.empty_like(x), x.stride(0), columns, BLOCK=16)


def run_row_sums(rows=5, columns=37):
    row_sums[(rows,)](torch.rand(rows, columns), torch.empty(rows), rows, columns, BLOCK=16)


def run_one_sum(n=50):
    one_sum[(triton.cdiv(n, 16),)](torch.rand(n), torch.empty(1), n, BLOCK=16)


def run_gather(n=50):
    gather[(triton.cdiv(n, 16),)](torch.rand(70), torch.zeros(n, dtype=torch.int32), torch.empty(n), n, BLOCK=16)


@triton.jit
def sort(x_ptr, out_ptr, n, BLOCK: tl.constexpr, AS_INDEX: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.sort(tl.load(x_ptr + offsets, mask=offsets < n, other=0))
    tl.store(out_ptr + (x if AS_INDEX else offsets), x, mask=offsets < n)


def run_sort(as_index, n=100):
    x = torch.arange(n, dtype=torch.int32)
    sort[(triton.cdiv(n, 64),)](x, torch.zeros_like(x), n, BLOCK=64, AS_INDEX=as_index)


@triton.jit
def steps(x_ptr, out_ptr, n, STEPS: tl.constexpr):
    offsets = tl.program_id(0) * 16 + tl.arange(0, 16)
    index = offsets
    for _ in tl.static_range(STEPS):
        index = (index * 3 + 1) // 2
    tl.store(out_ptr + index, tl.load(x_ptr + offsets, mask=offsets < n), mask=index < n)


def run_steps(count, n=50):
    steps[(triton.cdiv(n, 16),)](torch.zeros(n), torch.zeros(n), n, STEPS=count)


@triton.jit
def normalized_heads(x_ptr, y_ptr, row, D: tl.constexpr):
    r, d = tl.program_id(0), tl.arange(0, D)
    x = tl.load(x_ptr + r * row + d)
    tl.store(y_ptr + r * row + d, x * tl.rsqrt(tl.sum(x * x) / D + 1e-6))


def run_normalized_heads():
    """The row's stride is no dimension, though it equals one: nothing is compared with it."""
    for rows in (5, 9):
        x = torch.rand(rows, 32)
        normalized_heads[(rows,)](x, torch.empty_like(x), x.stride(0), D=32)


@triton.jit
def copied_tiles(x_ptr, y_ptr, x_row, y_row, M, N, B: tl.constexpr):
    m = tl.program_id(0) * B + tl.arange(0, B)[:, None]
    n = tl.program_id(1) * B + tl.arange(0, B)[None, :]
    inside = (m < M) & (n < N)
    tl.store(y_ptr + m * y_row + n, tl.load(x_ptr + m * x_row + n, mask=inside), mask=inside)


def run_copied_tiles():
    for rows, columns in ((20, 33), (37, 50)):
        x = torch.rand(rows, columns + 7)[:, :columns]
        grid = (triton.cdiv(rows, 16), triton.cdiv(columns, 16))
        copied_tiles[grid](x, torch.empty(rows, columns), x.stride(0), columns, rows, columns, B=16)
