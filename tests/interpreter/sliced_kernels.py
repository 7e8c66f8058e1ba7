"""Kernels whose addresses depend on what they, or an earlier launch, stored."""

import triton
import triton.language as tl


@triton.jit
def store_then_gather_kernel(x_ptr, index_ptr, o_ptr, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(index_ptr + at, BLOCK - 1 - at)
    tl.debug_barrier()
    tl.store(o_ptr + at, tl.load(x_ptr + tl.load(index_ptr + at)))


@triton.jit
def reversed_indices_kernel(index_ptr, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(index_ptr + at, BLOCK - 1 - at)


@triton.jit
def gather_kernel(x_ptr, index_ptr, o_ptr, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(o_ptr + at, tl.load(x_ptr + tl.load(index_ptr + at)))


@triton.jit
def early_return_kernel(x_ptr, o_ptr, length, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    if pid % 2 == 1:
        return
    at = pid * BLOCK + tl.arange(0, BLOCK)
    tl.store(o_ptr + at, tl.exp(tl.load(x_ptr + at, mask=at < length)), mask=at < length)


@triton.jit
def counted_kernel(x_ptr, counter_ptr, o_ptr, BLOCK: tl.constexpr):
    ticket = tl.atomic_add(counter_ptr, 1)
    at = ticket * BLOCK + tl.arange(0, BLOCK)
    total = tl.sum(tl.load(x_ptr + at), 0)
    tl.atomic_add(o_ptr, total)
