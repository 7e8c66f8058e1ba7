"""Stores of several programs that a lock or a counter orders, and their twins that nothing orders."""

import torch
import triton
import triton.language as tl


@triton.jit
def add_locked(t, lock):
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.store(t, tl.load(t) + 1.0)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)


@triton.jit
def add_after_unlocking(t, lock):
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.atomic_xchg(lock, 0)
    tl.store(t, tl.load(t) + 1.0)


@triton.jit
def add_own_locks(t, lock):
    own = lock + tl.program_id(0)
    while tl.atomic_cas(own, 0, 1) == 1:
        pass
    tl.store(t, tl.load(t) + 1.0)
    tl.debug_barrier()
    tl.atomic_xchg(own, 0)


@triton.jit
def last_overwrites(part, count, LAST: tl.constexpr, SEM: tl.constexpr):
    p = tl.program_id(0)
    tl.store(part + p, 1.0)
    tl.debug_barrier()
    if tl.atomic_add(count, 1, sem=SEM) == LAST:
        tl.store(part + tl.arange(0, 4), tl.zeros((4,), tl.float32))


def lock():
    add_locked[(4,)](torch.zeros(1), torch.zeros(1, dtype=torch.int32))


def store_after_unlocking():
    add_after_unlocking[(4,)](torch.zeros(1), torch.zeros(1, dtype=torch.int32))


def a_lock_each():
    add_own_locks[(4,)](torch.zeros(1), torch.zeros(4, dtype=torch.int32))


def counter():
    last_overwrites[(4,)](torch.empty(4), torch.zeros(1, dtype=torch.int32), LAST=3, SEM="acq_rel")


def first_to_count():
    last_overwrites[(4,)](torch.empty(4), torch.zeros(1, dtype=torch.int32), LAST=0, SEM="acq_rel")


def relaxed_counter():
    last_overwrites[(4,)](torch.empty(4), torch.zeros(1, dtype=torch.int32), LAST=3, SEM="relaxed")


@triton.jit
def add_relaxed(t, lock, count):
    while tl.atomic_cas(lock, 0, 1, sem="relaxed") == 1:
        pass
    tl.store(t, tl.load(t) + 1.0)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0, sem="relaxed")
    tl.atomic_add(count, 1)


@triton.jit
def clear_and_add(t, SCOPE: tl.constexpr, CLEAR: tl.constexpr):
    if CLEAR and tl.program_id(0) == 0:
        tl.store(t, 0.0)
    tl.atomic_add(t, 1.0, scope=SCOPE)


def relaxed_lock():
    count = torch.zeros(1, dtype=torch.int32)
    add_relaxed[(4,)](torch.zeros(1), torch.zeros(1, dtype=torch.int32), count)


def atomics():
    clear_and_add[(4,)](torch.zeros(1), SCOPE="gpu", CLEAR=False)


def atomics_of_one_program():
    clear_and_add[(4,)](torch.zeros(1), SCOPE="cta", CLEAR=False)


def cleared_in_the_kernel():
    clear_and_add[(4,)](torch.zeros(1), SCOPE="gpu", CLEAR=True)
