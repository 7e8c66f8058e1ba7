"""Reductions, scans and maps whose functions use constants, values of the kernel, calls and branches."""

import triton
import triton.language as tl

STEP: tl.constexpr = tl.constexpr(0.5)
FLOOR: tl.constexpr = tl.constexpr(3)


@triton.jit
def plus_step(a, b):
    return a + b + STEP


@triton.jit
def at_least_program(a, b):
    return tl.maximum(tl.maximum(a, b), tl.program_id(0) * 3)


@triton.jit(noinline=True)
def distance_from(a, centre):
    return tl.abs(a - centre)


@triton.jit
def closest_to_floor(a, b):
    return tl.where(distance_from(a, FLOOR) <= distance_from(b, FLOOR), a, b)


@triton.jit
def longest(a, b):
    larger = b
    if tl.abs(a) >= tl.abs(b):
        larger = a
    return larger


@triton.jit
def welford(mean_a, m2_a, count_a, mean_b, m2_b, count_b):
    count = count_a + count_b
    share = tl.where(count == 0.0, 0.0, count_b / count)
    delta = mean_b - mean_a
    return mean_a + delta * share, m2_a + m2_b + delta * delta * count_a * share, count


@triton.jit
def scan_kernel(x_ptr, o_ptr, NAME: tl.constexpr, REVERSE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row, column = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    tile = tl.program_id(0) * ROWS * COLUMNS + row[:, None] * COLUMNS + column[None, :]
    x = tl.load(x_ptr + tile)
    if NAME == "plus_step":
        y = tl.associative_scan(x, 1, plus_step, REVERSE)
    elif NAME == "at_least_program":
        y = tl.associative_scan(x, 1, at_least_program, REVERSE)
    elif NAME == "closest_to_floor":
        y = tl.associative_scan(x, 1, closest_to_floor, REVERSE)
    else:
        y = tl.associative_scan(x, 1, longest, REVERSE)
    tl.store(o_ptr + tile, y)


@triton.jit
def reduce_kernel(x_ptr, o_ptr, n, NAME: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """The same reduction in every iteration: it runs once, and its result is stored n times."""
    row, column = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    x = tl.load(x_ptr + tl.program_id(0) * ROWS * COLUMNS + row[:, None] * COLUMNS + column[None, :])
    for i in range(n):
        if NAME == "plus_step":
            y = tl.reduce(x, 1, plus_step)
        elif NAME == "at_least_program":
            y = tl.reduce(x, 1, at_least_program)
        elif NAME == "closest_to_floor":
            y = tl.reduce(x, 1, closest_to_floor)
        else:
            y = tl.reduce(x, 1, longest)
        tl.store(o_ptr + (tl.program_id(0) * n + i) * ROWS + row, y)


@triton.jit
def variance_kernel(x_ptr, o_ptr, n, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i, i < n, 0.0)
    count = tl.where(i < n, 1.0, 0.0)
    _mean, m2, total = tl.reduce((x, x * 0.0, count), 0, welford)
    tl.store(o_ptr + i, m2 / total, i < 1)


@triton.jit
def quotient_and_remainder(a, b):
    quotient = 0
    if b != 0:
        quotient = a // b
    return quotient, a - quotient * b


@triton.jit
def map_kernel(x_ptr, y_ptr, q_ptr, r_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    q, r = tl.map_elementwise(quotient_and_remainder, tl.load(x_ptr + i), tl.load(y_ptr + i))
    tl.store(q_ptr + i, q)
    tl.store(r_ptr + i, r)


@triton.jit
def halved_pair(a0, a1):
    if a0 + a1 > 0:
        half = a0 // 2, a1 // 2
    else:
        half = -(-a0 // 2), -(-a1 // 2)
    return half[0], half[1]


@triton.jit
def map_pairs_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    """A function that is given two elements at once. Which two is up to the compiler."""
    i = tl.arange(0, BLOCK)
    (half,) = tl.map_elementwise(halved_pair, tl.load(x_ptr + i), pack=2)
    tl.store(o_ptr + i, half)
