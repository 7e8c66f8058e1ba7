"""Ten million accesses: what their trace takes in memory, and how fast its address map pans and zooms.

Two traces: tiles of 64 x 64 (contiguous rows), and addresses without any order (a gather), where every element is a row
of its own. Frames are 1000 x 600 pixels, along a path that zooms in and pans; a frame at 30 a second has 33 ms.
The last column is the worst frame in time of its thread, without waiting for other processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from core.sanitizer.races import races
from core.trace.file import encode
from core.trace.heatmap import tensor_heatmap
from core.trace.record import Launch
from core.trace.reuse import reuse
from core.trace.traffic import traffic
from tests.benchmarks.peak import peak_mib

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 1000, 600
FRAME_MS = 1000 / 30
ACCESSES = 10_000_000


def _tiles() -> None:
    import torch

    from tests.benchmarks.library_kernels import matmul_kernel

    # 104 of the 144 tiles of the product: 10.6 M accesses.
    size = 768
    a, b, c = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
    matmul_kernel[(104,)](a, b, c, size, size, size, TILE=64, TILE_K=32, GROUP=8)


def _gather() -> None:
    import torch

    from tests.benchmarks.gather_kernel import scattered_sum_kernel

    length, programs = 4_000_037, ACCESSES // 1000
    scattered_sum_kernel[(programs,)](torch.randn(length), torch.empty(programs), length, BLOCK=1024)


def _heatmap(launch: Launch) -> object:
    tensor = launch.buffers[0]
    return tensor_heatmap([launch], tensor.data_ptr, tensor.size_bytes, tensor.shape, HEIGHT, WIDTH)


ANALYSES: dict[str, Callable[[Launch], object]] = {
    "traffic": traffic,
    "races": races,
    "reuse": lambda launch: reuse([launch]),
    "heatmap": _heatmap,
    "encoded": lambda launch: encode([launch]),
}
TRACES = {"tiles of 64 x 64": _tiles, "gather, no order": _gather}


def measure(name: str) -> dict[str, float]:
    """Of one trace, in a process of its own: peaks of memory count from its start."""
    import torch

    from core.interpreter import intercept
    from core.trace.address_map import bands_of
    from core.trace.levels import AddressLevels

    torch.manual_seed(0)
    before = peak_mib()
    start = time.perf_counter()
    with intercept() as tracer:
        TRACES[name]()
    traced_s, traced_mib = time.perf_counter() - start, peak_mib() - before
    start = time.perf_counter()
    levels = AddressLevels(tracer.launches, bands_of(tracer.launches))
    indexed_mib = peak_mib() - before
    indexed_s, frames = time.perf_counter() - start, _frames(levels.accesses, levels.bytes)
    (launch,) = tracer.launches
    analyses = {name: _seconds(partial(run, launch)) for name, run in ANALYSES.items()}
    samples, busy = [], []
    for x, y in frames:
        start, cpu = time.perf_counter(), time.thread_time()
        levels.picture(WIDTH, HEIGHT, x_range=x, y_range=y)
        samples.append((time.perf_counter() - start) * 1e3)
        busy.append((time.thread_time() - cpu) * 1e3)
    return {
        "accesses": levels.accesses,
        "trace_mib": sum(launch.trace_bytes() for launch in tracer.launches) / 2**20,
        "traced_s": traced_s,
        "traced_mib": traced_mib,
        "indexed_s": indexed_s,
        "indexed_mib": indexed_mib,
        "rows": len(levels),
        "frames": len(samples),
        "median_ms": float(np.median(samples)),
        "p95_ms": float(np.percentile(samples, 95)),
        "worst_ms": max(samples),
        "worst_cpu_ms": max(busy),
        **analyses,
    }


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _frames(accesses: int, size_bytes: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Zooms in on both axes, on time alone and on addresses alone, panning at each depth."""
    frames = []
    for zoom_x, zoom_y in ((1, 1), (1, 0), (0, 1)):
        for depth in range(14):
            for pan in (0.0, 0.37, 0.91):
                width, height = accesses / 2 ** (depth * zoom_x), size_bytes / 2 ** (depth * zoom_y)
                left, low = (accesses - width) * pan, (size_bytes - height) * pan
                frames.append(((left, left + width), (low, low + height)))
    return frames


def main() -> None:
    """Print the table."""
    table = Table(title=f"Traces of 10 million accesses; frames of {WIDTH} x {HEIGHT} pixels, {FRAME_MS:.0f} ms each")
    analyses = Table(title="What follows from them, in seconds")
    for heading in ("trace", *ANALYSES):
        analyses.add_column(heading, justify="right")
    headings = "trace|accesses|rows|trace|traced in|peak|indexed in|peak|frames|median|p95|worst|CPU"
    for heading in headings.split("|"):
        table.add_column(heading, justify="right")
    for name in TRACES:
        command = [sys.executable, "-m", "tests.benchmarks.bench_traces", name]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        row = json.loads(done.stdout)
        table.add_row(
            name,
            f"{row['accesses']:,}",
            f"{row['rows']:,}",
            f"{row['trace_mib']:.1f} MiB",
            f"{row['traced_s']:.2f} s",
            f"{row['traced_mib']:.0f} MiB",
            f"{row['indexed_s']:.2f} s",
            f"{row['indexed_mib']:.0f} MiB",
            str(row["frames"]),
            f"{row['median_ms']:.1f} ms",
            f"{row['p95_ms']:.1f} ms",
            f"{row['worst_ms']:.1f} ms",
            f"{row['worst_cpu_ms']:.1f} ms",
        )
        analyses.add_row(name, *(f"{row[analysis]:.2f}" for analysis in ANALYSES))
    console = Console(width=160)
    console.print(table)
    console.print(analyses)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
