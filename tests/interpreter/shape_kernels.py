"""Kernels for control flow, types and the standard library, that the TTIR interpreter and Triton's interpreter both
run."""

import triton
import triton.language as tl


@triton.jit
def loops_kernel(x_ptr, o_ptr, rounds, BLOCK: tl.constexpr):
    """Static loops, pipelined loops, loops that count down, loops in loops of other lengths, carried pointers."""
    pid = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    pointers = x_ptr + pid * BLOCK + offsets
    total = tl.zeros((BLOCK,), tl.float32)
    for i in tl.static_range(3):
        total += tl.load(x_ptr + i * BLOCK + offsets) * i
    for i in tl.range(0, rounds + pid % 2, num_stages=3):
        total += tl.load(pointers)
        pointers += BLOCK * (i % 2)
    for i in range(3, 0, -1):
        for j in tl.range(i, 4, 2):
            if (i + j + pid) % 3 == 0:
                total = total * 0.5 + j
            elif j == 1:
                total -= tl.load(x_ptr + j * BLOCK + offsets)
            else:
                total += i
    tl.store(o_ptr + pid * BLOCK + offsets, total)


@triton.jit
def types_kernel(flag_ptr, byte_ptr, short_ptr, long_ptr, double_ptr, o_ptr, BLOCK: tl.constexpr):
    """Booleans, 8, 16 and 64 bits, doubles."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    flag, byte, short = tl.load(flag_ptr + offsets), tl.load(byte_ptr + offsets), tl.load(short_ptr + offsets)
    long, double = tl.load(long_ptr + offsets), tl.load(double_ptr + offsets)
    tl.store(flag_ptr + offsets, (byte > 0) & flag | (short < 0) & (~flag))
    tl.store(byte_ptr + offsets, byte * 3 + 100)
    tl.store(short_ptr + offsets, (short << 3) ^ byte)
    tl.store(long_ptr + offsets, long * 6364136223846793005 + 1442695040888963407 + (long >> 7))
    tl.store(double_ptr + offsets, tl.where(flag, double / 3, tl.sqrt(double * double + 1)))
    tl.store(o_ptr + offsets, flag.to(tl.float32) + byte + short.to(tl.float32) + (long % 1000).to(tl.float32))


@triton.jit
def _either(a, b):
    return a | b


@triton.jit
def standard_kernel(x_ptr, i_ptr, o_ptr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Sorting, softmax, kept axes, any, three axes, swizzling."""
    r, c = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    tile = r[:, None] * COLUMNS + c[None, :]
    base = tl.program_id(0) * ROWS * COLUMNS
    x, i = tl.load(x_ptr + base + tile), tl.load(i_ptr + base + tile)
    out = o_ptr + tl.program_id(0) * ROWS * COLUMNS * 6 + tile
    step: tl.constexpr = ROWS * COLUMNS
    tl.store(out, tl.sort(x))
    tl.store(out + step, tl.exp(x - tl.max(x, 1, keep_dims=True)) / tl.sum(tl.exp(x), 1, keep_dims=True))
    top, where = tl.max(x, 1, return_indices=True, keep_dims=True)
    tl.store(out + 2 * step, x - top + where)
    any_ = tl.reduce((i > 40).to(tl.int32), 1, _either, keep_dims=True)
    tl.store(out + 3 * step, tl.where(any_ > 0, tl.cumsum(i, 0).to(tl.float32), x))
    cube = tl.reshape(x, (ROWS, 2, COLUMNS // 2))
    tl.store(
        out + 4 * step, tl.reshape(cube - tl.max(cube, 1)[:, None, :] + tl.sum(cube, 0)[None, :, :], (ROWS, COLUMNS))
    )
    first, second = tl.swizzle2d(tile // COLUMNS, tile % COLUMNS, ROWS, COLUMNS, 2)
    tl.store(out + 5 * step, (first * 100 + second).to(tl.float32))


@triton.jit
def pointers_kernel(x_ptr, y_ptr, o_ptr, BLOCK: tl.constexpr):
    """Pointers that are chosen: by a branch, element by element, and by a number that was loaded."""
    pid = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    if pid % 2 == 0:
        source = x_ptr + pid * BLOCK
    else:
        source = x_ptr
    other = tl.where(offsets % 3 == 0, source + offsets, x_ptr + BLOCK - 1 - offsets)
    hop = tl.load(y_ptr + pid).to(tl.int32)
    tl.store(o_ptr + pid * BLOCK + offsets, tl.load(other) + tl.load(x_ptr + hop * BLOCK + offsets))


@triton.jit
def tensors_kernel(x_ptr, y_ptr, o_ptr, p_ptr, BLOCK: tl.constexpr):
    """Programs that read and write one tensor or another."""
    pid = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    source = x_ptr
    if pid == 1:
        source = y_ptr + BLOCK
    target = tl.where(pid < 2, o_ptr, p_ptr)
    for i in range(2):
        tl.store(target + (pid % 2) * BLOCK + offsets, tl.load(source + offsets) + i)
        source += BLOCK


@triton.jit
def grid_stride_kernel(x_ptr, o_ptr, length, BLOCK: tl.constexpr):
    """A persistent kernel: each program takes every n-th tile."""
    for tile in range(tl.program_id(0), tl.cdiv(length, BLOCK), tl.num_programs(0)):
        offsets = tile * BLOCK + tl.arange(0, BLOCK)
        tl.store(o_ptr + offsets, tl.load(x_ptr + offsets, mask=offsets < length) * tile, mask=offsets < length)
