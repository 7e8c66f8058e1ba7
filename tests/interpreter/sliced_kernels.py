"""Kernels whose addresses depend on what they, or an earlier launch, stored."""

import triton
import triton.language as tl


@triton.jit
def store_then_gather_kernel(x_ptr, index_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    tl.store(index_ptr + offsets, BLOCK - 1 - offsets)
    tl.debug_barrier()
    tl.store(o_ptr + offsets, tl.load(x_ptr + tl.load(index_ptr + offsets)))


@triton.jit
def reversed_indices_kernel(index_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    tl.store(index_ptr + offsets, BLOCK - 1 - offsets)


@triton.jit
def gather_kernel(x_ptr, index_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    tl.store(o_ptr + offsets, tl.load(x_ptr + tl.load(index_ptr + offsets)))


@triton.jit
def early_return_kernel(x_ptr, o_ptr, length, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    if pid % 2 == 1:
        return
    offsets = pid * BLOCK + tl.arange(0, BLOCK)
    tl.store(o_ptr + offsets, tl.exp(tl.load(x_ptr + offsets, mask=offsets < length)), mask=offsets < length)


@triton.jit
def counted_kernel(x_ptr, counter_ptr, o_ptr, BLOCK: tl.constexpr):
    ticket = tl.atomic_add(counter_ptr, 1)
    offsets = ticket * BLOCK + tl.arange(0, BLOCK)
    total = tl.sum(tl.load(x_ptr + offsets), 0)
    tl.atomic_add(o_ptr, total)
