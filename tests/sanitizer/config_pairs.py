"""Autotuned kernels whose configurations give one result, and the edits after which the result depends on them."""

from __future__ import annotations

from core.sanitizer.kinds import CONFIGURATION_CHANGES_RESULT, WRITE_WRITE_RACE
from tests.sanitizer.base_kernels import Base, Plant, sizes

DEPENDS = (CONFIGURATION_CHANGES_RESULT,)
TUNED = "@triton.autotune(configs=[triton.Config({'B': $B}), triton.Config({'B': 2 * $B})], key=[])\n"
NUMBERS = sizes("n", "B", of=((1000, 32), (77, 16), (515, 64), (2049, 256)))
ROWS = sizes("m", "n", "B", of=((5, 90, 32), (8, 33, 16), (3, 190, 64), (16, 70, 16)))

CONFIGS = (
    Base(
        "tuned scale",
        TUNED
        + """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + o, 3 * tl.load(x + o, mask=o < n), mask=o < n)

def main():
    x, out = torch.rand($n) + 1, torch.zeros($n)
    kernel[lambda meta: (triton.cdiv($n, meta["B"]),)](x, out, $n)
""",
        NUMBERS,
        (
            Plant("a grid of one configuration", DEPENDS, 'meta["B"]),)', "2 * $B),)"),
            Plant("a value of the configuration", DEPENDS, "3 * tl.load", "B * tl.load"),
        ),
    ),
    Base(
        "tuned sum",
        TUNED.replace("key=[]", "key=[], reset_to_zero=['out']")
        + """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(out, tl.sum(tl.load(x + o, mask=o < n, other=0.0), axis=0))

def main():
    x, out = torch.rand($n) + 1, torch.zeros(1)
    kernel[lambda meta: (triton.cdiv($n, meta["B"]),)](x, out, $n)
""",
        NUMBERS,
        (
            Plant("drop the atomic", (*DEPENDS, WRITE_WRITE_RACE), "tl.atomic_add(", "tl.store("),
            Plant("a grid of one configuration", DEPENDS, 'meta["B"]),)', "2 * $B),)"),
        ),
    ),
    Base(
        "tuned rows",
        TUNED
        + """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    row, total = tl.program_id(0), tl.zeros((B,), tl.float32)
    limit = n
    for first in range(0, limit, B):
        o = first + tl.arange(0, B)
        total += tl.load(x + row * n + o, mask=o < n, other=0.0)
    mean = tl.sum(total, axis=0) / n
    for first in range(0, n, B):
        o = first + tl.arange(0, B)
        tl.store(out + row * n + o, tl.load(x + row * n + o, mask=o < n) - mean, mask=o < n)

def main():
    x, out = torch.rand($m + 4, $n) + 1, torch.empty($m, $n)
    kernel[($m,)](x, out, $n)
""",
        ROWS,
        (
            Plant("read beyond the row", DEPENDS, "o, mask=o < n, other=0.0)", "o)"),
            Plant("stop at one block", DEPENDS, "range(0, limit, B)", "range(0, B, B)"),
        ),
    ),
    Base(
        "tuned matmul",
        TUNED
        + """@triton.jit
def kernel(a, b, c, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    j, total = tl.arange(0, 16), tl.zeros((B, 16), tl.float32)
    for first in range(0, n, B):
        k = first + tl.arange(0, B)
        x = tl.load(a + i[:, None] * n + k[None, :], mask=(i[:, None] < n) & (k[None, :] < n), other=0.0)
        y = tl.load(b + k[:, None] * 16 + j[None, :], mask=k[:, None] < n, other=0.0)
        total += tl.dot(x, y)
    tl.store(c + i[:, None] * 16 + j[None, :], total, mask=i[:, None] < n)

def main():
    a, b, c = torch.randn($n, $n).half(), torch.randn($n, 16).half(), torch.zeros($n, 16)
    kernel[lambda meta: (triton.cdiv($n, meta["B"]),)](a, b, c, $n)
""",
        sizes("n", "B", of=((100, 16), (77, 32), (200, 16), (130, 64))),
        (
            Plant("a grid of one configuration", DEPENDS, 'meta["B"]),)', "2 * $B),)"),
            Plant("step over a part", DEPENDS, "k = first + tl", "k = first + first // B + tl"),
        ),
    ),
    Base(
        "tuned noise",
        TUNED
        + """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    keep = tl.rand(7, o) > 0.5
    tl.store(out + o, tl.where(keep, tl.load(x + o, mask=o < n), 0.0), mask=o < n)

def main():
    x, out = torch.rand($n) + 1, torch.zeros($n)
    kernel[lambda meta: (triton.cdiv($n, meta["B"]),)](x, out, $n)
""",
        NUMBERS,
        (Plant("random numbers by tile", DEPENDS, "tl.rand(7, o)", "tl.rand(7 + tl.program_id(0), tl.arange(0, B))"),),
    ),
)  # fmt: skip
