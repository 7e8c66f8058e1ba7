"""A kernel whose addresses follow no order."""

import triton
import triton.language as tl


@triton.jit
def scattered_sum_kernel(x_ptr, o_ptr, length, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    scattered = (offsets.to(tl.int64) * 2654435761 >> 7) % length
    tl.store(o_ptr + tl.program_id(0), tl.sum(tl.load(x_ptr + scattered), 0))
