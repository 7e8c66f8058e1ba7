"""A read past the end: each element is read with its successor, and the last successor is not masked.

On a GPU this reads whatever is behind the tensor, usually unnoticed.
"""

import torch
import triton
import triton.language as tl

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@triton.jit
def difference_kernel(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < n
    here = tl.load(x_ptr + offsets, mask=inside)
    ahead = tl.load(x_ptr + offsets + 1, mask=inside)  # should be masked by offsets + 1 < n
    tl.store(out_ptr + offsets, ahead - here, mask=inside)


def main(n=1000, block=256):
    x = torch.arange(n, dtype=torch.float32, device=DEVICE)
    out = torch.empty_like(x)
    difference_kernel[(triton.cdiv(n, block),)](x, out, n, BLOCK=block)
    return out
