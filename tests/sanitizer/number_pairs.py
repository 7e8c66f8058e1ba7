"""Kernels whose numbers stay in range, and the edits after which they overflow, become NaN or lose their digits."""

from __future__ import annotations

from core.sanitizer import kinds as k
from tests.sanitizer.base_kernels import Base, Plant, sizes

BORN = (k.NAN_BORN, k.INFINITY_BORN)
NUMBERS = sizes("n", "B", of=((1000, 256), (77, 32), (515, 128), (33, 16)))
ROWS = sizes("m", "n", "B", of=((5, 100, 128), (8, 33, 64), (3, 200, 256), (16, 17, 32)))
TILES = sizes("m", "k", "B", of=((16, 32, 16), (64, 64, 32), (32, 16, 16), (48, 80, 16)))

FLOATS = (
    Base(
        "softmax of large numbers",
        """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    row, o = tl.program_id(0), tl.arange(0, B)
    a = tl.load(x + row * n + o, mask=o < n, other=-float("inf"))
    e = tl.exp(a - tl.max(a, axis=0))
    tl.store(out + row * n + o, e / tl.sum(e, axis=0), mask=o < n)

def main():
    x, out = torch.linspace(-200, 200, $m * $n).reshape($m, $n), torch.empty($m, $n)
    kernel[($m,)](x, out, $n, B=$B)
""",
        ROWS,
        (Plant("drop the maximum of a softmax", BORN, "a - tl.max(a, axis=0)", "a"),),
    ),
    Base(
        "masked online softmax",
        """@triton.jit
def kernel(x, out, lse, n, shift, B: tl.constexpr):
    row = tl.program_id(0)
    m, l = -float("inf"), 0.0
    for first in range(0, n, B):
        o = first + tl.arange(0, B)
        a = tl.load(x + row * n + o, mask=o < n, other=0.0)
        a = tl.where((o < n) & (o <= row - shift), a, -float("inf"))
        new = tl.maximum(m, tl.max(a, axis=0))
        safe = tl.where(new == -float("inf"), 0.0, new)
        l = l * tl.exp(m - safe) + tl.sum(tl.exp(a - safe), axis=0)
        m = new
    tl.store(lse + row, tl.where(l == 0.0, -float("inf"), m + tl.log(l)))
    tl.store(out + row, 1.0 / tl.where(l == 0.0, 1.0, l))

def main():
    x, out, lse = torch.rand($m, $n), torch.empty($m), torch.empty($m)
    kernel[($m,)](x, out, lse, $n, 2, B=$B // 4)
""",
        ROWS,
        (
            Plant("drop the guard of an empty row", BORN, 'tl.where(new == -float("inf"), 0.0, new)', "new"),
            Plant("drop the guard of a division", BORN, "tl.where(l == 0.0, 1.0, l)", "l"),
        ),
    ),
    Base(
        "root mean square norm",
        """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    row, o = tl.program_id(0), tl.arange(0, B)
    a = tl.load(x + row * n + o, mask=o < n, other=0.0)
    tl.store(out + row * n + o, a * tl.rsqrt(tl.sum(a * a, axis=0) / n + 1e-6), mask=o < n)

def main():
    x, out = torch.rand($m, $n), torch.empty($m, $n)
    x[1] = 0
    kernel[($m,)](x, out, $n, B=$B)
""",
        ROWS,
        (Plant("drop epsilon", BORN, " / n + 1e-6", " / n"),),
    ),
    Base(
        "ratios",
        """@triton.jit
def kernel(x, y, out, logs, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    a, b = tl.load(x + o, mask=o < n, other=0.0), tl.load(y + o, mask=o < n, other=0.0)
    tl.store(out + o, tl.where(b == 0.0, 0.0, a / b), mask=o < n)
    tl.store(logs + o, tl.log(tl.maximum(a, 1e-20)), mask=o < n)

def main():
    x, y, out, logs = torch.rand($n), torch.rand($n), torch.empty($n), torch.empty($n)
    x[3], y[5] = 0, 0
    kernel[(triton.cdiv($n, $B),)](x, y, out, logs, $n, B=$B)
""",
        NUMBERS,
        (
            Plant("drop the guard of a division", BORN, "tl.where(b == 0.0, 0.0, a / b)", "a / b"),
            Plant("drop the clamp of a logarithm", BORN, "tl.maximum(a, 1e-20)", "a"),
        ),
    ),
    Base(
        "scale to float16",
        """@triton.jit
def kernel(x, out, total, scale, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    a = tl.load(x + o, mask=o < n, other=0.0)
    tl.store(out + o, (a * scale).to(tl.float16), mask=o < n)
    tl.store(total + tl.program_id(0), tl.sum((a * scale).to(tl.float16).to(tl.float32), axis=0))

def main():
    x, out = torch.rand($n) * 1e4 + 1e5, torch.empty($n, dtype=torch.float16)
    grid = triton.cdiv($n, $B)
    kernel[(grid,)](x, out, torch.empty(grid), 1e-3, $n, B=$B)
""",
        NUMBERS,
        (
            Plant("cast before scaling", (k.CAST_OVERFLOW,), "out + o, (a * scale).to(tl.float16)",
                  "out + o, a.to(tl.float16) * scale"),
            Plant("drop a scale", (k.CAST_OVERFLOW, *BORN), "tl.sum((a * scale)", "tl.sum((a)"),
        ),
    ),
    Base(
        "quantize to 8 bits",
        """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    row, o = tl.program_id(0), tl.arange(0, B)
    a = tl.load(x + row * n + o, mask=o < n, other=0.0)
    scale = tl.max(tl.abs(a), axis=0) / 448.0
    tl.store(out + row * n + o, (a / scale).to(tl.float8e4nv), mask=o < n)

def main():
    x, out = torch.randn($m, $n) * 1000, torch.empty($m, $n, dtype=torch.float8_e4m3fn)
    kernel[($m,)](x, out, $n, B=$B)
""",
        ROWS,
        (Plant("drop a scale", (k.CAST_OVERFLOW,), "a / scale", "a"),),
    ),
    Base(
        "sum of float16",
        """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    row, o = tl.program_id(0), tl.arange(0, B)
    a = tl.load(x + row * n + o, mask=o < n, other=0.0)
    tl.store(out + row, tl.sum(a.to(tl.float32), axis=0))

def main():
    x, out = torch.rand($m, $n).half() * 1000 + 7000, torch.empty($m)
    kernel[($m,)](x, out, $n, B=$B)
""",
        ROWS,
        (Plant("sum in float16", BORN, "a.to(tl.float32)", "a"),),
    ),
    Base(
        "product of centred columns",
        """@triton.jit
def kernel(a, b, out, K, B: tl.constexpr):
    i, j = tl.program_id(0) * B + tl.arange(0, B), tl.arange(0, B)
    total = tl.zeros((B, B), tl.float32)
    for first in range(0, K, B):
        left = tl.load(a + i[:, None] * K + first + j[None, :])
        right = tl.load(b + (first + j[:, None]) * B + j[None, :])
        total += tl.dot(left, right, input_precision="ieee")
    tl.store(out + i[:, None] * B + j[None, :], total)

def main():
    a, b, out = torch.randn($m, $k) + 2000, torch.randn($k, $B), torch.empty($m, $B)
    b -= b.mean(dim=0)
    kernel[($m // $B,)](a, b, out, $k, B=$B)
""",
        TILES,
        (Plant("TF32 instead of float32", (k.TF32_ERROR,), ', input_precision="ieee"', ""),),
    ),
)  # fmt: skip

