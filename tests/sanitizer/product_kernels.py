"""Products of float32 tiles in TF32 whose sums cancel, and correct twins."""

import torch
import triton
import triton.language as tl


@triton.jit
def product(a, b, o, K, B: tl.constexpr, PRECISION: tl.constexpr, KEEP: tl.constexpr):
    i, j = tl.program_id(0) * B + tl.arange(0, B)[:, None], tl.arange(0, B)[None, :]
    r = tl.arange(0, B)
    total = tl.zeros((B, B), tl.float32)
    for start in range(0, K, B):
        left = tl.load(a + i * K + start + r[None, :])
        right = tl.load(b + (start + r[:, None]) * B + j)
        total = tl.dot(left, right, total, input_precision=PRECISION)
    tl.store(o + i * B + j, total if KEEP else tl.where(i < 0, total, 0.0))


def multiply(precision: str, mean: float, keep: bool = True, later: float = 1.0):
    """Columns of b sum to zero, so that the mean of a cancels. The second half of b is `later` instead."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(48, 32, generator=generator) + mean, torch.randn(32, 16, generator=generator)
    b[:16] -= b[:16].mean(dim=0)
    b[16:] = later
    product[(3,)](a, b, torch.zeros(48, 16), 32, B=16, PRECISION=precision, KEEP=keep)
