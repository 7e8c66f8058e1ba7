"""A report of a generated checkpoint: throughput against bitsandbytes on the same tensors, and peak memory.

    python -m tests.benchmarks.bench_checkpoint [--gigabytes 4] [--folder DIR]

The file is random bf16 weights in a temporary folder and is deleted at the end. The report runs in its own
process, so that the system counts its peak resident memory. Reading from disk is included. CPU time is shown beside
wall time, since it hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from tests.benchmarks.peak import peak_mib

TENSOR_SHAPE = (8192, 16384)
RIVAL_ELEMENTS = 1 << 24


def generate(path: Path, gigabytes: float) -> int:
    """Write a safetensors file of about that size, tensor by tensor; returns its bytes. The last tensor is one of the
    larger ones there are (an embedding of a gigabyte)."""
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": TENSOR_SHAPE for n in range(int(gigabytes / 0.2684) - 3)}
    tensors["model.embed_tokens.weight"] = (32768, 16384)
    header, offset = {}, 0
    for name, shape in tensors.items():
        size = 2 * shape[0] * shape[1]
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        left = offset // 2
        while left:
            values = (rng.standard_normal(min(left, 1 << 22), dtype=np.float32) * np.float32(0.02)).view(np.uint32)
            file.write((values >> 16).astype(np.uint16).tobytes())
            left -= values.size
    return offset


def report(path: Path, formats: str, nested: int) -> dict[str, float]:
    """Run in its own process: seconds, bytes per second, CPU seconds, peak resident bytes."""
    from core.checkpoint.measuring import Quantization
    from core.checkpoint.opening import open_checkpoint
    from core.checkpoint.resume_cache import ResumeCache
    from core.checkpoint.survey import Survey, survey
    from kernels.quantization.formats import FormatId

    quantization = Quantization(tuple(FormatId(name) for name in formats.split(",")), 64, nested)
    opened, result = open_checkpoint(path), Survey()
    started, cpu = perf_counter(), sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    with tempfile.TemporaryDirectory() as cache:
        for _ in survey(opened.measured, quantization, ResumeCache(Path(cache)), result, lambda *_: None):
            pass
    seconds = perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime - cpu,
        "bytes_per_s": result.read_bytes / seconds,
        "peak_bytes": 2**20 * peak_mib(),
    }


@dataclass(frozen=True)
class Best:
    """The best of five runs: wall time and CPU time in seconds."""

    seconds: float = inf
    cpu_seconds: float = inf

    def timed(self, work: Callable[[], Any]) -> tuple[Any, Best]:
        """The result of `work`, and the better one of its times."""
        started, cpu = perf_counter(), process_time()
        result = work()
        return result, Best(min(self.seconds, perf_counter() - started), min(self.cpu_seconds, process_time() - cpu))


def rival(threads: int) -> tuple[Best, Best]:
    """The NF4 error of RIVAL_ELEMENTS bf16 weights in memory: bitsandbytes' quantize, dequantize and error, and this
    project's report, in turn on the same tensor and as many threads."""
    import torch

    from core.checkpoint.measuring import Measured, Measurer, Quantization
    from core.checkpoint.slices import SLICE_ELEMENTS
    from kernels.quantization.bitsandbytes_peer import bitsandbytes_functional
    from kernels.quantization.formats import FormatId

    functional = bitsandbytes_functional()
    torch.set_num_threads(threads)
    weights = (torch.randn(RIVAL_ELEMENTS, generator=torch.Generator().manual_seed(0)) * 0.02).bfloat16()
    bits = weights.view(torch.int16).numpy().view(np.uint16)
    slices = [bits[begin : begin + SLICE_ELEMENTS] for begin in range(0, len(bits), SLICE_ELEMENTS)]
    measurer, quantization = Measurer(threads), Quantization((FormatId.NF4,), 64)

    def theirs() -> float:
        packed, state = functional.quantize_4bit(weights, blocksize=64, quant_type="nf4")
        return float((functional.dequantize_4bit(packed, state).float() - weights.float()).square().sum())

    def ours() -> Measured:
        return measurer.measure(lambda: slices, RIVAL_ELEMENTS, quantization, lambda _: None)

    best = (Best(), Best())
    for _ in range(5):
        expected, first = best[0].timed(theirs)
        measured, second = best[1].timed(ours)
        best = (first, second)
        # Theirs comes back in bf16, whose rounding is in their error and not in ours.
        assert abs(float(measured.errors[FormatId.NF4].error.sum()) / expected - 1) < 0.01
    measurer.close()
    return best


def compare(threads: int) -> None:
    theirs, ours = rival(threads)
    rates = [2 * RIVAL_ELEMENTS / 1e9 / best.seconds for best in (theirs, ours)]
    print(
        f"NF4 error of bf16 weights in memory, {threads} threads: bitsandbytes (CPU) {rates[0]:.3f} GB/s, "
        f"here {rates[1]:.3f} GB/s: {rates[1] / rates[0]:.1f} times (target: 5); "
        f"{theirs.cpu_seconds / ours.cpu_seconds:.1f} times by processor time"
    )


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--report", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.report:
        print(json.dumps(report(Path(options.report[0]), options.report[1], int(options.report[2]))))
        return
    print(f"load average {os.getloadavg()[0]:.1f} before the first run, {len(os.sched_getaffinity(0))} cores")
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        compare(threads)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "generated.safetensors"
        size = generate(path, options.gigabytes)
        print(f"checkpoint of {size / 1e9:.2f} GB:")
        for formats, nested in (("nf4", 0), ("nf4", 256), ("nf4,fp4-e2m1,fp4-e3m0,int4,int4-affine,int8", 256)):
            command = [sys.executable, "-m", "tests.benchmarks.bench_checkpoint", "--report"]
            out = subprocess.run(
                [*command, str(path), formats, str(nested)], check=True, capture_output=True, text=True
            ).stdout
            figures = json.loads(out)
            print(
                f"  {formats}{', nested scales' if nested else ''}: {figures['bytes_per_s'] / 1e9:.3f} GB/s, "
                f"{figures['seconds']:.1f} s ({figures['cpu_seconds']:.1f} s of CPU), "
                f"peak {figures['peak_bytes'] / 1e6:.0f} MB (target: 1500)"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
