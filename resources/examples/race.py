"""A race: every program stores its sum in the same element, and only the last store remains.

A correct sum needs tl.atomic_add, or one element per program and a second kernel.
"""

import torch
import triton
import triton.language as tl

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@triton.jit
def sum_kernel(x_ptr, total_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n, other=0.0)
    tl.store(total_ptr, tl.sum(x, axis=0))  # should be tl.atomic_add


def main(n=4096, block=1024):
    x = torch.randn(n, device=DEVICE)
    total = torch.zeros(1, device=DEVICE)
    sum_kernel[(triton.cdiv(n, block),)](x, total, n, BLOCK=block)
    return total
