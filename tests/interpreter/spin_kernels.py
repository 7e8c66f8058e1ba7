"""Kernels whose programs wait for each other."""

import triton
import triton.language as tl


@triton.jit
def locked_sum_kernel(x_ptr, o_ptr, lock_ptr, count_ptr, groups, BLOCK: tl.constexpr):
    """Sums rows into groups under a lock each, as the backward pass of layer normalization does."""
    pid = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    group = pid % groups
    x = tl.load(x_ptr + pid * BLOCK + offsets)
    while tl.atomic_cas(lock_ptr + group, 0, 1) == 1:
        pass
    count = tl.load(count_ptr + group)
    if count == 0:
        tl.atomic_xchg(count_ptr + group, 1)
    else:
        x = x * 0.5 + tl.load(o_ptr + group * BLOCK + offsets)
    tl.store(o_ptr + group * BLOCK + offsets, x)
    tl.debug_barrier()
    tl.atomic_xchg(lock_ptr + group, 0)


@triton.jit
def chained_kernel(x_ptr, flag_ptr, o_ptr):
    """A running sum: each program waits for the one before it, then twice for a lock."""
    pid = tl.program_id(0)
    x = tl.load(x_ptr + pid)
    while tl.load(flag_ptr + pid, volatile=True) == 0:
        pass
    total = x + tl.load(o_ptr + pid)
    tl.store(o_ptr + pid + 1, total)
    tl.atomic_xchg(flag_ptr + pid + 1, 1)
    while tl.atomic_cas(flag_ptr + tl.num_programs(0) + 1, 0, 1) == 1:
        pass
    tl.atomic_xchg(flag_ptr + tl.num_programs(0) + 1, 0)


@triton.jit
def backward_chain_kernel(flag_ptr, o_ptr):
    """Each program waits for the one after it."""
    pid = tl.program_id(0)
    while tl.load(flag_ptr + pid + 1, volatile=True) == 0:
        pass
    tl.store(o_ptr + pid, tl.load(o_ptr + pid + 1) + 1)
    tl.atomic_xchg(flag_ptr + pid, 1)
