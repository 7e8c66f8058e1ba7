"""The most memory that a run of the kernel lab takes beyond the start: python -m tests.robustness.peaks [MB].

Each kernel is traced up to its limit in a process of its own, with a memory budget of so many MB (256 by default)."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from tests.robustness.kernels import GOOD

_KERNELS = """
@triton.jit
def gather(x, indices, y, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + tl.load(indices + at)))

@triton.jit
def histogram(x, y, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.atomic_add(y + tl.load(x + at), 1.0)

@triton.jit
def windows(x, y, N, BLOCK: tl.constexpr):
    at, total = tl.arange(0, BLOCK), tl.zeros([BLOCK], tl.float32)
    for step in range(N):
        total += tl.load(x + (tl.program_id(0) * 7 + step * 13 + at) % 4096)
    tl.store(y + tl.program_id(0) * BLOCK + at, total)

@triton.jit
def tiles(x, y, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)[:, None] * BLOCK + tl.arange(0, BLOCK)[None, :]
    tl.store(y + tl.program_id(0) * BLOCK * BLOCK + at, tl.load(x + at) * 2)

@triton.jit
def masked(x, y, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at)
    tl.store(y + at, value, mask=(value > 0) & (at % 3 != 1))
"""

CASES = {
    "many launches": "while True: launch((1 << 12,), 1 << 16)",
    "many programs": "launch((BUDGET // 100,))",
    "gather": "n = BUDGET // 170 // 128 * 128\nx, y = torch.ones(2, n)\n"
    "gather[(n // 128,)](x, torch.randperm(n), y, BLOCK=128)",
    "atomics": "n = BUDGET // 170 // 128 * 128\nx = torch.randint(0, 4096, (n,))\n"
    "histogram[(n // 128,)](x, torch.zeros(4096), BLOCK=128)",
    "distinct loads": "windows[(256,)](torch.ones(4096), torch.empty(256 * 64), BUDGET // 1_500_000, BLOCK=64)",
    "large tiles": "x, y = torch.ones(128 * 128), torch.empty(200 * 128 * 128)\n"
    "for _ in range(20): tiles[(200,)](x, y, BLOCK=128)",
    "masked stores": "n = BUDGET // 64 // 1024 * 1024\nx = torch.randn(n)\n"
    "masked[(n // 1024,)](x, torch.empty_like(x), BLOCK=1024)",
}


def _child(file: str, budget_mb: int) -> None:
    from core.engine.drive import drive, failed
    from core.topics.kernel_lab import TOPIC
    from core.topics.kernel_lab.experiment.rehearsal import rehearse

    class Listener:
        def put(self, event: object) -> None: ...

        def check_cancel(self) -> None: ...

    rehearse()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    params = TOPIC.params.parse({"file": file, "function": "main", "memory_budget_mb": budget_mb})
    try:
        drive(TOPIC, params, "cpu", Listener())
        ending = "finished"
    except Exception as error:
        ending = failed("kernel-lab", error).sentence.in_language("en")[:70]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(f"{grown / 1e6:.0f} MB | {ending}")


def main(budget_mb: int) -> None:
    """Print a row per case."""
    print(f"| kernel | peak beyond the start, budget {budget_mb} MB | ending |\n| --- | --- | --- |")
    for name, body in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "mine.py")
            body = body.replace("BUDGET", str(budget_mb * 1_000_000))
            file.write_text(f"{GOOD}{_KERNELS}\ndef main():\n{textwrap.indent(body, '    ')}\n")
            command = [sys.executable, "-m", "tests.robustness.peaks", str(file), str(budget_mb)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"| {name} | {done.stdout.strip()} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _child(sys.argv[1], int(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 256)
