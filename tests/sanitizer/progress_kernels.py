"""Kernels whose loops wait or count, and end or not."""

import torch
import triton
import triton.language as tl


@triton.jit
def opposite_locks(x, locks, OPPOSITE: tl.constexpr):
    p = tl.program_id(0)
    first = p * OPPOSITE
    while tl.atomic_cas(locks + first, 0, 1) != 0:
        pass
    tl.store(x + p, 1.0)
    while tl.atomic_cas(locks + 1 - first, 0, 1) != 0:
        pass
    tl.debug_barrier()
    tl.atomic_xchg(locks, 0)
    tl.atomic_xchg(locks + 1, 0)


@triton.jit
def grid_barrier(x, counter, steps, more):
    p, count = tl.program_id(0), tl.num_programs(0) + more
    for step in range(steps):
        tl.store(x + p, step)
        tl.atomic_add(counter, 1)
        while tl.load(counter, volatile=True) < (step + 1) * count:
            pass


@triton.jit
def take_turns(order, turn, rounds):
    p = tl.program_id(0)
    for t in range(rounds):
        now = tl.load(turn)
        while now != t * tl.num_programs(0) + p:
            now = tl.load(turn)
        tl.store(order + now, p)
        tl.debug_barrier()
        tl.atomic_add(turn, 1)


@triton.jit
def wait_with_a_timeout(flag, out):
    start = tl.extra.cuda.globaltimer()
    if tl.program_id(0) == 0:
        while (tl.load(flag, volatile=True) == 0) and (tl.extra.cuda.globaltimer() - start < 1000):
            pass
        tl.store(out, tl.load(flag, volatile=True))
    else:
        tl.atomic_xchg(flag, 1)


@triton.jit
def ask_until_asked_often(count, out):
    while tl.atomic_add(count, 1) < 10:
        pass
    tl.store(out + tl.program_id(0), 1)


@triton.jit
def sum_tiles(x, out, n, step, B: tl.constexpr):
    first = n - n
    total = tl.zeros((B,), tl.float32)
    while first < n:
        total += tl.load(x + first + tl.arange(0, B))
        first += step
    tl.store(out + tl.program_id(0), tl.sum(total, axis=0))


@triton.jit
def flip(x, out, n):
    first, second = n - n, n
    while first < 100:
        tl.store(out, first)
        first, second = second, first


@triton.jit
def sum_in_steps(x, out, n, step):
    total = 0.0
    for i in range(0, n, step):
        total += tl.load(x + i)
    tl.store(out, total)


@triton.jit
def halve(out, n):
    left = n
    while left != 1:
        left = tl.where(left % 2 == 0, left // 2, 3 * left + 1)
    tl.store(out + tl.program_id(0), left)


@triton.jit
def count_up(read, write, end):
    while tl.load(read) < end:
        tl.store(write, tl.load(write) + 1)


@triton.jit
def wait_for_the_next(read, write):
    p = tl.program_id(0)
    while tl.load(read + p) == 0:
        tl.debug_barrier()
    tl.store(write + p - 1, 1, mask=p > 0)


def numbers(count=1):
    return torch.zeros(count, dtype=torch.int32)


def locks_in_opposite_order():
    opposite_locks[(2,)](torch.zeros(2), numbers(2), OPPOSITE=1)


def locks_in_the_same_order():
    opposite_locks[(2,)](torch.zeros(2), numbers(2), OPPOSITE=0)


def barrier_of_more_programs():
    grid_barrier[(3,)](torch.zeros(3), numbers(), 2, 1)


def barrier_of_all_programs():
    x = torch.zeros(3)
    grid_barrier[(3,)](x, numbers(), 4, 0)
    assert x.tolist() == [3] * 3


def turns():
    order = numbers(12)
    take_turns[(4,)](order, numbers(), 3)
    assert order.tolist() == [0, 1, 2, 3] * 3


def turns_that_begin_late():
    take_turns[(4,)](numbers(12), numbers() + 1, 3)


def timeout():
    out = numbers()
    wait_with_a_timeout[(2,)](numbers(), out)
    assert out.item() == 1


def questions_that_change_the_answer():
    out = numbers(2)
    ask_until_asked_often[(2,)](numbers(), out)
    assert out.tolist() == [1, 1]


def tiles():
    sum_tiles[(2,)](torch.ones(64), torch.zeros(2), 64, 16, B=16)


def tiles_of_step_zero():
    sum_tiles[(2,)](torch.ones(64), torch.zeros(2), 64, 0, B=16)


def tiles_backwards():
    sum_tiles[(2,)](torch.ones(64), torch.zeros(2), 64, -16, B=16)


def cycle_of_two():
    flip[(1,)](torch.zeros(1), torch.zeros(1), 5)


def range_of_step_zero():
    sum_in_steps[(1,)](torch.zeros(8), torch.zeros(1), 8, 0)


def range_in_steps():
    sum_in_steps[(1,)](torch.zeros(8), torch.zeros(1), 8, 3)


def hailstones():
    halve[(3,)](numbers(3), 27)


def counts_in_one_tensor():
    x = numbers()
    count_up[(1,)](x, x, 10)
    assert x.item() == 10


def counts_in_a_view():
    x = numbers(2)
    count_up[(1,)](x[1:], x.view(2)[1:], 5)
    assert x.tolist() == [0, 5]


def waits_in_one_tensor():
    x = numbers(4)
    x[3] = 1
    wait_for_the_next[(4,)](x, x)
    assert x.tolist() == [1] * 4


def counts_in_another_tensor():
    count_up[(1,)](numbers(), numbers(), 10)
