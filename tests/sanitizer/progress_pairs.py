"""Correct kernels whose loops wait or count, and the edits after which these never end."""

from __future__ import annotations

from core.sanitizer.kinds import NO_PROGRESS
from tests.sanitizer.base_kernels import Base, Plant, sizes

STUCK = (NO_PROGRESS,)
PROGRAMS = sizes("P", "B", of=((2, 16), (5, 64), (9, 32), (33, 16)))

PROGRESS = (
    Base(
        "lock",
        """@triton.jit
def kernel(x, out, lock, B: tl.constexpr):
    p, o = tl.program_id(0), tl.arange(0, B)
    a = tl.load(x + p * B + o)
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.store(out + o, tl.load(out + o) + a)
    tl.debug_barrier()
    if tl.max(a, axis=0) < 2:
        tl.atomic_xchg(lock, 0)

def main():
    x, out, lock = torch.rand($P, $B), torch.zeros($B), torch.zeros(1, dtype=torch.int32)
    kernel[($P,)](x, out, lock, B=$B)
""",
        PROGRAMS,
        (
            Plant("never release a lock", STUCK, "tl.atomic_xchg(lock, 0)", "tl.atomic_xchg(lock, 1)"),
            Plant("skip the release", STUCK, "axis=0) < 2", "axis=0) < 0"),
            Plant("begin with a lock taken", STUCK, "torch.zeros(1, dtype", "torch.ones(1, dtype"),
        ),
    ),
    Base(
        "two locks",
        """@triton.jit
def kernel(x, locks, T, B: tl.constexpr):
    p, o = tl.program_id(0), tl.arange(0, B)
    for t in range(T):
        a, b = (p + t) % 2 * 0, 1
        while tl.atomic_cas(locks + a, 0, 1) != 0:
            pass
        tl.store(x + p * B + o, 1.0)
        while tl.atomic_cas(locks + b, 0, 1) != 0:
            pass
        tl.debug_barrier()
        tl.atomic_xchg(locks + b, 0)
        tl.atomic_xchg(locks + a, 0)

def main():
    x, locks = torch.zeros($P, $B), torch.zeros(2, dtype=torch.int32)
    kernel[($P,)](x, locks, 3, B=$B)
""",
        PROGRAMS,
        (
            Plant("take one lock twice", STUCK, "% 2 * 0, 1", "% 2, 1"),
            Plant("never release a lock", STUCK, "tl.atomic_xchg(locks + a, 0)", "tl.atomic_xchg(locks + a, 1)"),
        ),
    ),
    Base(
        "opposite locks",
        """@triton.jit
def kernel(x, locks, B: tl.constexpr):
    p, o = tl.program_id(0), tl.arange(0, B)
    a = 0
    while tl.atomic_cas(locks + a, 0, 1) != 0:
        pass
    tl.store(x + p * B + o, 1.0)
    while tl.atomic_cas(locks + 1 - a, 0, 1) != 0:
        pass
    tl.debug_barrier()
    tl.atomic_xchg(locks, 0)
    tl.atomic_xchg(locks + 1, 0)

def main():
    x, locks = torch.zeros($P, $B), torch.zeros(2, dtype=torch.int32)
    kernel[($P,)](x, locks, B=$B)
""",
        PROGRAMS,
        (Plant("take locks in opposite order", STUCK, "a = 0", "a = p % 2"),),
    ),
    Base(
        "grid barrier",
        """@triton.jit
def kernel(x, counter, T, B: tl.constexpr):
    p, o = tl.program_id(0), tl.arange(0, B)
    programs = tl.num_programs(0)
    for t in range(T):
        tl.store(x + p * B + o, t)
        tl.atomic_add(counter, 1)
        while tl.load(counter, volatile=True) < (t + 1) * programs:
            pass

def main():
    x, counter = torch.zeros($P, $B), torch.zeros(1, dtype=torch.int32)
    kernel[($P,)](x, counter, 3, B=$B)
""",
        PROGRAMS,
        (
            Plant("wait for too many programs", STUCK, "tl.num_programs(0)", "tl.num_programs(0) + 1"),
            Plant("count one program less", STUCK, "(counter, 1)", "(counter, 1, mask=p > 0)"),
        ),
    ),
    Base(
        "flags",
        """@triton.jit
def kernel(x, part, flags, out, P: tl.constexpr, B: tl.constexpr):
    p, o = tl.program_id(0), tl.arange(0, B)
    tl.store(part + p, tl.sum(tl.load(x + p * B + o), axis=0))
    tl.debug_barrier()
    if p < P:
        tl.atomic_xchg(flags + p, 1)
    if p == 0:
        total = 0.0
        for i in range(P):
            while tl.atomic_add(flags + i, 0) == 0:
                pass
            total += tl.load(part + i)
        tl.store(out, total)

def main():
    x, part, flags, out = torch.rand($P, $B), torch.empty($P), torch.zeros($P, dtype=torch.int32), torch.empty(1)
    kernel[($P,)](x, part, flags, out, P=$P, B=$B)
""",
        PROGRAMS,
        (
            Plant("drop a flag", STUCK, "if p < P:", "if p < P - 1:"),
            Plant("wait for another flag", STUCK, "(flags + i, 0) == 0", "(flags + i, 0) < 2"),
            Plant("shrink the grid", STUCK, "kernel[($P,)]", "kernel[($P - 1,)]"),
        ),
    ),
    Base(
        "turns",
        """@triton.jit
def kernel(x, turn, T, B: tl.constexpr):
    p, o = tl.program_id(0), tl.arange(0, B)
    for t in range(T):
        now = tl.load(turn, volatile=True)
        while now != t * tl.num_programs(0) + p:
            now = tl.load(turn, volatile=True)
        tl.store(x + o, tl.load(x + o) + 1)
        tl.debug_barrier()
        tl.atomic_add(turn, 1)

def main():
    x, turn = torch.zeros($B), torch.zeros(1, dtype=torch.int32)
    kernel[($P,)](x, turn, 2, B=$B)
""",
        PROGRAMS,
        (
            Plant("wait for the next one", STUCK, "tl.num_programs(0) + p", "tl.num_programs(0) + p + 1"),
            Plant("pass on two turns", STUCK, "tl.atomic_add(turn, 1)", "tl.atomic_add(turn, 2)"),
        ),
    ),
    Base(
        "persistent",
        """@triton.jit
def kernel(x, out, n, step, B: tl.constexpr):
    tile = tl.program_id(0)
    while tile * B < n:
        o = tile * B + tl.arange(0, B)
        tl.store(out + o, 2 * tl.load(x + o, mask=o < n), mask=o < n)
        tile += step

def main():
    n = $P * 3 * $B - 5
    x, out = torch.rand(n), torch.empty(n)
    kernel[($P,)](x, out, n, $P, B=$B)
""",
        PROGRAMS,
        (
            Plant("do not count", STUCK, "        tile += step\n", ""),
            Plant("a step of 0", STUCK, "n, $P, B=", "n, 0, B="),
        ),
    ),
    Base(
        "row loop",
        """@triton.jit
def kernel(x, out, n, step, B: tl.constexpr):
    p, o = tl.program_id(0), tl.arange(0, B)
    total = tl.zeros((B,), tl.float32)
    for first in range(0, n, step):
        total += tl.load(x + p * n + first + o, mask=first + o < n, other=0.0)
    left = n
    while left > 0:
        total += left
        left -= step
    tl.store(out + p, tl.sum(total, axis=0))

def main():
    n = 3 * $B - 1
    x, out = torch.rand($P, n), torch.empty($P)
    kernel[($P,)](x, out, n, $B, B=$B)
""",
        PROGRAMS,
        (
            Plant("a step of 0", STUCK, "out, n, $B, B=", "out, n, $B - $B, B="),
            Plant("count the other way", STUCK, "left -= step", "left += step"),
            Plant("jump over the end", STUCK, "while left > 0", "while left != 0"),
        ),
    ),
)  # fmt: skip
