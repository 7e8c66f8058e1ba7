"""Kernels that look right, each with a fault that the sanitizer has to find."""

import torch
import triton
import triton.language as tl


@triton.jit
def lock_early(lock, total, x):
    p = tl.program_id(0)
    v = tl.load(x + p)
    t = tl.load(total)
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.store(total, t + v)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)


@triton.jit
def sem_missing(x, c, sem, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    v = tl.load(x + p * B + i)
    while tl.load(sem) != p:
        pass
    tl.store(c + i, tl.load(c + i) + v)
    tl.store(sem, p + 1)


@triton.jit
def acqonly(x, part, count, out, G: tl.constexpr, B: tl.constexpr):
    p = tl.program_id(0)
    tl.store(part + p, tl.sum(tl.load(x + p * B + tl.arange(0, B))))
    tl.debug_barrier()
    if tl.atomic_add(count, 1, sem="acquire") == G - 1:
        tl.store(out, tl.sum(tl.load(part + tl.arange(0, G))))


@triton.jit
def notlast(x, part, count, out, G: tl.constexpr, B: tl.constexpr):
    p = tl.program_id(0)
    tl.store(part + p, tl.sum(tl.load(x + p * B + tl.arange(0, B))))
    tl.debug_barrier()
    if tl.atomic_add(count, 1) == G - 2:
        tl.store(out, tl.sum(tl.load(part + tl.arange(0, G))))


@triton.jit
def dbl(x, s, o, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    tl.store(s + i, tl.load(x + p * B + i))
    tl.debug_barrier()
    tl.store(o + p * B + i, tl.load(s + B - 1 - i))


@triton.jit
def chain(x, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    if p > 0:
        tl.store(x + p * B + i, tl.load(x + p * B + i) + tl.load(x + (p - 1) * B + B - 1))


@triton.jit
def split(x, c, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    v = tl.load(x + p * B + i)
    if p == 0:
        tl.store(c + i, v)
    else:
        tl.atomic_add(c + i, v)


@triton.jit
def two(x, y, B: tl.constexpr):
    p = tl.program_id(0)
    i = tl.arange(0, B)
    if p == 0:
        tl.store(x + i, tl.zeros((B,), tl.float32) + 1)
    else:
        tl.store(y + i, tl.zeros((B,), tl.int32) + 7)


@triton.jit
def byteflag(x, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(o + i // 2, tl.load(x + i, mask=i < n) > 0, mask=i < n)


@triton.jit
def kv(k, cache, slots, HD: tl.constexpr):
    p = tl.program_id(0)
    s = tl.load(slots + p)
    i = tl.arange(0, HD)
    tl.store(cache + s * HD + i, tl.load(k + p * HD + i))


@triton.jit
def cu(x, starts, o, B: tl.constexpr):
    p = tl.program_id(0)
    a = tl.load(starts + p)
    b = tl.load(starts + p + 1)
    s = 0.0
    for j in range(a, b, B):
        i = j + tl.arange(0, B)
        s += tl.sum(tl.load(x + i, mask=i < b, other=0.0))
    tl.store(o + p, s)


@triton.jit
def whereidx(ix, x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    j = tl.load(ix + i, mask=i < n)
    v = tl.where(i < n, tl.load(x + j), 0.0)
    tl.store(o + i, v, mask=i < n)


@triton.jit
def maxundef(x, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    v = tl.load(x + i, mask=i < n)
    m = tl.max(v)
    tl.store(o + i, tl.exp(v - m), mask=i < n)


@triton.jit
def shi64(x, o, B: tl.constexpr):
    i = tl.arange(0, B)
    one = tl.full((B,), 1, tl.int32)
    tl.store(o + i, (one << i).to(tl.int64))


@triton.autotune([triton.Config({"B": 32}), triton.Config({"B": 64})], key=["n"], reset_to_zero=["o"])
@triton.jit
def at_bad(x, o, cnt, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(o, tl.sum(tl.load(x + i, mask=i < n, other=0.0)))
    tl.atomic_add(cnt, 1)


@triton.jit
def pend(x, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    for _ in range(2):
        tl.store(o + i, tl.load(o + i, mask=i < n) + tl.load(x + i, mask=i < n), mask=i < n)


def read_before_lock():
    x = torch.rand(8)
    lock = torch.zeros(1, dtype=torch.int32)
    t = torch.zeros(1)
    lock_early[(8,)](lock, t, x)


def plain_semaphore():
    x = torch.rand(3, 16)
    c = torch.zeros(16)
    s = torch.zeros(1, dtype=torch.int32)
    sem_missing[(3,)](x, c, s, B=16)


def acquire_only_counter():
    x = torch.rand(4, 32)
    p = torch.zeros(4)
    c = torch.zeros(1, dtype=torch.int32)
    o = torch.zeros(1)
    acqonly[(4,)](x, p, c, o, G=4, B=32)


def second_last_reduces():
    x = torch.rand(4, 32)
    p = torch.zeros(4)
    c = torch.zeros(1, dtype=torch.int32)
    o = torch.zeros(1)
    notlast[(4,)](x, p, c, o, G=4, B=32)


def shared_scratch():
    x = torch.rand(4, 16)
    s = torch.empty(16)
    o = torch.empty(4, 16)
    dbl[(4,)](x, s, o, B=16)


def chained_scan():
    x = torch.rand(64)
    chain[(4,)](x, B=16)


def splitk_first_stores():
    x = torch.rand(4, 16)
    c = torch.empty(16)
    split[(4,)](x, c, B=16)


def race_through_dtype_view():
    x = torch.zeros(16)
    two[(2,)](x, x.view(torch.int32), B=16)


def bool_lanes():
    x = torch.randn(64)
    o = torch.zeros(32, dtype=torch.bool)
    byteflag[(2,)](x, o, 64, B=32)


def duplicate_slots():
    k = torch.rand(4, 16)
    c = torch.zeros(8, 16)
    kv[(4,)](k, c, torch.tensor([1, 3, 3, 5]), HD=16)


def slot_minus_one_in_view():
    k = torch.rand(4, 16)
    c = torch.zeros(10, 16)[2:]
    kv[(4,)](k, c, torch.tensor([1, -1, 3, 5]), HD=16)


def one_program_too_many():
    x = torch.rand(77)
    c = torch.tensor([0, 5, 40, 77], dtype=torch.int32)
    o = torch.zeros(4)
    cu[(4,)](x, c, o, B=16)


def where_after_wild_load():
    ix = torch.randint(0, 40, (40,))
    x = torch.rand(40)
    o = torch.empty(40)
    whereidx[(1,)](ix, x, o, 40, B=64)


def max_of_undefined():
    x = -torch.rand(40)
    o = torch.empty(40)
    maxundef[(1,)](x, o, 40, B=64)


def bitmask_int32():
    o = torch.empty(64, dtype=torch.int64)
    shi64[(1,)](o, o, B=64)


def autotune_one_forgotten():
    x = torch.rand(100)
    o = torch.zeros(1)
    c = torch.zeros(1, dtype=torch.int32)
    at_bad[lambda m: (triton.cdiv(100, m["B"]),)](x, o, c, 100)


def accumulate_permuted():
    x = torch.rand(60)
    o = torch.empty_permuted((5, 12), (1, 0))
    pend[(2,)](x, o, 60, B=32)
