"""More correct kernels, and faults of strides, of loaded indices and of ends that are not read. See `base_kernels`."""

from __future__ import annotations

from core.sanitizer import kinds as k
from tests.sanitizer.base_kernels import STRIDES, Base, Plant, sizes

_ROWS = sizes("m", "n", "B", of=((8, 6, 8), (6, 8, 8), (40, 100, 128), (70, 33, 64), (16, 64, 64), (5, 130, 256)))
_SLICES = sizes("m", "n", "w", "B", of=((4, 16, 48, 16), (7, 30, 33, 32), (12, 5, 64, 8), (3, 100, 130, 128)))
_HEADS = sizes("b", "t", "h", "d", of=((2, 10, 4, 16), (1, 6, 8, 32), (3, 7, 5, 8), (2, 33, 2, 64)))
_MATMUL = sizes("m", "n", "k", "B", of=((33, 40, 20, 16), (50, 35, 70, 32), (17, 70, 41, 16), (65, 18, 25, 16)))
_LABELS = sizes("m", "n", "B", of=((4, 1000, 4), (16, 33, 16), (8, 200, 8), (32, 7, 32)))

ROW_SUMS = """@triton.jit
def kernel(x, out, n, s0, s1, B: tl.constexpr):
    r, c = tl.program_id(0), tl.arange(0, B)
    tl.store(out + r, tl.sum(tl.load(x + r * s0 + c * s1, mask=c < n, other=0.0), axis=0))

"""
MASKED_LOOP = """tl.cdiv(n, B)):
        c = start * B + tl.arange(0, B)
        total += tl.load(x + r * n + c, mask=c < n, other=0.0)"""
FLAT = """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + o, 2 * tl.load(x + o, mask=o < n), mask=o < n)

"""

