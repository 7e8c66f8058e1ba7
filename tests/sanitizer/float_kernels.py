"""Floats that become NaN or infinite, or leave the range of their type, and correct twins."""

import torch
import triton
import triton.language as tl


@triton.jit
def row_softmax(x, o, n, s, B: tl.constexpr, HOW: tl.constexpr):
    row, i = tl.program_id(0), tl.arange(0, B)
    a = tl.load(x + row * s + i, mask=i < n, other=-float("inf"))
    if HOW == "safe":
        m = tl.max(a, axis=0)
        a = a - tl.where(m == -float("inf"), 0.0, m)
    elif HOW == "causal":
        a = tl.where(i < row, a, -float("inf"))
        a = a - tl.max(a, axis=0)
    elif HOW == "maximum":
        a = a - tl.max(a, axis=0)
    e = tl.exp(a)
    tl.store(o + row * s + i, e / tl.sum(e, axis=0), mask=i < n)


@triton.jit
def mapped(x, o, n, B: tl.constexpr, HOW: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + i, mask=i < n, other=0.0)
    if HOW == "inverse":
        v = 1.0 / v
    elif HOW == "chosen":
        v = tl.where(v == 0.0, 0.0, 1.0 / v)
    elif HOW == "root":
        v = tl.sqrt(v)
    elif HOW == "normal":
        v = v * tl.rsqrt(v * v)
    elif HOW == "sigmoid":
        v = 1.0 / (1.0 + tl.exp(-v * 1000))
    elif HOW == "log":
        v = tl.log(v)
    elif HOW == "square":
        v = v * 1e30 * (v * 1e30)
    elif HOW == "sum":
        v = v + tl.sum(v * 1e38, axis=0)
    elif HOW == "half":
        v = (v * 1e6).to(tl.float16).to(tl.float32) * 1e-6
    elif HOW == "float":
        v = ((v * 1e6) * 1e-6).to(tl.float16).to(tl.float32)
    elif HOW == "inverse of half":
        v = 1.0 / (v * 1e6 + 1e6).to(tl.float16).to(tl.float32)
    elif HOW == "eight bits":
        v = (v * 1e3).to(tl.float8e4nv).to(tl.float32)
    elif HOW == "clamped":
        v = tl.clamp(v * 1e3, -448.0, 448.0).to(tl.float8e4nv).to(tl.float32)
    elif HOW == "condition":
        if tl.sum(v / v, axis=0) > 3.0:
            v += 1.0
    elif HOW == "branch":
        if tl.sum(v, axis=0) > 3.0:
            v += 1.0
    elif HOW == "asked":
        w = v / v
        v = tl.where(w != w, 0.0, w)
    tl.store(o + i, v, mask=i < n)


@triton.jit
def product(a, b, o, scale, B: tl.constexpr):
    i, j = tl.arange(0, B)[:, None], tl.arange(0, B)[None, :]
    left = tl.load(a + i * B + j) * scale
    tl.store(o + i * B + j, tl.dot(left, tl.load(b + i * B + j), input_precision="ieee"))


@triton.jit
def in_place(x, B: tl.constexpr):
    i = tl.arange(0, B)
    for _ in range(3):
        tl.store(x + i, 2.0 / (tl.load(x + i) - 1.0))


def softmax(how: str, x: torch.Tensor | None = None):
    x = torch.linspace(-2, 2, 4 * 20).reshape(4, 20) if x is None else x
    o = torch.zeros_like(x)
    row_softmax[(len(x),)](x, o, x.shape[1], x.stride(0), B=32, HOW=how)
    return o


def map_(how: str, x: torch.Tensor | None = None):
    if x is None:
        x = torch.linspace(-2, 2, 41)
        x[20] = 0
    mapped[(2,)](x, torch.zeros_like(x), len(x), B=32, HOW=how)


def multiply(scale: float):
    a, b = torch.ones(16, 16), torch.ones(16, 16)
    a[3, 4] = -2.0
    product[(1,)](a, b, torch.zeros(16, 16), scale, B=16)


@triton.jit
def ticketed(x, o, counter, B: tl.constexpr, DIVIDES: tl.constexpr):
    i = tl.atomic_add(counter, 1) * B + tl.arange(0, B)
    v = tl.load(x + tl.arange(0, B))
    tl.store(o + i, v / v if DIVIDES else v)


def by_ticket(divides):
    counter, o = torch.zeros(1, dtype=torch.int32), torch.zeros(64)
    ticketed[(4,)](torch.zeros(16), o, counter, B=16, DIVIDES=divides)
    return counter, o


@triton.jit
def in_place_by_table(table, B: tl.constexpr):
    x = tl.load(table).to(tl.pointer_type(tl.float32)) + tl.arange(0, B)
    v = tl.load(x)
    tl.store(x, tl.where(v == 3.0, (v - v) / (v - v), 2 * v))


def by_table():
    x = torch.tensor([3.0] + [1.0] * 15)
    in_place_by_table[(1,)](torch.tensor([x.data_ptr()]), B=16)
    return x


def update():
    x = torch.full((16,), 5.0)
    x[9] = 3.0
    in_place[(1,)](x, B=16)
    return x
