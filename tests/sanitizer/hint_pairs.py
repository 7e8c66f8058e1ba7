"""Correct kernels with offsets of 64 bits, or whose promises to the compiler hold, and the faults planted into them."""

from __future__ import annotations

from core.sanitizer import kinds as k
from tests.sanitizer.base_kernels import ROWS, Base, Plant

HINT = (k.BROKEN_HINT,)
AHEAD = (k.ADDRESS_OVERFLOW_AHEAD,)

WIDE_BASES = (
    Base(
        "copy of rows",
        """@triton.jit
def kernel(x, out, n, stride, B: tl.constexpr):
    row, o = tl.program_id(0).to(tl.int64), tl.arange(0, B)
    tl.store(out + row * stride + o, tl.load(x + row * stride + o, mask=o < n), mask=o < n)

def main():
    x = torch.rand($m, $n)
    out = torch.empty_like(x)
    kernel[($m,)](x, out, $n, x.stride(0), B=$B)
""",
        ROWS,
        (Plant("drop the cast to int64", AHEAD, ".to(tl.int64)", ""),),
    ),
    Base(
        "loop over rows",
        """@triton.jit
def kernel(x, out, rows, n, stride, B: tl.constexpr):
    o = tl.arange(0, B)
    total = tl.zeros((B,), dtype=tl.float32)
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        total += tl.load(x + row.to(tl.int64) * stride + o, mask=o < n, other=0.0)
    tl.atomic_add(out + o, total, mask=o < n)

def main():
    x, out = torch.rand($m, $n), torch.zeros($n)
    kernel[(2,)](x, out, $m, $n, x.stride(0), B=$B)
""",
        ROWS,
        (Plant("drop the cast to int64", AHEAD, ".to(tl.int64)", ""),),
    ),
)
"""Plants that are remarks: nothing is wrong at these sizes."""

ROTATED = (
    {"n": 1000, "s": 40, "B": 256},
    {"n": 2048, "s": 128, "B": 512},
    {"n": 520, "s": 8, "B": 128},
    {"n": 640, "s": 316, "B": 256},
    {"n": 4096, "s": 1024, "B": 1024},
    {"n": 260, "s": 12, "B": 128},
)

HINT_BASES = (
    Base(
        "rotation",
        """@triton.jit
def kernel(x, out, n, shift, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    source = tl.max_contiguous(tl.multiple_of((o + shift) % n, 4), 4)
    tl.store(out + o, tl.load(x + source), mask=o < n)

def main():
    x, out = torch.rand($n), torch.empty($n)
    kernel[(triton.cdiv($n, $B),)](x, out, $n, $s, B=$B)
""",
        ROTATED,
        (
            Plant("promise too much", HINT, "x, out, $n, $s, B=$B", "x, out, $n, $s + 2, B=$B"),
            Plant("promise too much of neighbours", HINT, "(o + shift) % n, 4)", "(o * 2 + shift) % n, 4)"),
        ),
    ),
    Base(
        "aligned rows",
        """@triton.jit
def kernel(x, out, sx, so, n, B: tl.constexpr):
    row, o = tl.program_id(0).to(tl.int64), tl.arange(0, B)
    keep = tl.max_constancy(o < n, 4)
    a = tl.load(x + tl.multiple_of(row * sx, 4) + o, mask=keep, other=0.0)
    tl.store(out + tl.multiple_of(row * so, 4) + o, a, mask=keep)

def main():
    x, out = torch.rand($m, $n), torch.empty($m, $n)
    kernel[($m,)](x, out, x.stride(0), out.stride(0), $n, B=$B)
""",
        (
            {"m": 5, "n": 100, "B": 128},
            {"m": 8, "n": 200, "B": 256},
            {"m": 3, "n": 484, "B": 512},
            {"m": 16, "n": 128, "B": 128},
            {"m": 9, "n": 68, "B": 128},
            {"m": 4, "n": 252, "B": 256},
        ),
        (
            Plant("promise an alignment", HINT, "torch.rand($m, $n)", "torch.rand($m, $n + 1)[:, :$n]"),
            Plant("promise equal masks", HINT, "out.stride(0), $n, B=$B", "out.stride(0), $n - 2, B=$B"),
        ),
    ),
    Base(
        "compiled before",
        """@triton.jit
def kernel(x, out, n, step, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + o, tl.load(x + o * step, mask=o < n, other=0.0), mask=o < n)

def main():
    x, out = torch.rand($n + 64), torch.zeros($n + 64)
    compiled = kernel.warmup(x, out, $n, 1, B=$B, grid=(1,))
    compiled[(triton.cdiv($n, $B), 1, 1)](x[16:], out[16:], $n, 1, $B)
""",
        (
            {"n": 1008, "B": 256},
            {"n": 80, "B": 32},
            {"n": 144, "B": 64},
            {"n": 528, "B": 128},
            {"n": 2064, "B": 512},
            {"n": 48, "B": 16},
        ),
        (
            Plant("pass a misaligned tensor", HINT, "(x[16:], out[16:]", "(x[17:], out[16:]"),
            Plant("pass another multiple", HINT, "out[16:], $n, 1, $B)", "out[16:], $n - 3, 1, $B)"),
            Plant("pass another constant", HINT, "out[16:], $n, 1, $B)", "out[16:], $n, 2, $B)"),
        ),
    ),
)
