"""Autotuned kernels whose configurations give one result, or not."""

import torch
import triton
import triton.language as tl

BLOCKS = [triton.Config({"B": block}, num_stages=stages) for block in (32, 64) for stages in (1, 2)]
CDIV = lambda meta: (triton.cdiv(1000, meta["B"]),)  # noqa: E731


@triton.jit
def double(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + o, 2 * tl.load(x + o, mask=o < n), mask=o < n)


@triton.jit
def row_sum(x, out, n, B: tl.constexpr):
    row, total = tl.program_id(0), tl.zeros((B,), tl.float32)
    for first in range(0, n, B):
        o = first + tl.arange(0, B)
        total += tl.load(x + row * n + o, mask=o < n, other=0.0)
    tl.store(out + row, tl.sum(total, axis=0))


@triton.jit
def row_sum_without_mask(x, out, n, B: tl.constexpr):
    row, total = tl.program_id(0), tl.zeros((B,), tl.float32)
    for first in range(0, n, B):
        total += tl.load(x + row * n + first + tl.arange(0, B))
    tl.store(out + row, tl.sum(total, axis=0))


@triton.jit
def overwritten_sum(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out, tl.sum(tl.load(x + o, mask=o < n, other=0.0), axis=0))


@triton.jit
def atomic_sum(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(out, tl.sum(tl.load(x + o, mask=o < n, other=0.0), axis=0))


@triton.jit
def parts_of_a_sum(x, out, done, n, B: tl.constexpr):
    p = tl.program_id(0)
    o = p * B + tl.arange(0, B)
    tl.store(out + p, tl.sum(tl.load(x + o, mask=o < n, other=0.0), axis=0))
    tl.atomic_add(done, 1)


@triton.jit
def largest_of_a_part(x, out, n, P: tl.constexpr, B: tl.constexpr):
    p, top = tl.program_id(0), tl.full((B,), -1.0, tl.float32)
    for first in range(p * B, n, P * B):
        o = first + tl.arange(0, B)
        top = tl.maximum(top, tl.load(x + o, mask=o < n, other=-1.0))
    tl.store(out + p, tl.max(top, axis=0))


@triton.jit
def largest(x, out, P: tl.constexpr):
    tl.store(out, tl.max(tl.load(x + tl.arange(0, P)), axis=0))


@triton.jit
def noise(out, n, SEED: tl.constexpr, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + o, tl.rand(SEED, o), mask=o < n)


@triton.jit
def noise_by_tile(out, n, SEED: tl.constexpr, B: tl.constexpr):
    o = tl.arange(0, B)
    tl.store(out + tl.program_id(0) * B + o, tl.rand(SEED + tl.program_id(0), o), mask=tl.program_id(0) * B + o < n)


@triton.jit
def halves(a, b, n, B: tl.constexpr):
    if tl.program_id(0) == 0:
        tl.store(a + tl.arange(0, 64), 0.0)
        tl.store(b + tl.arange(0, 64), 1.0 * B)


def tuned(kernel, **options):
    return triton.autotune(configs=BLOCKS, key=[], **options)(kernel)


def values(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def grid_of_the_configuration():
    tuned(double)[CDIV](values(1000), torch.empty(1000), 1000)


def grid_of_a_fixed_block():
    tuned(double)[(triton.cdiv(1000, 64),)](values(1000), torch.zeros(1000), 1000)


def sums_in_another_order():
    tuned(row_sum)[(5,)](values(5, 1000), torch.empty(5), 1000)


def sums_in_half_precision():
    tuned(row_sum)[(5,)](values(5, 1000).half(), torch.empty(5, dtype=torch.float16), 1000)


def block_beyond_the_row():
    tuned(row_sum_without_mask)[(5,)](values(6, 990), torch.empty(5), 990)


def store_instead_of_atomic():
    tuned(overwritten_sum)[CDIV](values(1000), torch.zeros(1), 1000)


def atomics():
    tuned(atomic_sum, reset_to_zero=["out"])[CDIV](values(1000), torch.zeros(1), 1000)


def parts():
    out = torch.zeros(32)
    tuned(parts_of_a_sum, reset_to_zero=["done"])[CDIV](values(1000), out, torch.zeros(1, dtype=torch.int32), 1000)


def largest_parts_that_a_kernel_reads():
    parts, out = torch.empty(4), torch.empty(1)
    tuned(largest_of_a_part)[(4,)](values(1000), parts, 1000, P=4)
    largest[(1,)](parts, out, P=4)


def noise_by_element():
    tuned(noise)[CDIV](torch.empty(1000), 1000, SEED=1)


def noise_of_tiles():
    tuned(noise_by_tile)[CDIV](torch.empty(1000), 1000, SEED=1)


def arguments_that_overlap():
    x = torch.zeros(128)
    tuned(halves)[CDIV](x, x[64:], 1000)
