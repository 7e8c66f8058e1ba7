"""Kernels that stay inside the tensor they get, and their twins that leave it or ignore its strides."""

import torch
import triton
import triton.language as tl


@triton.jit
def copy(x, o, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(o + i, tl.load(x + i))


@triton.jit
def copy_masked(x, o, n, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(o + i, tl.load(x + i, mask=i < n, other=0.0))


@triton.jit
def row_sums(x, o, n_cols, stride, B: tl.constexpr):
    r = tl.program_id(0)
    c = tl.arange(0, B)
    tl.store(o + r, tl.sum(tl.load(x + r * stride + c, mask=c < n_cols, other=0.0), axis=0))


@triton.jit
def strided_row_sums(x, o, n_cols, stride, column_stride, B: tl.constexpr):
    r = tl.program_id(0)
    c = tl.arange(0, B)
    tl.store(o + r, tl.sum(tl.load(x + r * stride + c * column_stride, mask=c < n_cols, other=0.0), axis=0))


@triton.jit
def row_sums_before(x, o, n_cols, stride, B: tl.constexpr):
    r = tl.program_id(0)
    c = tl.arange(0, B)
    tl.store(o + r, tl.sum(tl.load(x + r * stride + c - 1, mask=c < n_cols, other=0.0), axis=0))


@triton.jit
def double(x, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(o + i, 2 * tl.load(x + i, mask=i < n), mask=i < n)


def flat_slice():
    flat = torch.zeros(128)
    copy[(1,)](flat[:48], torch.zeros(64), N=64)


def flat_slice_masked():
    flat = torch.zeros(128)
    copy_masked[(1,)](flat[:48], torch.zeros(64), 48, N=64)


def _columns(stride, kernel=row_sums, first=16):
    qkv = torch.arange(4 * 48.0).reshape(4, 48)
    kernel[(4,)](qkv[:, first : first + 16], torch.zeros(4), 16, stride, B=16)


def columns():
    _columns(48)


def columns_as_packed():
    _columns(16)


def columns_before():
    _columns(48, row_sums_before)


def columns_too_many():
    qkv = torch.arange(4 * 48.0).reshape(4, 48)
    row_sums[(4,)](qkv[:, 16:32], torch.zeros(4), 20, 48, B=32)


def into_the_neighbour():
    both = torch.zeros(96)
    copy[(1,)](torch.ones(64), both[:48], N=64)


def into_the_other_argument():
    both = torch.zeros(96)
    copy[(1,)](both[48:], both[:48], N=64)


@triton.jit
def gather_rows(x_ptr, index_ptr, o_ptr, n, B: tl.constexpr):
    row, column = tl.program_id(0), tl.arange(0, B)
    source = tl.load(index_ptr + row)
    tl.store(o_ptr + row * n + column, tl.load(x_ptr + source * n + column, mask=column < n), mask=column < n)


def plain_pointer():
    flat = torch.zeros(128)
    copy[(1,)](flat[32], torch.zeros(64), N=64)


def transposed():
    x = torch.arange(48.0).reshape(6, 8).t()
    strided_row_sums[(8,)](x, torch.zeros(8), 6, *x.stride(), B=8)


def transposed_as_packed():
    x = torch.arange(48.0).reshape(6, 8).t()
    row_sums[(8,)](x, torch.zeros(8), 6, 6, B=8)


def elementwise_transposed():
    x = torch.randn(64, 40).t()
    double[(10,)](x, torch.empty_like(x), x.numel(), B=256)


def elementwise_transposed_to_packed():
    x = torch.randn(64, 40).t()
    double[(10,)](x, torch.zeros(40, 64), x.numel(), B=256)


def square_transpose():
    x = torch.randn(8, 8)
    strided_row_sums[(8,)](x.t(), torch.zeros(8), 8, 1, 8, B=16)


def expanded():
    x = torch.ones(()).expand(1000)
    double[(4,)](x.contiguous(), torch.zeros(1000), 1000, B=256)


def expanded_as_packed():
    x = torch.ones(()).expand(1000)
    double[(4,)](x, torch.zeros(1000), 1000, B=256)


def expanded_as_origin():
    """A gather: the axis of the index has stride 0, and the index is multiplied by the stride before."""
    x = torch.randn(8, 100)
    index = torch.tensor([7, 5, 6, 4])
    gather_rows[(4,)](x.as_strided((4, 100), (0, 1)), index, torch.zeros(4, 100), 100, B=128)
