"""Runs the flash kernel in Triton's interpreter, in a process of its own: TRITON_INTERPRET is read at import.

python -m tests.benchmarks.interpreted_flash OUT.npz LENGTH REPEATS, with TRITON_INTERPRET=1.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from kernels.attention import Impl, attention

HEADS, HEAD_DIM, THREADS = 4, 64, 2


def inputs(length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Q, K and V [1, 4, length, 64], float32, the same in every process."""
    generator = torch.Generator().manual_seed(length)
    q, k, v = (torch.randn(1, HEADS, length, HEAD_DIM, generator=generator) for _ in range(3))
    return q, k, v


def flash(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The kernel that is timed: causal, 64 x 64 tiles."""
    result = attention(q, k, v, impl=Impl.TRITON_FLASH, causal=True, block_q=64, block_kv=64)
    return result if isinstance(result, torch.Tensor) else result.out


def main(path: str, length: int, repeats: int) -> None:
    torch.set_num_threads(THREADS)
    tensors = inputs(length)
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        out = flash(*tensors)
        samples.append(time.perf_counter() - start)
    np.savez(path, out=out.numpy(), seconds=np.array(samples))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
