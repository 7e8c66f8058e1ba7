"""The TTIR interpreter against Triton's interpreter, each with its trace: a flash kernel, and what kernel libraries
are made of.

Flash attention is 1 x 4 heads, D=64, 64 x 64 tiles, causal, fp32. Both run here, side by side, on the same inputs. No
time is shown for outputs that disagree, or for an addresses-only trace that is not the full run's, address by address.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from core.interpreter import Launch, intercept
from tests.benchmarks.interpreted_flash import THREADS, flash, inputs
from tests.benchmarks.library_kernels import WORKLOADS
from tests.interpreter.access_counts import access_counts

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 2e-6
"""Two orders of summation in float32, outputs of order 1."""


@dataclass(frozen=True)
class Row:
    """One sequence length. Times are medians in milliseconds; `first_ms` includes lowering the kernel to TTIR."""

    length: int
    traced_ms: float
    spread_ms: float
    addresses_ms: float
    first_ms: float
    interpreter_ms: float
    accesses: int
    trace_kib: float
    max_difference: float

    @property
    def speedup(self) -> float:
        return self.interpreter_ms / self.traced_ms

    @property
    def addresses_speedup(self) -> float:
        return self.interpreter_ms / self.addresses_ms


@dataclass(frozen=True)
class WorkloadRow:
    """One library kernel. `interpreter_s` is scaled to all programs where the interpreter ran `interpreted` of them."""

    title: str
    traced_ms: float
    addresses_ms: float
    interpreter_s: float
    interpreted: float
    accesses: int
    trace_mib: float
    max_difference: float


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
    samples, launch = _traced(lambda: flash(*tensors), repeats + 1)
    difference = float(np.abs(flash_out(tensors) - expected).max())
    assert difference <= TOLERANCE, (
        f"N={length}: the TTIR interpreter and the interpreter differ by {difference:g}, no time is shown"
    )
    without_data, sliced = _traced(lambda: flash(*tensors), repeats + 1, addresses_only=True)
    assert access_counts(sliced) == access_counts(launch), f"N={length}: the addresses-only trace differs"
    return Row(
        length=length,
        traced_ms=float(np.median(samples[1:])),
        spread_ms=float(np.percentile(samples[1:], 90) - np.percentile(samples[1:], 10)),
        addresses_ms=float(np.median(without_data[1:])),
        first_ms=samples[0],
        interpreter_ms=float(np.median(interpreter_s)) * 1e3,
        accesses=_elements(launch),
        trace_kib=launch.trace_bytes() / 1024,
        max_difference=difference,
    )


def flash_out(tensors: Sequence[torch.Tensor]) -> np.ndarray:
    """What the TTIR interpreter computes for these inputs."""
    with intercept():
        return flash(*tensors).numpy()


def _traced(run: Callable[[], object], repeats: int, *, addresses_only: bool = False) -> tuple[np.ndarray, Launch]:
    """Milliseconds of each repeat, and the trace."""
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        with intercept(addresses_only=addresses_only) as tracer:
            run()
        samples.append((time.perf_counter() - start) * 1e3)
    (launch,) = tracer.launches
    return np.array(samples), launch


def measure_workload(name: str, repeats: int = 5) -> WorkloadRow:
    """One library kernel, by the TTIR interpreter on all of its programs and by the interpreter on the part that it
    names."""
    workload = WORKLOADS[name]
    expected, seconds = _in_interpreter("tests.benchmarks.library_kernels", name)
    run = workload.make(1.0)
    samples, launch = _traced(run, repeats + 1)
    with intercept():
        out = run().numpy()
    ran = ~np.isnan(expected)
    share = ran.mean()
    assert abs(share - workload.interpreted) < 1e-6, f"{name}: the interpreter wrote {share:.3f} of the output"
    difference = float(np.abs(out[ran] - expected[ran]).max())
    assert difference <= workload.tolerance, (
        f"{name}: the TTIR interpreter and the interpreter differ by {difference:g}"
    )
    without_data, sliced = _traced(run, repeats + 1, addresses_only=True)
    assert access_counts(sliced) == access_counts(launch), f"{name}: the addresses-only trace differs"
    return WorkloadRow(
        title=workload.title,
        traced_ms=float(np.median(samples[1:])),
        addresses_ms=float(np.median(without_data[1:])),
        interpreter_s=float(seconds) / workload.interpreted,
        interpreted=workload.interpreted,
        accesses=_elements(launch),
        trace_mib=launch.trace_bytes() / 2**20,
        max_difference=difference,
    )


def _elements(launch: Launch) -> int:
    return sum(int(np.prod((len(access.programs), *access.shape))) for access in launch.accesses)


def _interpreted(length: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Output and seconds of each repeat, from a process that interprets."""
    return _in_interpreter("tests.benchmarks.interpreted_flash", str(length), str(repeats))


def _in_interpreter(module: str, *arguments: str) -> tuple[np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "interpreted.npz"
        environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": str(THREADS)}
        command = [sys.executable, "-m", module, str(path), *arguments]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        with np.load(path) as archive:
            return archive["out"], archive["seconds"]


def flash_table() -> Table:
    """Each sequence length of the flash kernel."""
    table = Table(title="Flash attention, 1 x 4 heads, D=64, 64 x 64 tiles, causal, fp32, traced on CPU")
    headings = (
        "N, Tilescope, spread, first run, interpreter, faster, addresses only, faster, accesses, trace, difference"
    )
    for heading in headings.split(", "):
        table.add_column(heading, justify="right")
    for row in measure():
        table.add_row(
            str(row.length),
            f"{row.traced_ms:.1f} ms",
            f"{row.spread_ms:.1f} ms",
            f"{row.first_ms:.0f} ms",
            f"{row.interpreter_ms:,.0f} ms",
            f"{row.speedup:.0f} x",
            f"{row.addresses_ms:.2f} ms",
            f"{row.addresses_speedup:,.0f} x",
            f"{row.accesses:,}",
            f"{row.trace_kib:.0f} KiB",
            f"{row.max_difference:.1e}",
        )
    return table


def workload_table() -> Table:
    """Each library kernel."""
    table = Table(title="Library kernels, fp32, traced on CPU")
    headings = (
        "kernel, Tilescope, addresses only, interpreter, of programs, faster, faster, accesses, trace, difference"
    )
    for heading in headings.split(", "):
        table.add_column(heading, justify="right")
    for name in WORKLOADS:
        row = measure_workload(name)
        table.add_row(
            row.title,
            f"{row.traced_ms:.0f} ms",
            f"{row.addresses_ms:.1f} ms",
            f"{row.interpreter_s:.1f} s",
            "all" if row.interpreted == 1 else f"{row.interpreted:.0%}, scaled",
            f"{row.interpreter_s * 1e3 / row.traced_ms:,.0f} x",
            f"{row.interpreter_s * 1e3 / row.addresses_ms:,.0f} x",
            f"{row.accesses:,}",
            f"{row.trace_mib:.1f} MiB",
            f"{row.max_difference:.1e}",
        )
    return table


def main() -> None:
    """Print the tables."""
    console = Console(width=140)
    console.print(flash_table())
    console.print(workload_table())


if __name__ == "__main__":
    main()
