"""The same copy twice: along the rows of a matrix, and down its columns.

Both move the same bytes. Down a column, neighbouring lanes are a whole row apart, so each 4-byte element needs a
32-byte sector of its own.
"""

import torch
import triton
import triton.language as tl

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@triton.jit
def copy_rows_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    offsets = tl.program_id(0).to(tl.int64) * columns + tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + offsets, tl.load(x_ptr + offsets))


@triton.jit
def copy_columns_kernel(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row = (tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    offsets = row * columns + tl.program_id(0)
    tl.store(out_ptr + offsets, tl.load(x_ptr + offsets))


def main(size=256, block=128):
    x = torch.randn(size, size, device=DEVICE)
    along, down = torch.empty_like(x), torch.empty_like(x)
    grid = (size, size // block)
    copy_rows_kernel[grid](x, along, size, BLOCK=block)
    copy_columns_kernel[grid](x, down, size, BLOCK=block)
    return along, down
