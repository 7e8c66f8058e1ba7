"""Lanes against Triton's interpreter: the flash kernel with its trace, 1 x 4 heads, D=64, 64 x 64 tiles, causal, fp32.

Both run here, side by side, on the same inputs. No time is shown for outputs that disagree.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from core.tracing import Launch, intercept
from tests.benchmarks.interpreted_flash import THREADS, flash, inputs

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 2e-6
"""Two orders of summation in float32, outputs of order 1."""


@dataclass(frozen=True)
class Row:
    """One sequence length. Times are medians in milliseconds; `first_ms` includes lowering the kernel to TTIR."""

    length: int
    lanes_ms: float
    spread_ms: float
    first_ms: float
    interpreter_ms: float
    accesses: int
    trace_kib: float
    max_difference: float

    @property
    def speedup(self) -> float:
        return self.interpreter_ms / self.lanes_ms


def measure(sequence_lengths: Sequence[int] = (256, 1024, 2048, 4096), repeats: int = 15) -> list[Row]:
    """One row a length. The interpreter runs three times up to N=1024, and once above: it takes tens of seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        return [_measure_one(length, repeats) for length in sequence_lengths]
    finally:
        torch.set_num_threads(threads)


def _measure_one(length: int, repeats: int) -> Row:
    expected, interpreter_s = _interpreted(length, 3 if length <= 1024 else 1)
    tensors = inputs(length)
    samples: list[float] = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        with intercept() as tracer:
            out = flash(*tensors)
        samples.append(time.perf_counter() - start)
    difference = float(np.abs(out.numpy() - expected).max())
    assert difference <= TOLERANCE, f"N={length}: Lanes and the interpreter differ by {difference:g}, no time is shown"
    (launch,) = tracer.launches
    warm = np.array(samples[1:]) * 1e3
    return Row(
        length=length,
        lanes_ms=float(np.median(warm)),
        spread_ms=float(np.percentile(warm, 90) - np.percentile(warm, 10)),
        first_ms=samples[0] * 1e3,
        interpreter_ms=float(np.median(interpreter_s)) * 1e3,
        accesses=_elements(launch),
        trace_kib=launch.trace_bytes() / 1024,
        max_difference=difference,
    )


def _elements(launch: Launch) -> int:
    return sum(int(np.prod((len(access.programs), *access.shape))) for access in launch.accesses)


def _interpreted(length: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Output and seconds of each repeat, from a process that interprets."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "interpreted.npz"
        command = [sys.executable, "-m", "tests.benchmarks.interpreted_flash", str(path), str(length), str(repeats)]
        environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": str(THREADS)}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        with np.load(path) as archive:
            return archive["out"], archive["seconds"]


def main() -> None:
    """Print the table."""
    table = Table(title="Flash attention, 1 x 4 heads, D=64, 64 x 64 tiles, causal, fp32, traced on CPU")
    for heading in ("N", "Lanes", "spread", "first run", "interpreter", "faster", "accesses", "trace", "difference"):
        table.add_column(heading, justify="right")
    for row in measure():
        table.add_row(
            str(row.length),
            f"{row.lanes_ms:.1f} ms",
            f"{row.spread_ms:.1f} ms",
            f"{row.first_ms:.0f} ms",
            f"{row.interpreter_ms:,.0f} ms",
            f"{row.speedup:.0f} x",
            f"{row.accesses:,}",
            f"{row.trace_kib:.0f} KiB",
            f"{row.max_difference:.1e}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
