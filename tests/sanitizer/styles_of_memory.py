"""Correct kernels that reach memory in ways that look wrong and are not."""

import torch
import triton
import triton.language as tl


@triton.jit
def add2d(x, y, o, M, N, sxm, sxn, sym, syn, som, son, B: tl.constexpr):
    r = tl.program_id(0)
    c = tl.arange(0, B)
    m = c < N
    v = tl.load(x + r * sxm + c * sxn, mask=m, other=0.0) + tl.load(y + r * sym + c * syn, mask=m, other=0.0)
    tl.store(o + r * som + c * son, v, mask=m)


@triton.jit
def flip_base(x, o, n, s, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    tl.store(o + i, tl.load(x + i * s, mask=m), mask=m)


@triton.jit
def clamp(x, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    j = tl.where(i < n, i, n - 1)
    v = tl.load(x + j)
    tl.store(o + i, v, mask=i < n)


@triton.jit
def compact_kernel(x, o, count, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    v = tl.load(x + i, mask=m, other=0.0)
    keep = (v > 0.5) & m
    k = keep.to(tl.int32)
    pos = tl.cumsum(k) - k
    base = tl.atomic_add(count, tl.sum(k))
    tl.store(o + base + pos, v, mask=keep)


@triton.jit
def combine(a, fa, b, fb):
    return (tl.where(fb != 0, b, a + b), fa | fb)


@triton.jit
def segscan(x, f, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    m = i < n
    v = tl.load(x + i, mask=m)
    g = tl.load(f + i, mask=m)
    s, _ = tl.associative_scan((v, g), 0, combine)
    tl.store(o + i, s, mask=m)


@triton.jit
def gath(x, idx, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    j = tl.load(idx + i, mask=m, other=-1)
    v = tl.load(x + j, mask=j >= 0, other=0.0)
    tl.store(o + i, v, mask=m)


@triton.jit
def pack(x, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    lo = tl.load(x + 2 * i, mask=m, other=0).to(tl.uint8)
    hi = tl.load(x + 2 * i + 1, mask=m, other=0).to(tl.uint8)
    tl.store(o + i, hi << 4 | lo, mask=m)


@triton.jit
def unpack(q, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    b = tl.load(q + i // 2, mask=m)
    s = i % 2 * 4
    tl.store(o + i, (b >> s & 15).to(tl.float32) - 8, mask=m)


@triton.jit
def rope(q, cos, sin, H: tl.constexpr, HD: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, HD // 2)
    c = tl.load(cos + p // H * (HD // 2) + i)
    s = tl.load(sin + p // H * (HD // 2) + i)
    a = tl.load(q + p * HD + i)
    b = tl.load(q + p * HD + HD // 2 + i)
    tl.store(q + p * HD + i, a * c - b * s)
    tl.store(q + p * HD + HD // 2 + i, b * c + a * s)


@triton.jit
def kvw(k, cache, slots, s0, HD: tl.constexpr):
    p = tl.program_id(0)
    slot = tl.load(slots + p)
    if slot < 0:
        return
    i = tl.arange(0, HD)
    tl.store(cache + slot.to(tl.int64) * HD + i, tl.load(k + p * s0 + i))


@triton.jit
def dbl(x, s, o, n, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    base = s + p * 2 * B
    tl.store(base + i, tl.load(x + p * n * B + i))
    acc = tl.zeros((B,), tl.float32)
    for t in range(n):
        if t + 1 < n:
            tl.store(base + (t + 1) % 2 * B + i, tl.load(x + (p * n + t + 1) * B + i))
        tl.debug_barrier()
        acc += tl.load(base + t % 2 * B + (B - 1 - i))
        tl.debug_barrier()
    tl.store(o + p * B + i, acc)


@triton.jit
def tip(x, N, B: tl.constexpr):
    a = tl.program_id(0)
    b = tl.program_id(1)
    if a <= b:
        r = a * B + tl.arange(0, B)
        c = b * B + tl.arange(0, B)
        m = (r[:, None] < N) & (c[None, :] < N)
        u = tl.load(x + r[:, None] * N + c[None, :], mask=m)
        v = tl.load(x + c[None, :] * N + r[:, None], mask=m)
        tl.store(x + r[:, None] * N + c[None, :], v, mask=m)
        tl.store(x + c[None, :] * N + r[:, None], u, mask=m)


@triton.jit
def put(x, o, n, so, B: tl.constexpr):
    r = tl.program_id(0)
    i = tl.arange(0, B)
    tl.store(o + r * so + i, tl.load(x + r * n + i, mask=i < n), mask=i < n)


@triton.jit
def bsum(g, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(o + i * 0, tl.load(g + i * 0, mask=i < n, other=0.0), mask=i < n)


@triton.jit
def state(s, x, o, w, K: tl.constexpr):
    r = tl.program_id(0)
    i = tl.arange(0, K)
    v = tl.load(s + r * K + i + 1, mask=i + 1 < K, other=0.0)
    v = tl.where(i == K - 1, tl.load(x + r), v)
    tl.debug_barrier()
    tl.store(s + r * K + i, v)
    tl.store(o + r, tl.sum(v * tl.load(w + r * K + i)))


@triton.jit
def late(x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    m = i < n
    v = tl.load(x + i, mask=m)
    e = tl.where(m, tl.exp(v), 0.0)
    tl.store(o + i, e / tl.sum(e), mask=m)


@triton.jit
def csr(x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    j = i - (B - n)
    tl.store(o + j, tl.cumsum(tl.load(x + j, mask=j >= 0), reverse=True), mask=j >= 0)


def broadcast2d():
    x = torch.rand(5, 1).expand(5, 30)
    y = torch.rand(30).expand(5, 30)
    o = torch.empty(30, 5).t()
    add2d[(5,)](x, y, o, 5, 30, *x.stride(), *y.stride(), *o.stride(), B=32)
    assert torch.allclose(o, x + y)


def negative_stride_from_last():
    x = torch.rand(100)
    o = torch.empty(100)
    flip_base[(4,)](x[99:], o, 100, -1, B=32)


def clamped_index():
    x = torch.rand(100)
    o = torch.empty(100)
    clamp[(4,)](x, o, 100, B=32)


def compact():
    x = torch.rand(100)
    o = torch.empty(100)
    c = torch.zeros(1, dtype=torch.int32)
    compact_kernel[(4,)](x, o, c, 100, B=32)
    r = o[: c.item()]
    assert (r > 0.5).all()


def scan_tail():
    x = torch.rand(50)
    f = (torch.rand(50) > 0.7).int()
    o = torch.empty(50)
    segscan[(1,)](x, f, o, 50, B=64)


def gather_padding():
    x = torch.rand(100)
    o = torch.empty(100)
    ix = torch.randint(-1, 100, (100,))
    gath[(4,)](x, ix, o, 100, B=32)


def pack_unpack():
    x = torch.randint(0, 16, (100,), dtype=torch.uint8)
    q = torch.empty(50, dtype=torch.uint8)
    o = torch.empty(100)
    pack[(2,)](x, q, 50, B=32)
    unpack[(4,)](q, o, 100, B=32)
    assert (o == x.float() - 8).all()


def rope_inplace():
    q = torch.rand(5, 4, 32)
    a = torch.rand(5, 16)
    rope[(20,)](q, a.cos(), a.sin(), H=4, HD=32)


def kvcache():
    qkv = torch.rand(6, 96)
    k = qkv[:, 32:64]
    cache = torch.empty(20, 32)
    sl = torch.tensor([3, -1, 7, 0, -1, 19])
    kvw[(6,)](k, cache, sl, k.stride(0), HD=32)


def double_buffer():
    x = torch.rand(2, 5, 32)
    s = torch.empty(2, 2, 32)
    o = torch.empty(2, 32)
    dbl[(2,)](x, s, o, 5, B=32)
    assert torch.allclose(o, x.sum(1).flip(1))


def transpose_inplace():
    x = torch.rand(40, 40)
    y = x.t().clone()
    tip[(3, 3)](x, 40, B=16)
    assert (x == y).all()


def cat_columns():
    o = torch.empty(4, 50)
    for a, b in ((0, 20), (20, 50)):
        x = torch.rand(4, b - a)
        put[(4,)](x, o[:, a:b], b - a, 50, B=32)


def expanded_grad_scalar():
    g = torch.ones(()).expand(100)
    o = torch.zeros(1)
    bsum[(4,)](g, o, 100, B=32)
    assert o == 100


def state_update():
    s = torch.rand(6, 4)
    x = torch.rand(6)
    o = torch.empty(6)
    w = torch.rand(6, 4)
    state[(6,)](s, x, o, w, K=4)


def late_where():
    x = torch.rand(20)
    o = torch.empty(20)
    late[(1,)](x, o, 20, B=32)


def reverse_cumsum_head():
    x = torch.rand(20)
    o = torch.empty(20)
    csr[(1,)](x, o, 20, B=32)
