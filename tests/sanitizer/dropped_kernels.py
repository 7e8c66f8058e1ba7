"""Kernels that read more than is defined, and drop it again or not, as `HOW` says."""

import torch
import triton
import triton.language as tl

N, B = 50, 64


@triton.jit
def copy(x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(o + i, tl.load(x + i, mask=i < n), mask=i < n)


@triton.jit
def use(w, o, n, HOW: tl.constexpr, B: tl.constexpr):
    i = tl.arange(0, B)
    v = tl.load(w + i)
    if HOW == "where":
        tl.store(o, tl.sum(tl.where(i < n, v, 0)))
    elif HOW == "masked store":
        tl.store(o + i, v + 1, mask=i < n)
    elif HOW == "masked address":
        tl.store(o + i, tl.load(w + v, mask=i < n), mask=i < n)
    elif HOW == "print":
        tl.device_print("v", v)
        tl.store(o, 1)
    elif HOW == "assertion":
        tl.device_assert(tl.max(v) < 0, "negative")
        tl.store(o, 1)
    elif HOW == "sum":
        tl.store(o, tl.sum(v))
    elif HOW == "maximum":
        tl.store(o, tl.max(v))
    elif HOW == "branch":
        if tl.sum(v) > 0:
            tl.store(o, 1)
    elif HOW == "address":
        tl.store(o + i, tl.load(w + (v & 31)))
    elif HOW == "gather":
        tl.store(o + i, tl.gather(v, B - 1 - i, 0))
    elif HOW == "sort":
        tl.store(o + i, tl.sort(v), mask=i < n)
    elif HOW == "loop":
        total = tl.zeros((B,), tl.int32)
        for _ in range(2):
            total += tl.load(w + i).to(tl.int32)
        tl.store(o, tl.sum(total))
    elif HOW == "one of two":
        other = tl.load(w + B - 1 - i)
        tl.store(o + i, tl.where(i < n, v, 0) + other)


@triton.jit
def normalise(x, n, m, HOW: tl.constexpr, B: tl.constexpr):
    i = tl.arange(0, B)
    at = tl.program_id(0) * n + i
    v = tl.load(x + at, mask=at < m, other=0.0)
    if HOW == "where":
        v = tl.where(i < n, v, 0.0)
    tl.store(x + at, v / tl.sum(v), mask=i < n)


def workspace(how, dtype=torch.int32):
    """The first 50 of 64 numbers are written, and all are read."""
    w, o = torch.empty(B, dtype=dtype), torch.zeros(B, dtype=dtype)
    copy[(1,)](torch.ones(N, dtype=dtype), w, N, B=B)
    use[(1,)](w, o, N, HOW=how, B=B, debug=how == "assertion")
    return o


def rows(how):
    """Each program reads the beginning of the next row, which another one writes."""
    x = torch.ones(4, 30)
    normalise[(4,)](x, 30, 120, HOW=how, B=32)
    return x
