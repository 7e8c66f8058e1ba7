"""The Triton contenders of one point: emulated and traced where there is no GPU, and compiled for one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from core.compiling.capture import captured_launches
from core.compiling.record import CompiledKernel
from core.compiling.resources import compiled
from core.contracts.text import Text, tr
from core.engine.steps import ProgressCallback
from core.families.running.problem import Outputs, Run
from core.hardware.gpus import Gpu
from core.interpreter import Tracer, intercept
from core.recordings.band import modelled_band
from core.recordings.run import Band, Traced
from core.trace.traffic import traffic
from kernels.launching import choosing_for

TRACE_BUDGET_BYTES = 1 << 30
TRACE_LIMIT_BYTES = 1 << 32
"""The tracer's estimate is of scattered rows: whole tiles, which are the rule here, take a thousandth of it. What does
not fit into memory after all raises an error (`limited_to_free_memory`)."""

MOST_EMULATED_FLOPS = 3e10
"""A second or two on a CPU. Beyond that only addresses are traced, and the outputs are not checked."""

MOST_TORCH_FLOPS = 1e12
"""Ten to thirty seconds on a CPU, for what PyTorch computes beside the kernels that are traced."""


@dataclass(frozen=True)
class TracedRun:
    """What a Triton contender does at one point. `outputs` are those of the TTIR interpreter, None where it traced
    addresses only."""

    traced: Traced
    band: Band | None
    outputs: Outputs | None


def trace(
    run: Run,
    gpu: Gpu,
    dtype: str,
    *,
    addresses_only: bool,
    progress: ProgressCallback,
    prepare: Callable[[], object] | None = None,
    virtual_gpu: Gpu | None = None,
) -> TracedRun:
    """Run a contender under the tracer, tiled as on `gpu`; what it launches in `prepare` is not counted. `virtual_gpu`
    is the one that its code finds. Raises what it raises, and TilescopeError where it launches nothing that can be
    traced."""

    def emulated() -> AbstractContextManager[Tracer]:
        return intercept(
            memory_budget_bytes=TRACE_BUDGET_BYTES,
            progress=progress,
            addresses_only=addresses_only,
            trace_limit_bytes=TRACE_LIMIT_BYTES,
            gpu=virtual_gpu,
        )

    with choosing_for(gpu.target):
        if prepare is not None:
            with emulated():
                prepare()
        with emulated() as tracer:
            outputs = run()
    counted = [traffic(launch) for launch in tracer.launches]
    unique = [sum(row.unique_bytes for row in count.buffers) for count in counted]
    flops = [launch.product_flops or 0 for launch in tracer.launches]
    traced = Traced(
        launches=len(counted),
        programs=sum(launch.programs for launch in tracer.launches),
        read_bytes=sum(count.read_bytes for count in counted),
        written_bytes=sum(count.written_bytes for count in counted),
        unique_bytes=sum(unique),
        product_flops=sum(flops),
    )
    band = modelled_band(zip(unique, flops, strict=True), gpu, dtype) if counted else None
    return TracedRun(traced, band, None if addresses_only else outputs)


def compile_for(run: Run, gpu: Gpu, prepare: Callable[[], object] | None = None) -> tuple[CompiledKernel, ...]:
    """The kernels that a contender launches after `prepare`, compiled for `gpu`. What it raises after its launches does
    not matter: their outputs hold anything."""
    with choosing_for(gpu.target), captured_launches() as launches:
        try:
            if prepare is not None:
                prepare()
            launches.clear()
            run()
        except Exception:
            if not launches:
                return ()
    return compiled(launches, gpu.target)


def not_traced(flops: float) -> Text:
    """Why a kernel beside which PyTorch computes is left out."""
    return tr(
        "Not traced here: PyTorch computes a part of its {flops:,.0f} GFLOP, and on a CPU that is done up to "
        "{limit:,.0f} GFLOP.",
        flops=flops / 1e9,
        limit=MOST_TORCH_FLOPS / 1e9,
    )


def not_emulated(flops: float) -> Text:
    """Why a kernel has no error here."""
    return tr(
        "Not checked here: at {flops:.0f} GFLOP only its addresses are traced. It is emulated up to {limit:.0f} GFLOP.",
        flops=flops / 1e9,
        limit=MOST_EMULATED_FLOPS / 1e9,
    )