INTEGERS = (
    Base(
        "circular shift",
        """@triton.jit
def kernel(x, out, n, by, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    a = tl.load(x + (o - by + n) % n, mask=o < n)
    tl.store(out + o, a, mask=o < n)

def main():
    x, out = torch.rand($n), torch.empty($n)
    kernel[(triton.cdiv($n, $B),)](x, out, $n, 3, B=$B)
""",
        NUMBERS,
        (Plant("a remainder of negative numbers", (k.NEGATIVE_DIVISION,), "(o - by + n) % n", "(o - by) % n"),),
    ),
    Base(
        "bins",
        """@triton.jit
def kernel(x, out, n, width, low, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    a = tl.load(x + o, mask=o < n, other=0)
    tl.store(out + o, (a - low) // width, mask=o < n)

def main():
    x, out = torch.arange($n, dtype=torch.int32) - 17, torch.empty($n, dtype=torch.int32)
    kernel[(triton.cdiv($n, $B),)](x, out, $n, 5, -20, B=$B)
""",
        NUMBERS,
        (Plant("a quotient of negative numbers", (k.NEGATIVE_DIVISION,), "(a - low) // width", "a // width"),),
    ),
    Base(
        "squares",
        """@triton.jit
def kernel(x, out, total, n, B: tl.constexpr):
    row, o = tl.program_id(0), tl.arange(0, B)
    a = tl.load(x + row * n + o, mask=o < n, other=0)
    tl.store(total + row, tl.sum(a.to(tl.int64), axis=0))
    tl.store(out + row * n + o, a.to(tl.float32) * a, mask=o < n)

def main():
    x = torch.arange($m * $n, dtype=torch.int32).reshape($m, $n) + 500_000_000
    kernel[($m,)](x, torch.empty($m, $n), torch.empty($m, dtype=torch.int64), $n, B=$B)
""",
        ROWS,
        (
            Plant("compute in int32", (k.INTEGER_OVERFLOW,), "tl.sum(a.to(tl.int64), axis=0)", "tl.sum(a, axis=0)"),
            Plant("cast after a product", (k.INTEGER_OVERFLOW,), "a.to(tl.float32) * a", "(a * a).to(tl.float32)"),
        ),
    ),
    Base(
        "add bytes",
        """@triton.jit
def kernel(x, y, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    a, b = tl.load(x + o, mask=o < n, other=0), tl.load(y + o, mask=o < n, other=0)
    total = a.to(tl.int32) + b
    tl.store(out + o, tl.minimum(total, 127).to(tl.int8), mask=o < n)

def main():
    x, y, out = (torch.full(($n,), 100, dtype=torch.int8) for _ in range(3))
    kernel[(triton.cdiv($n, $B),)](x, y, out, $n, B=$B)
""",
        NUMBERS,
        (Plant("compute in int8", (k.INTEGER_OVERFLOW,), "a.to(tl.int32) + b", "a + b"),),
    ),
)

NUMBER_PAIRS = (*FLOATS, *INTEGERS)
