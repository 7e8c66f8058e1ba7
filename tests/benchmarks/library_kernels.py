"""What kernel libraries are made of, launched on CPU tensors: by the TTIR interpreter, or (TRITON_INTERPRET=1) by the
interpreter.

python -m tests.benchmarks.library_kernels OUT.npz NAME runs one in the interpreter and writes output and seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import triton
import triton.language as tl

from tests.interpreter.spin_kernels import locked_sum_kernel


@triton.jit
def matmul_kernel(a_ptr, b_ptr, c_ptr, M, N, K, TILE: tl.constexpr, TILE_K: tl.constexpr, GROUP: tl.constexpr):
    pid = tl.program_id(0)
    tiles_m, tiles_n = tl.cdiv(M, TILE), tl.cdiv(N, TILE)
    first = pid // (GROUP * tiles_n) * GROUP
    size = min(tiles_m - first, GROUP)
    pid_m, pid_n = first + pid % (GROUP * tiles_n) % size, pid % (GROUP * tiles_n) // size
    rows, columns = pid_m * TILE + tl.arange(0, TILE), pid_n * TILE + tl.arange(0, TILE)
    inner = tl.arange(0, TILE_K)
    a_ptrs = a_ptr + rows[:, None] * K + inner[None, :]
    b_ptrs = b_ptr + inner[:, None] * N + columns[None, :]
    acc = tl.zeros((TILE, TILE), tl.float32)
    for _ in range(0, K, TILE_K):
        acc = tl.dot(tl.load(a_ptrs), tl.load(b_ptrs), acc, input_precision="ieee")
        a_ptrs += TILE_K
        b_ptrs += TILE_K * N
    tl.store(c_ptr + rows[:, None] * N + columns[None, :], acc)


@triton.jit
def layer_norm_kernel(x_ptr, w_ptr, b_ptr, o_ptr, columns, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * columns
    total = tl.zeros([BLOCK], tl.float32)
    for start in range(0, columns, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + row + cols, mask=cols < columns, other=0.0)
    mean = tl.sum(total, 0) / columns
    squares = tl.zeros([BLOCK], tl.float32)
    for start in range(0, columns, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row + cols, mask=cols < columns, other=0.0)
        squares += tl.where(cols < columns, (x - mean) * (x - mean), 0.0)
    scale = 1 / tl.sqrt(tl.sum(squares, 0) / columns + eps)
    for start in range(0, columns, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row + cols, mask=cols < columns)
        w, b = tl.load(w_ptr + cols, mask=cols < columns), tl.load(b_ptr + cols, mask=cols < columns)
        tl.store(o_ptr + row + cols, (x - mean) * scale * w + b, mask=cols < columns)


@triton.jit
def softmax_kernel(x_ptr, o_ptr, columns, BLOCK: tl.constexpr):
    cols = tl.arange(0, BLOCK)
    row = tl.program_id(0).to(tl.int64) * columns
    x = tl.load(x_ptr + row + cols, mask=cols < columns, other=float("-inf"))
    e = tl.exp(x - tl.max(x, 0))
    tl.store(o_ptr + row + cols, e / tl.sum(e, 0), mask=cols < columns)


@triton.jit
def dequantize_kernel(packed_ptr, absmax_ptr, code_ptr, o_ptr, length, GROUP: tl.constexpr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    packed = tl.load(packed_ptr + offsets, mask=offsets < length).to(tl.int32)
    absmax = tl.load(absmax_ptr + offsets // (GROUP // 2), mask=offsets < length)
    high = tl.load(code_ptr + (packed >> 4)) * absmax
    low = tl.load(code_ptr + (packed & 15)) * absmax
    out_offsets = tl.program_id(0) * 2 * BLOCK + tl.arange(0, 2 * BLOCK)
    tl.store(o_ptr + out_offsets, tl.interleave(high, low), mask=out_offsets < 2 * length)


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def matmul(fraction: float) -> Callable[[], torch.Tensor]:
    size, tile = 1024, 64
    a, b, c = _random(size, size), _random(size, size, seed=1), torch.full((size, size), torch.nan)

    def launch() -> torch.Tensor:
        grid = (int((size // tile) ** 2 * fraction),)
        matmul_kernel[grid](a, b, c, size, size, size, TILE=tile, TILE_K=32, GROUP=8)
        return c

    return launch


def layer_norm(fraction: float) -> Callable[[], torch.Tensor]:
    rows = columns = 4096
    x, w, b = _random(rows, columns), _random(columns, seed=1), _random(columns, seed=2)
    o = torch.full((rows, columns), torch.nan)

    def launch() -> torch.Tensor:
        layer_norm_kernel[(int(rows * fraction),)](x, w, b, o, columns, 1e-5, BLOCK=1024)
        return o

    return launch


def softmax(fraction: float) -> Callable[[], torch.Tensor]:
    rows = columns = 4096
    x, o = _random(rows, columns), torch.full((rows, columns), torch.nan)

    def launch() -> torch.Tensor:
        softmax_kernel[(int(rows * fraction),)](x, o, columns, BLOCK=4096)
        return o

    return launch


def dequantize(fraction: float) -> Callable[[], torch.Tensor]:
    elements, group, block = 16 << 20, 64, 512
    packed = torch.randint(0, 256, (elements // 2,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    absmax, code, o = _random(elements // group).abs(), _random(16, seed=1), torch.full((elements,), torch.nan)

    def launch() -> torch.Tensor:
        grid = (int(elements // 2 // block * fraction),)
        dequantize_kernel[grid](packed, absmax, code, o, elements // 2, GROUP=group, BLOCK=block)
        return o

    return launch


def locked_sum(fraction: float) -> Callable[[], torch.Tensor]:
    rows, columns, groups = 2048, 256, 64
    x, o = _random(rows, columns), torch.full((groups, columns), torch.nan)

    def launch() -> torch.Tensor:
        locks, counts = torch.zeros(2, groups, dtype=torch.int32)
        locked_sum_kernel[(int(rows * fraction),)](x, o, locks, counts, groups, BLOCK=columns)
        return o

    return launch


@dataclass(frozen=True)
class Workload:
    """`interpreted` is the part of the programs of the same grid, the first ones, that the interpreter runs."""

    title: str
    make: Callable[[float], Callable[[], torch.Tensor]]
    interpreted: float
    tolerance: float


WORKLOADS = {
    "matmul": Workload("matmul, 1024 x 1024 x 1024", matmul, 1.0, 2e-4),
    "layer_norm": Workload("layer norm, 4096 x 4096", layer_norm, 1.0, 2e-5),
    "softmax": Workload("softmax, 4096 x 4096", softmax, 1.0, 1e-6),
    "locked_sum": Workload("sums under 64 spin locks, 2048 x 256", locked_sum, 1.0, 1e-5),
    "dequantize": Workload("NF4 dequantize, 16 M elements", dequantize, 0.25, 0.0),
}


def main(path: str, name: str) -> None:
    workload = WORKLOADS[name]
    launch = workload.make(workload.interpreted)
    start = time.perf_counter()
    out = launch()
    seconds = time.perf_counter() - start
    np.savez(path, out=out.numpy(), seconds=np.array(seconds))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
