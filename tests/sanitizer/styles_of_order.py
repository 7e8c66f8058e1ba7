"""Correct kernels whose programs wait for each other, in the ways that people write them."""

import torch
import triton
import triton.language as tl


@triton.jit
def lock_sem_kernel(lock, total, x, B: tl.constexpr):
    p = tl.program_id(0)
    v = tl.load(x + p * B + tl.arange(0, B))
    while tl.atomic_cas(lock, 0, 1, sem="acquire", scope="gpu") != 0:
        pass
    o = tl.arange(0, B)
    tl.store(total + o, tl.load(total + o) + v)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0, sem="release", scope="gpu")


@triton.jit
def last_block_kernel(x, part, count, out, G: tl.constexpr, B: tl.constexpr):
    p = tl.program_id(0)
    tl.store(part + p, tl.sum(tl.load(x + p * B + tl.arange(0, B))))
    tl.debug_barrier()
    done = tl.atomic_add(count, 1, sem="acq_rel")
    if done == G - 1:
        s = tl.sum(tl.load(part + tl.arange(0, G)))
        tl.store(out, s)
        tl.atomic_xchg(count, 0)


@triton.jit
def serial(x, c, sem, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    v = tl.load(x + p * B + i)
    while tl.atomic_add(sem, 0, sem="acquire") != p:
        pass
    if p == 0:
        tl.store(c + i, v)
    else:
        tl.store(c + i, tl.load(c + i) + v)
    tl.debug_barrier()
    tl.atomic_xchg(sem, p + 1, sem="release")


@triton.jit
def lookback_kernel(x, o, flag, part, incl, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    v = tl.load(x + p * B + i)
    s = tl.sum(v)
    tl.store(part + p, s)
    tl.debug_barrier()
    tl.atomic_xchg(flag + p, 1, sem="release")
    pre = 0.0
    j = p - 1
    while j >= 0:
        f = tl.atomic_add(flag + j, 0, sem="acquire")
        while f == 0:
            f = tl.atomic_add(flag + j, 0, sem="acquire")
        if f == 2:
            pre += tl.load(incl + j)
            j = -1
        else:
            pre += tl.load(part + j)
            j -= 1
    tl.store(incl + p, pre + s)
    tl.debug_barrier()
    tl.atomic_xchg(flag + p, 2, sem="release")
    tl.store(o + p * B + i, pre + tl.cumsum(v))


@triton.jit
def steal_kernel(x, o, q, n, B: tl.constexpr):
    t = tl.atomic_add(q, 1)
    while t < tl.cdiv(n, B):
        i = t * B + tl.arange(0, B)
        tl.store(o + i, tl.load(x + i, mask=i < n) * 2, mask=i < n)
        t = tl.atomic_add(q, 1)


@triton.jit
def streamk_kernel(x, o, part, flag, T: tl.constexpr, STEPS: tl.constexpr, P: tl.constexpr, B: tl.constexpr):
    p = tl.program_id(0)
    per: tl.constexpr = (T * STEPS + P - 1) // P
    it = p * per
    end = tl.minimum(it + per, T * STEPS)
    c = tl.arange(0, B)
    while it < end:
        tile = it // STEPS
        first = it % STEPS
        last = tl.minimum(STEPS, first + end - it)
        acc = tl.zeros((B,), tl.float32)
        for k in range(first, last):
            acc += tl.load(x + (tile * STEPS + k) * B + c)
        if first != 0:
            tl.store(part + p * B + c, acc)
            tl.debug_barrier()
            tl.atomic_xchg(flag + p, 1)
        else:
            q = p + 1
            done = tile * STEPS + last
            while done < (tile + 1) * STEPS:
                while tl.atomic_cas(flag + q, 1, 1) != 1:
                    pass
                acc += tl.load(part + q * B + c)
                done += per
                q += 1
            tl.store(o + tile * B + c, acc)
        it += last - first


@triton.jit
def grid_barrier_kernel(x, o, bar, G: tl.constexpr, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    tl.store(x + p * B + i, p.to(tl.float32) + i)
    tl.debug_barrier()
    tl.atomic_add(bar, 1)
    while tl.load(bar, volatile=True) < G:
        pass
    q = (p + 1) % G
    tl.store(o + p * B + i, tl.load(x + q * B + i))


@triton.jit
def cas_add(o, x):
    p = tl.program_id(0)
    v = tl.load(x + p)
    old = tl.atomic_add(o, 0)
    new = tl.atomic_cas(o, old, old + v)
    while new != old:
        old = new
        new = tl.atomic_cas(o, old, old + v)


@triton.jit
def ticket(nxt, serving, t, x):
    p = tl.program_id(0)
    v = tl.load(x + p)
    my = tl.atomic_add(nxt, 1)
    while tl.atomic_add(serving, 0) != my:
        pass
    tl.store(t, tl.load(t) + v)
    tl.debug_barrier()
    tl.atomic_add(serving, 1)


@triton.jit
def tree_kernel(x, cnt, n, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    s = 1
    go = True
    while go & (s < n):
        pair = p // (2 * s) * (2 * s)
        tl.debug_barrier()
        if tl.atomic_add(cnt + s * n + pair, 1) == 1:
            a = tl.load(x + pair * B + i)
            b = tl.load(x + (pair + s) * B + i)
            tl.store(x + pair * B + i, a + b)
            p = pair
            s = 2 * s
        else:
            go = False


@triton.jit
def prodcons(x, buf, flag, o, B: tl.constexpr):
    p = tl.program_id(0)
    q = p // 2
    i = tl.arange(0, B)
    if p % 2 == 0:
        tl.store(buf + q * B + i, tl.load(x + q * B + i) * 2)
        tl.debug_barrier()
        tl.atomic_xchg(flag + q, 1, sem="release")
    else:
        while tl.atomic_add(flag + q, 0, sem="acquire") == 0:
            pass
        tl.store(o + q * B + i, tl.load(buf + q * B + i) + 1)


def lock_sem():
    x = torch.rand(8 * 32)
    lock = torch.zeros(1, dtype=torch.int32)
    t = torch.zeros(32)
    lock_sem_kernel[(8,)](lock, t, x, B=32)
    assert torch.allclose(t, x.view(8, 32).sum(0))


def last_block():
    x = torch.rand(8 * 32)
    part = torch.empty(8)
    c = torch.zeros(1, dtype=torch.int32)
    o = torch.empty(1)
    for _ in range(2):
        last_block_kernel[(8,)](x, part, c, o, G=8, B=32)
    assert torch.allclose(o, x.sum())


def serial_splitk():
    x = torch.rand(8, 32)
    c = torch.empty(32)
    s = torch.zeros(1, dtype=torch.int32)
    serial[(8,)](x, c, s, B=32)
    assert torch.allclose(c, x.sum(0))


def lookback():
    x = torch.rand(6 * 32)
    o = torch.empty(192)
    f = torch.zeros(6, dtype=torch.int32)
    a = torch.empty(6)
    b = torch.empty(6)
    lookback_kernel[(6,)](x, o, f, a, b, B=32)
    assert torch.allclose(o, x.cumsum(0), atol=0.0001)


def steal():
    x = torch.rand(1000)
    o = torch.empty(1000)
    q = torch.zeros(1, dtype=torch.int32)
    steal_kernel[(3,)](x, o, q, 1000, B=64)
    assert (o == 2 * x).all()


def streamk():
    T, STEPS, P, B = (3, 5, 4, 16)
    x = torch.rand(T, STEPS, B)
    o = torch.empty(T, B)
    part = torch.empty(P, B)
    f = torch.zeros(P, dtype=torch.int32)
    streamk_kernel[(P,)](x, o, part, f, T=T, STEPS=STEPS, P=P, B=B)
    assert torch.allclose(o, x.sum(1))


def grid_barrier():
    x = torch.empty(4 * 16)
    o = torch.empty(64)
    b = torch.zeros(1, dtype=torch.int32)
    grid_barrier_kernel[(4,)](x, o, b, G=4, B=16)


def cas_loop():
    x = torch.arange(8, dtype=torch.int32)
    o = torch.zeros(1, dtype=torch.int32)
    cas_add[(8,)](o, x)
    assert o == 28


def ticket_lock():
    x = torch.rand(6)
    a = torch.zeros(1, dtype=torch.int32)
    b = torch.zeros(1, dtype=torch.int32)
    t = torch.zeros(1)
    ticket[(6,)](a, b, t, x)
    assert torch.allclose(t, x.sum())


def tree():
    n = 8
    x = torch.rand(n, 16)
    y = x.sum(0)
    c = torch.zeros(n * n, dtype=torch.int32)
    tree_kernel[(n,)](x, c, n, B=16)
    assert torch.allclose(x[0], y)


def producer_consumer():
    x = torch.rand(3, 16)
    b = torch.empty(3, 16)
    f = torch.zeros(3, dtype=torch.int32)
    o = torch.empty(3, 16)
    prodcons[(6,)](x, b, f, o, B=16)
    assert torch.allclose(o, x * 2 + 1)
