"""Correct kernels as texts, and the faults that can be planted into each: an edit, and the kinds that it may show as.

`$name` stands for a size. Sizes are no multiples of their blocks, so that every edit is a fault at every size.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.sanitizer import kinds as k

HEAD = "import torch, triton, triton.language as tl\n\n"
OUTSIDE = (k.OUT_OF_BOUNDS, k.OUTSIDE_THE_VIEW)
RACES = (k.WRITE_WRITE_RACE, k.READ_WRITE_RACE, k.LANES_COLLIDE)
STRIDES = (k.WRONG_STRIDES, *OUTSIDE)


@dataclass(frozen=True)
class Plant:
    """An edit of a base kernel: `old` becomes `new`, and one of `kinds` has to be found."""

    name: str
    kinds: tuple[str, ...]
    old: str
    new: str


@dataclass(frozen=True)
class Base:
    """A correct kernel with a `main` that launches it, its sizes, and its plants."""

    name: str
    text: str
    sizes: tuple[dict[str, int], ...]
    plants: tuple[Plant, ...]


def sizes(*names: str, of: tuple[tuple[int, ...], ...]) -> tuple[dict[str, int], ...]:
    """Sizes by name."""
    return tuple(dict(zip(names, each, strict=True)) for each in of)


N_AND_BLOCK = sizes("n", "B", of=((1000, 256), (77, 32), (130, 64), (515, 128), (2049, 512), (33, 16)))
ROWS = sizes("m", "n", "B", of=((5, 100, 128), (8, 33, 64), (3, 200, 256), (16, 17, 32), (9, 65, 128), (4, 250, 256)))

BASES = (
    Base(
        "elementwise",
        """@triton.jit
