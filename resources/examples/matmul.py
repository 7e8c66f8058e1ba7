"""Matrix product with grouped ordering: consecutive programs share tiles of A and B.

Set GROUP to 1 and compare: the requested bytes stay the same, but consecutive programs touch more distinct bytes.
"""

import torch
import triton
import triton.language as tl

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@triton.jit
def matmul_kernel(
    a_ptr, b_ptr, c_ptr, M, N, K, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    GROUP: tl.constexpr,
):  # fmt: skip
    # First down the GROUP tile rows of a group, then one tile column to the right.
    program = tl.program_id(0)
    tiles_m, tiles_n = tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N)
    group = program // (GROUP * tiles_n)
    rows_of_group = min(tiles_m - group * GROUP, GROUP)
    tile_m = group * GROUP + program % (GROUP * tiles_n) % rows_of_group
    tile_n = program % (GROUP * tiles_n) // rows_of_group

    m = (tile_m * BLOCK_M + tl.arange(0, BLOCK_M)).to(tl.int64)[:, None]
    n = tile_n * BLOCK_N + tl.arange(0, BLOCK_N)[None, :]
    k = tl.arange(0, BLOCK_K).to(tl.int64)
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for start in range(0, K, BLOCK_K):
        k_left = K - start
        a = tl.load(a_ptr + m * K + start + k[None, :], mask=(m < M) & (k[None, :] < k_left), other=0.0)
        b = tl.load(b_ptr + (start + k[:, None]) * N + n, mask=(k[:, None] < k_left) & (n < N), other=0.0)
        acc = tl.dot(a, b, acc)
    tl.store(c_ptr + m * N + n, acc.to(tl.float16), mask=(m < M) & (n < N))


def matmul(a, b, block_m=64, block_n=64, block_k=32, group=4):
    (rows, inner), columns = a.shape, b.shape[1]
    c = torch.empty(rows, columns, dtype=a.dtype, device=a.device)
    grid = (triton.cdiv(rows, block_m) * triton.cdiv(columns, block_n),)
    matmul_kernel[grid](a, b, c, rows, columns, inner, BLOCK_M=block_m, BLOCK_N=block_n, BLOCK_K=block_k, GROUP=group)
    return c


def main(size=512):
    a = torch.randn(size, size, dtype=torch.float16, device=DEVICE)
    b = torch.randn(size, size, dtype=torch.float16, device=DEVICE)
    return matmul(a, b)
