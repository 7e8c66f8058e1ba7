"""Runs that are made here, with samples whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.compiling.record import CompiledKernel
from core.contracts.text import tr, verbatim
from core.hardware.conditions import Conditions, GpuClocks
from core.recordings.run import Band, Ceiling, Device, FamilyRun, Outcome, Point, Traced

GPU = Device("cuda", "NVIDIA H200", "sm_90", "570.1", 16, 139 << 30)
CPU = Device("cpu", "AMD EPYC", cores=2, memory_bytes=8 << 30)


def samples(ms: float, seed: int, scatter: float = 0.01, count: int = 20) -> tuple[float, ...]:
    numbers = np.random.default_rng(seed).standard_normal(count)
    return tuple((ms * np.exp(scatter * numbers)).tolist())


def timed(impl: str, ms: float, seed: int = 0, **fields: object) -> Outcome:
    times = samples(ms, seed)
    known = {
        "runs_on": "cuda", "time_ms": float(np.median(times)), "time_ms_samples": times, "max_abs_error": 1e-3,
        "rms_error": 1e-4, "allowed_rms_error": 3e-4, "passed": True,
    }  # fmt: skip
    return Outcome(impl, verbatim(impl.title()), **{**known, **fields})  # type: ignore[arg-type]


def kernel(impl: str, ms: float, seed: int = 0, read_bytes: int = 1 << 20) -> Outcome:
    return timed(
        impl, ms, seed, kind="triton", traced=Traced(1, 8, read_bytes, 1 << 18, 1 << 20, 1 << 30),
        modelled=Band("h200", 0.9, 1.5),
        compiled=(CompiledKernel("flash_fwd_kernel", "sm_90", 8, 3, 255, 0, 229376, ("wgmma",)),),
    )  # fmt: skip


def missing(impl: str) -> Outcome:
    return Outcome(impl, verbatim(impl.title()), reason=tr("PyTorch sees no GPU on this machine."))


def point(seq_len: int, *outcomes: Outcome) -> Point:
    clocks = GpuClocks(1700, 1980, 3200, 50, 71, 650.0, ("sw_power_cap",))
    conditions = Conditions("CUDA events", 20, 8, True, load_before=0.5, load_after=0.7, clocks=clocks)
    return Point({"seq_len": seq_len, "mask": "causal"}, 1e12, 1e9, "bf16", outcomes, conditions)


def run(*points: Point, **fields: object) -> FamilyRun:
    ceilings = (
        Ceiling("copy", tr("copy"), 4e12, 2.0 * (1 << 30), samples(0.54, 9)),
        Ceiling(
            "matmul", tr("matrix product, {side} × {side}", side=8192), 7e14, 2.0 * 8192**3, samples(1.57, 8), "bf16"
        ),
    )
    made = FamilyRun(
        "attention", GPU, "sdpa", recorded_at="2025-06-01T12:00:00+00:00", commit="0123456789ab",
        versions={"torch": "2.13.0"}, gpu="h200", swept=("seq_len",), ceilings=ceilings, points=points,
    )  # fmt: skip
    return replace(made, **fields)  # type: ignore[arg-type]


def usual(seed: int = 0, flash_ms: float = 1.0, **fields: object) -> FamilyRun:
    """Flash against SDPA at two lengths; a third did not fit into memory."""
    out_of_memory = Point(
        {"seq_len": 4096, "mask": "causal"}, problem=tr("It ran out of memory here."), out_of_memory=True
    )
    return run(
        point(1024, kernel("flash", flash_ms, 4 * seed), timed("sdpa", 1.4, 4 * seed + 1), missing("cudnn")),
        point(2048, kernel("flash", 4 * flash_ms, 4 * seed + 2), timed("sdpa", 5.6, 4 * seed + 3), missing("cudnn")),
        out_of_memory,
        **fields,
    )