STRIDE_BASES = (
    Base(
        "row sums of a transposed view",
        ROW_SUMS
        + """def main():
    x, out = torch.rand($n, $m).t(), torch.empty($m)
    kernel[($m,)](x, out, $n, x.stride(0), x.stride(1), B=$B)
""",
        _ROWS,
        (
            Plant("take a transposed view as packed", STRIDES, "x.stride(0), x.stride(1)", "$n, 1"),
            Plant("take the last axis as contiguous", STRIDES, "x.stride(1)", "1"),
        ),
    ),
    Base(
        "row sums of a slice",
        ROW_SUMS
        + """def main():
    x, out = torch.rand($m, $w)[:, 1 : $n + 1], torch.empty($m)
    kernel[($m,)](x, out, $n, x.stride(0), x.stride(1), B=$B)
""",
        _SLICES,
        (Plant("take a slice as packed", STRIDES, "x.stride(0), x.stride(1)", "$n, 1"),),
    ),
    Base(
        "row sums of a tall matrix",
        ROW_SUMS
        + """def main():
    x, out = torch.rand($n + $m, $n), torch.empty($n + $m)
    kernel[($n + $m,)](x, out, $n, x.stride(0), x.stride(1), B=$B)
""",
        _ROWS,
        (Plant("swap strides", STRIDES, "x.stride(0), x.stride(1)", "x.stride(1), x.stride(0)"),),
    ),
    Base(
        "copy of a square",
        """@triton.jit
def kernel(x, out, n, s0, s1, B: tl.constexpr):
    i, j = tl.arange(0, B)[:, None], tl.arange(0, B)[None, :]
    inside = (i < n) & (j < n)
    tl.store(out + i * n + j, tl.load(x + i * s0 + j * s1, mask=inside), mask=inside)

def main():
    x, out = torch.rand($n, $n), torch.empty($n, $n)
    kernel[(1,)](x, out, $n, x.stride(0), x.stride(1), B=$B)
""",
        sizes("n", "B", of=((32, 32), (20, 32), (16, 16), (50, 64))),
        (Plant("swap strides", STRIDES, "i * s0 + j * s1", "i * s1 + j * s0"),),
    ),
    Base(
        "norms of heads",
        """@triton.jit
def kernel(q, out, H, T, sb, sh, st, sd, D: tl.constexpr):
    t, h, b = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    x = tl.load(q + b * sb + h * sh + t * st + tl.arange(0, D) * sd)
    tl.store(out + (b * H + h) * T + t, tl.sqrt(tl.sum(x * x, axis=0)))

def main():
    q, out = torch.rand($b, $t, $h, $d).transpose(1, 2), torch.empty($b, $h, $t)
    kernel[($t, $h, $b)](q, out, $h, $t, *q.stride(), D=$d)
""",
        _HEADS,
        (
            Plant("take a transposed view as packed", STRIDES, "*q.stride()", "$h * $t * $d, $t * $d, $d, 1"),
            Plant("swap strides", STRIDES, "*q.stride()", "q.stride(0), q.stride(2), q.stride(1), q.stride(3)"),
        ),
    ),
    Base(
        "elementwise of a transposed view",
        FLAT
        + """def main():
    x, out = torch.rand($n, $m).t(), torch.empty($m, $n)
    kernel[(triton.cdiv($n * $m, $B),)](x.contiguous(), out, $n * $m, B=$B)
""",
        _ROWS,
        (Plant("drop .contiguous()", STRIDES, "x.contiguous()", "x"),),
    ),
    Base(
        "elementwise of an expanded row",
        FLAT
        + """def main():
    x, out = torch.rand(1, $n).expand($m, $n), torch.empty($m, $n)
    kernel[(triton.cdiv($n * $m, $B),)](x.contiguous(), out, $n * $m, B=$B)
""",
        _ROWS,
        (Plant("drop .contiguous()", STRIDES, "x.contiguous()", "x"),),
    ),
    Base(
        "matmul by a transposed weight",
        """@triton.jit
def kernel(a, b, c, M, N, K, sb0, sb1, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    j = tl.program_id(1) * B + tl.arange(0, B)
    acc = tl.zeros((B, B), tl.float32)
    for start in range(0, tl.cdiv(K, B)):
        r = start * B + tl.arange(0, B)
        x = tl.load(a + i[:, None] * K + r[None, :], mask=(i[:, None] < M) & (r[None, :] < K), other=0.0)
        y = tl.load(b + r[:, None] * sb0 + j[None, :] * sb1, mask=(r[:, None] < K) & (j[None, :] < N), other=0.0)
        acc += tl.dot(x, y, input_precision="ieee")
    tl.store(c + i[:, None] * N + j[None, :], acc, mask=(i[:, None] < M) & (j[None, :] < N))

def main():
    a, b, c = torch.rand($m, $k), torch.rand($n, $k).t(), torch.empty($m, $n)
    kernel[triton.cdiv($m, $B), triton.cdiv($n, $B)](a, b, c, $m, $n, $k, *b.stride(), B=$B)
""",
        _MATMUL,
        (
            Plant("take a transposed view as packed", STRIDES, "*b.stride()", "$n, 1"),
            Plant("drop the tail of a loop", (k.UNREAD_INPUT,), "tl.cdiv(K, B)", "K // B"),
        ),
    ),
    Base(
        "long row sums",
        """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    r, total = tl.program_id(0), tl.zeros((B,), tl.float32)
    for start in range(0, """
        + MASKED_LOOP
        + """
    tl.store(out + r, tl.sum(total, axis=0))

def main():
    x, out = torch.rand($m, $n), torch.empty($m)
    kernel[($m,)](x, out, $n, B=$B)
""",
        sizes("m", "n", "B", of=((5, 100, 32), (8, 33, 16), (3, 200, 64), (1, 1000, 256))),
        (
            Plant("drop the tail of a loop", (k.UNREAD_INPUT,), "tl.cdiv(n, B)", "n // B"),
            Plant(
                "drop the tail of a loop, with its mask", (k.UNREAD_INPUT,),
                MASKED_LOOP, "n // B):\n        total += tl.load(x + r * n + start * B + tl.arange(0, B))",
            ),
        ),
    ),
    Base(
        "row maximum in one block",
        """@triton.jit
def kernel(x, out, n, s, B: tl.constexpr):
    r, c = tl.program_id(0), tl.arange(0, B)
    tl.store(out + r, tl.max(tl.load(x + r * s + c, mask=c < n, other=-1.0), axis=0))

def main():
    x, out = torch.rand($m, $n), torch.empty($m)
    kernel[($m,)](x, out, $n, x.stride(0), B=2 * $h)
""",
        sizes("m", "n", "h", of=((5, 100, 64), (8, 33, 32), (3, 200, 128), (16, 17, 16))),
        (Plant("shrink a block", (k.UNREAD_INPUT,), "B=2 * $h", "B=$h"),),
    ),
    Base(
        "total",
        """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(out, tl.sum(tl.load(x + o, mask=o < n, other=0.0), axis=0))

def main():
    x, out = torch.rand($n), torch.zeros(1)
    kernel[(triton.cdiv($n, $B),)](x, out, $n, B=$B)
""",
        sizes("n", "B", of=((1000, 256), (77, 32), (130, 64), (33, 16))),
        (Plant("shrink the grid", (k.UNREAD_INPUT,), "triton.cdiv($n, $B)", "$n // $B"),),
    ),
    Base(
        "target logit",
        """@triton.jit
def kernel(x, y, out, s):
    r = tl.program_id(0)
    label = tl.load(y + r)
    tl.store(out + r, tl.load(x + r * s + label, mask=label >= 0, other=0.0))

def main():
    x, y, out = torch.rand($m, $n), torch.arange($m) % $n, torch.empty($m)
    y[$m - 1] = -min(100, $n)
    kernel[($m,)](x, y, out, x.stride(0))
""",
        _LABELS,
        (
            Plant("drop the mask of a label", (k.OUTSIDE_THE_VIEW,), ", mask=label >= 0, other=0.0", ""),
            Plant("take labels past the row", (k.OUTSIDE_THE_VIEW,), "-min(100, $n)", "-min(100, $n)\n    y[1] = $n"),
        ),
    ),
    Base(
        "gather along rows",
        """@triton.jit
def kernel(x, index, out, n, B: tl.constexpr):
    r, j = tl.arange(0, B)[:, None], tl.arange(0, 4)[None, :]
    i = tl.load(index + r * 4 + j)
    tl.store(out + r * 4 + j, tl.load(x + r * n + i))

def main():
    x, out = torch.rand($m, $n), torch.empty($m, 4)
    index = ($n - 1 - torch.arange(4)).repeat($m, 1)
    index[$m - 1] = 0
    kernel[(1,)](x, index, out, $n, B=$B)
""",
        _LABELS,
        (Plant("shift an index", (k.OUTSIDE_THE_VIEW,), "r * n + i)", "r * n + i + 1)"),),
    ),
    Base(
        "scatter-add into rows",
        """@triton.jit
def kernel(index, out, n, B: tl.constexpr):
    r = tl.arange(0, B)
    tl.atomic_add(out + r * n + tl.load(index + r), 1.0)

def main():
    index, out = torch.arange($m) % $n, torch.zeros($m, $n)
    index[1] = $n - 1
    kernel[(1,)](index, out, $n, B=$B)
""",
        _LABELS,
        (Plant("shift an index", (k.OUTSIDE_THE_VIEW,), "tl.load(index + r)", "tl.load(index + r) + 1"),),
    ),
)  # fmt: skip
