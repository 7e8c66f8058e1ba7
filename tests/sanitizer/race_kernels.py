"""Programs that read, or use atomics on, what other programs write, and their correct twins."""

import torch
import triton
import triton.language as tl


@triton.jit
def shift(x, out, n, BY: tl.constexpr, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + o, tl.load(x + o + BY, mask=o + BY < n), mask=o < n)


@triton.jit
def columns_of_two(x, half, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(x + 2 * o, tl.load(x + 2 * o + half))


@triton.jit
def normalise(x, sums, count, G: tl.constexpr, B: tl.constexpr, WAIT: tl.constexpr):
    p = tl.program_id(0)
    o = p * B + tl.arange(0, B)
    tl.store(sums + p, tl.sum(tl.load(x + o), axis=0))
    tl.debug_barrier()
    tl.atomic_add(count, 1)
    if WAIT:
        while tl.atomic_add(count, 0) < G:
            pass
    total = tl.sum(tl.load(sums + tl.arange(0, G)), axis=0)
    tl.store(x + o, tl.load(x + o) / total)


@triton.jit
def last_adds_up(x, part, count, out, G: tl.constexpr, B: tl.constexpr):
    p = tl.program_id(0)
    tl.store(part + p, tl.sum(tl.load(x + p * B + tl.arange(0, B)), axis=0))
    tl.debug_barrier()
    if tl.atomic_add(count, 1) == G - 1:
        tl.store(out, tl.sum(tl.load(part + tl.arange(0, G)), axis=0))
        tl.store(count, 0)


@triton.jit
def pass_on(flags, total, VOLATILE: tl.constexpr):
    p = tl.program_id(0)
    if p > 0:
        if VOLATILE:
            while tl.load(flags + p - 1, volatile=True) == 0:
                pass
        else:
            while tl.atomic_cas(flags + p - 1, 1, 1) == 0:
                pass
        if p == 3:
            tl.store(total + 1, tl.load(total))
    else:
        tl.store(total, 7.0)
    tl.debug_barrier()
    tl.atomic_xchg(flags + p, 1)


@triton.jit
def count_and_clear(count, out, PLAIN: tl.constexpr):
    p = tl.program_id(0)
    if PLAIN == 0:
        tl.atomic_add(count, 1)
    elif PLAIN == 1:
        if p == 0:
            tl.store(count, 0)
        else:
            tl.atomic_add(count, 1)
    else:
        tl.atomic_add(count, 1)
        tl.store(out + p, tl.load(count))


def in_place():
    x = torch.arange(100.0)
    shift[(4,)](x, x, 100, BY=0, B=32)


def into_another():
    shift[(4,)](torch.arange(100.0), torch.empty(100), 100, BY=1, B=32)


def in_two_launches():
    x, out = torch.arange(100.0), torch.empty(100)
    shift[(4,)](x, out, 100, BY=1, B=32)
    shift[(4,)](out, x, 100, BY=1, B=32)


def interleaved():
    columns_of_two[(4,)](torch.arange(64.0), 1, B=8)


def shifted():
    x = torch.arange(100.0)
    shift[(4,)](x, x, 100, BY=1, B=32)


def shifted_through_a_view():
    x = torch.arange(100.0)
    shift[(4,)](x[:96], x[4:], 96, BY=0, B=32)


def columns_meet():
    columns_of_two[(4,)](torch.arange(128.0), 16, B=8)


def grid_barrier():
    normalise[(4,)](torch.ones(64), torch.zeros(4), torch.zeros(1, dtype=torch.int32), G=4, B=16, WAIT=True)


def no_grid_barrier():
    normalise[(4,)](torch.ones(64), torch.zeros(4), torch.zeros(1, dtype=torch.int32), G=4, B=16, WAIT=False)


def last_program():
    last_adds_up[(4,)](torch.ones(64), torch.empty(4), torch.zeros(1, dtype=torch.int32), torch.empty(1), G=4, B=16)


def chain():
    pass_on[(4,)](torch.zeros(4, dtype=torch.int32), torch.zeros(2), VOLATILE=False)


def chain_of_volatile_loads():
    pass_on[(4,)](torch.zeros(4, dtype=torch.int32), torch.zeros(2), VOLATILE=True)


def only_atomics():
    count_and_clear[(4,)](torch.zeros(1, dtype=torch.int32), torch.empty(4), PLAIN=0)


def atomic_and_store():
    count_and_clear[(4,)](torch.zeros(1, dtype=torch.int32), torch.empty(4), PLAIN=1)


def atomic_and_load():
    count_and_clear[(4,)](torch.zeros(1, dtype=torch.int32), torch.empty(4), PLAIN=2)
