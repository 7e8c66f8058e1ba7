"""Integers that wrap where they are no offsets, and divisions of negative ones, with correct twins."""

import torch
import triton
import triton.language as tl


@triton.jit
def scaled(x, o, n, B: tl.constexpr, HOW: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + i, mask=i < n, other=0)
    if HOW == "int32":
        v = v * 1000000
    elif HOW == "float":
        v = (v * 1000000).to(tl.float32)
    elif HOW == "int64":
        v = v.to(tl.int64) * 1000000 // 1000
    elif HOW == "dropped":
        v = tl.where(v < 100, v * 1000000, 0)
    elif HOW == "congruential":
        v = v * 1664525 + 1013904223
    elif HOW == "hash":
        v = (v ^ (v >> 16)) * 73244475
    elif HOW == "random":
        a, b, c, d = tl.rand4x(v, i)
        v = a + b + c + d
    elif HOW == "sum":
        v = tl.sum(v * 100000, axis=0)
    tl.store(o + i, v, mask=i < n)


@triton.jit
def added(x, y, o, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(o + i, tl.load(x + i) + tl.load(y + i))


@triton.jit
def divided(x, o, n, B: tl.constexpr, HOW: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + i, mask=i < n, other=0)
    if HOW == "quotient":
        v = v // 4
    elif HOW == "remainder":
        v = v % 4
    elif HOW == "exact":
        v = v * 4 // 4
    elif HOW == "floor":
        v = v // 4 - ((v % 4 != 0) & (v < 0))
    elif HOW == "modulo":
        v = (v % 4 + 4) % 4
    elif HOW == "dropped":
        v = tl.where(v < 0, 0, v // 4)
    elif HOW == "clamped":
        v = tl.maximum(v // 4 * 4, 0)
    elif HOW == "address":
        v = tl.load(x + (i - 1) % n + n, mask=i < n)
    elif HOW == "padding":
        v = tl.load(x + (i - 1) // 4, mask=(i > 0) & (i < n), other=0)
    tl.store(o + i, v, mask=i < n)


def scale(how: str):
    dtype = torch.float32 if how in ("float", "random") else torch.int64 if how == "int64" else torch.int32
    scaled[(2,)](torch.arange(5000, 5050, dtype=torch.int32), torch.zeros(50, dtype=dtype), 50, B=32, HOW=how)


def add(dtype: torch.dtype):
    added[(1,)](
        torch.full((16,), 100, dtype=dtype), torch.full((16,), 100, dtype=dtype), torch.zeros(16, dtype=dtype), 16
    )


def divide(how: str):
    x = torch.arange(-21, 79, dtype=torch.int32)
    divided[(2,)](x, torch.zeros(50, dtype=torch.int32), 50, B=32, HOW=how)
