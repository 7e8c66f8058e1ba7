"""A comparison: two softmax kernels of one's own, PyTorch's, and a reference. Open it on the compare page.

`impl_whole_row` holds a row on chip and reads it once. `impl_two_passes` reads it twice, in blocks of 256 columns.
"""

import torch
import triton
import triton.language as tl

SWEEP = {"columns": [256, 1000, 4096], "rows": [512]}


@triton.jit
def whole_row_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    x = tl.load(x_ptr + row * columns + column, mask=inside, other=-float("inf"))
    numerator = tl.exp(x - tl.max(x, axis=0))
    tl.store(out_ptr + row * columns + column, numerator / tl.sum(numerator, axis=0), mask=inside)


@triton.jit
def two_passes_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * columns
    column = tl.arange(0, BLOCK)
    most = -float("inf")
    total = 0.0
    for start in range(0, columns, BLOCK):
        x = tl.load(x_ptr + row + start + column, mask=start + column < columns, other=-float("inf"))
        larger = tl.maximum(most, tl.max(x, axis=0))
        total = total * tl.exp(most - larger) + tl.sum(tl.exp(x - larger), axis=0)
        most = larger
    for start in range(0, columns, BLOCK):
        inside = start + column < columns
        x = tl.load(x_ptr + row + start + column, mask=inside, other=-float("inf"))
        tl.store(out_ptr + row + start + column, tl.exp(x - most) / total, mask=inside)


def inputs(rows, columns, seed, device):
    generator = torch.Generator(device=device).manual_seed(seed)
    return torch.randn(rows, columns, generator=generator, device=device)


def reference(x):
    return torch.softmax(x, dim=-1)


def impl_whole_row(x):
    out = torch.empty_like(x)
    whole_row_kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
    return out


def impl_two_passes(x):
    out = torch.empty_like(x)
    two_passes_kernel[(x.shape[0],)](x, out, x.shape[1], BLOCK=256)
    return out


def impl_pytorch(x):
    return torch.softmax(x, dim=-1)


def main(rows=512, columns=1000):
    """For kernel-lab: both kernels, once."""
    x = inputs(rows, columns, 0, "cuda" if torch.cuda.is_available() else "cpu")
    return impl_whole_row(x), impl_two_passes(x)