def kernel(x, y, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    a = tl.load(x + o, mask=o < n)
    b = tl.load(y + o, mask=o < n)
    tl.store(out + o, a * b, mask=o < n)

def main():
    x, y, out = torch.rand($n), torch.rand($n), torch.empty($n)
    kernel[(triton.cdiv($n, $B),)](x, y, out, $n, B=$B)
""",
        N_AND_BLOCK,
        (
            Plant("drop the mask of a load", OUTSIDE, "tl.load(x + o, mask=o < n)", "tl.load(x + o)"),
            Plant("drop the mask of a store", OUTSIDE, "a * b, mask=o < n)", "a * b)"),
            Plant("shift an index", OUTSIDE, "tl.load(y + o,", "tl.load(y + o + 1,"),
            Plant("shrink the grid", (k.UNWRITTEN_OUTPUT,), "triton.cdiv($n, $B)", "$n // $B"),
            Plant("widen a block", (k.WRITE_WRITE_RACE, k.EQUAL_STORES), "tl.arange(0, B)", "tl.arange(0, 2 * B)"),
        ),
    ),
    Base(
        "row softmax",
        """@triton.jit
def kernel(x, out, n, sx0, sx1, so0, B: tl.constexpr):
    row, o = tl.program_id(0), tl.arange(0, B)
    a = tl.load(x + row * sx0 + o * sx1, mask=o < n, other=-float("inf"))
    e = tl.exp(a - tl.max(a, axis=0))
    tl.store(out + row * so0 + o, e / tl.sum(e, axis=0), mask=o < n)

def main():
    x, out = torch.rand($m, $n), torch.empty($m, $n)
    kernel[($m,)](x, out, $n, x.stride(0), x.stride(1), out.stride(0), B=$B)
""",
        ROWS,
        (
            Plant("drop `other`", (k.UNDEFINED_LANES,), ', other=-float("inf")', ""),
            Plant("drop the mask of a load", OUTSIDE, ', mask=o < n, other=-float("inf")', ""),
            Plant("drop the mask of a store", (*OUTSIDE, *RACES), "axis=0), mask=o < n)", "axis=0))"),
            Plant("swap strides", STRIDES, "x.stride(0), x.stride(1)", "x.stride(1), x.stride(0)"),
            Plant("shrink the grid", (k.UNWRITTEN_OUTPUT,), "kernel[($m,)]", "kernel[($m - 1,)]"),
        ),
    ),
    Base(
        "layer norm",
        """@triton.jit
def kernel(x, w, out, n, s, B: tl.constexpr):
    row, o = tl.program_id(0), tl.arange(0, B)
    a = tl.load(x + row * s + o, mask=o < n, other=0.0)
    mean = tl.sum(a, axis=0) / n
    d = tl.where(o < n, a - mean, 0.0)
    scale = tl.rsqrt(tl.sum(d * d, axis=0) / n + 1e-5)
    g = tl.load(w + o, mask=o < n)
    tl.store(out + row * s + o, d * scale * g, mask=o < n)

def main():
    x, w, out = torch.rand($m, $n), torch.rand($n), torch.empty($m, $n)
    kernel[($m,)](x, w, out, $n, x.stride(0), B=$B)
""",
        ROWS,
        (
            Plant("drop `other`", (k.UNDEFINED_LANES,), ", other=0.0", ""),
            Plant("drop the mask of a load", OUTSIDE, "tl.load(w + o, mask=o < n)", "tl.load(w + o)"),
            Plant("drop the mask of a store", (*OUTSIDE, *RACES), "g, mask=o < n)", "g)"),
            Plant("shift an index", OUTSIDE, "tl.load(x + row * s + o,", "tl.load(x + row * s + o + 1,"),
            Plant("shrink the grid", (k.UNWRITTEN_OUTPUT,), "kernel[($m,)]", "kernel[($m - 1,)]"),
        ),
    ),
    Base(
        "matmul",
        """@triton.jit
def kernel(a, b, c, M, N, K, sa0, sa1, sb0, sb1, sc0, sc1, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    j = tl.program_id(1) * B + tl.arange(0, B)
    acc = tl.zeros((B, B), tl.float32)
    for start in range(0, K, B):
        r = start + tl.arange(0, B)
        left = (i[:, None] < M) & (r[None, :] < K)
        right = (r[:, None] < K) & (j[None, :] < N)
        x = tl.load(a + i[:, None] * sa0 + r[None, :] * sa1, mask=left, other=0.0)
        y = tl.load(b + r[:, None] * sb0 + j[None, :] * sb1, mask=right, other=0.0)
        acc += tl.dot(x, y, input_precision="ieee")
    tl.store(c + i[:, None] * sc0 + j[None, :] * sc1, acc, mask=(i[:, None] < M) & (j[None, :] < N))

def main():
    a, b, c = torch.rand($m, $k), torch.rand($k, $n), torch.empty($m, $n)
    grid = (triton.cdiv($m, $B), triton.cdiv($n, $B))
    kernel[grid](a, b, c, $m, $n, $k, *a.stride(), *b.stride(), *c.stride(), B=$B)
""",
        sizes(
            "m", "n", "k", "B",
            of=(
                (33, 40, 20, 16), (50, 35, 70, 32), (17, 70, 41, 16),
                (40, 41, 33, 32), (65, 18, 25, 16), (20, 50, 37, 16),
            ),
        ),
        (
            Plant("drop the mask of a load", OUTSIDE, "mask=left, other=0.0", ""),
            Plant("drop `other`", (k.UNDEFINED_LANES,), "mask=right, other=0.0", "mask=right"),
            Plant("swap strides", STRIDES, "*b.stride()", "*b.stride()[::-1]"),
            Plant(
                "drop the mask of a store", (*OUTSIDE, *RACES),
                "acc, mask=(i[:, None] < M) & (j[None, :] < N))", "acc)",
            ),
            Plant("shrink the grid", (k.UNWRITTEN_OUTPUT,), "triton.cdiv($n, $B))", "$n // $B)"),
        ),
    ),
    Base(
        "scatter-add",
        """@triton.jit
def kernel(index, x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    i = tl.load(index + o, mask=o < n, other=0)
    v = tl.load(x + o, mask=o < n, other=0.0)
    tl.atomic_add(out + i, v, mask=o < n)

def main():
    index, x, out = torch.arange($n) % 7, torch.rand($n), torch.zeros(7)
    kernel[(triton.cdiv($n, $B),)](index, x, out, $n, B=$B)
""",
        N_AND_BLOCK,
        (
            Plant("drop the atomic", RACES, "tl.atomic_add(out + i, v,", "tl.store(out + i, tl.load(out + i) + v,"),
            Plant("drop the mask of a load", OUTSIDE, "tl.load(x + o, mask=o < n, other=0.0)", "tl.load(x + o)"),
            Plant("shift an index", OUTSIDE, "out + i, v", "out + i + 1, v"),
            Plant("do not clear the sum", (k.UNINITIALISED_READ,), "torch.zeros(7)", "torch.empty(7)"),
        ),
    ),
    Base(
        "transpose",
        """@triton.jit
def kernel(x, out, M, N, sx0, sx1, so0, so1, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    j = tl.program_id(1) * B + tl.arange(0, B)
    inside = (i[:, None] < M) & (j[None, :] < N)
    tile = tl.load(x + i[:, None] * sx0 + j[None, :] * sx1, mask=inside)
    tl.store(out + j[None, :] * so0 + i[:, None] * so1, tile, mask=inside)

def main():
    x, out = torch.rand($m, $n), torch.empty($n, $m)
    kernel[triton.cdiv($m, $B), triton.cdiv($n, $B)](x, out, $m, $n, *x.stride(), *out.stride(), B=$B)
""",
        sizes("m", "n", "B", of=((33, 50, 16), (70, 41, 32), (18, 35, 16), (65, 20, 16), (40, 99, 32), (99, 37, 32))),
        (
            Plant("swap strides", (*STRIDES, *RACES), "*out.stride()", "*out.stride()[::-1]"),
            Plant("drop the mask of a load", OUTSIDE, "sx1, mask=inside)", "sx1)"),
            Plant("drop the mask of a store", (*OUTSIDE, *RACES), "tile, mask=inside)", "tile)"),
            Plant("shrink the grid", (k.UNWRITTEN_OUTPUT,), "kernel[triton.cdiv($m, $B),", "kernel[$m // $B,"),
            Plant(
                "widen a block", (k.WRITE_WRITE_RACE, k.EQUAL_STORES),
                "i = tl.program_id(0) * B + tl.arange(0, B)", "i = tl.program_id(0) * B + tl.arange(0, 2 * B)",
            ),
        ),
    ),
    Base(
        "sum",
        """@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    o = tl.program_id(0) * B + tl.arange(0, B)
    part = tl.sum(tl.load(x + o, mask=o < n, other=0.0), axis=0)
    tl.atomic_add(out, part)

def main():
    x, out = torch.rand($n), torch.zeros(1)
    kernel[(triton.cdiv($n, $B),)](x, out, $n, B=$B)
""",
        N_AND_BLOCK,
        (
            Plant("drop the atomic", RACES, "tl.atomic_add(out, part)", "tl.store(out, tl.load(out) + part)"),
            Plant("drop `other`", (k.UNDEFINED_LANES,), ", other=0.0", ""),
            Plant("drop the mask of a load", OUTSIDE, ", mask=o < n, other=0.0", ""),
            Plant("do not clear the sum", (k.UNINITIALISED_READ,), "torch.zeros(1)", "torch.empty(1)"),
        ),
    ),
    Base(
        "row maximum",
        """@triton.jit
def kernel(x, out, n, s0, s1, B: tl.constexpr):
    row, o = tl.program_id(0), tl.arange(0, B)
    tl.store(out + row, tl.max(tl.load(x + row * s0 + o * s1, mask=o < n, other=-1.0), axis=0))

def main():
    x, out = torch.rand($m, $n), torch.empty($m)
    kernel[($m,)](x, out, $n, *x.stride(), B=$B)
""",
        ROWS,
        (
            Plant("drop `other`", (k.UNDEFINED_LANES,), ", other=-1.0", ""),
            Plant("drop the mask of a load", OUTSIDE, ", mask=o < n, other=-1.0", ""),
            Plant("swap strides", STRIDES, "*x.stride()", "*x.stride()[::-1]"),
            Plant("shift an index", OUTSIDE, "out + row,", "out + row + 1,"),
            Plant("shrink the grid", (k.UNWRITTEN_OUTPUT,), "kernel[($m,)]", "kernel[($m - 1,)]"),
        ),
    ),
)  # fmt: skip
