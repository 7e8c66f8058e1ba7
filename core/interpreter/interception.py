"""Routes `kernel[grid](...)` inside a with block to the TTIR interpreter, from any caller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import numpy as np

from core.contracts.errors import MissingRequirement, TilescopeError
from core.contracts.text import tr
from core.hardware.gpus import Gpu
from core.interpreter import frontend
from core.interpreter.autotuning import untimed
from core.interpreter.benchmarking import nothing_timed
from core.interpreter.fake_driver import fake_driver
from core.interpreter.frame import ProgressCallback
from core.interpreter.handles import LaunchHandle
from core.interpreter.inductor import inductor_launches
from core.interpreter.threads import threads_inside
from core.interpreter.tracer import WATCH_LIMIT_BYTES, OnLaunch, Tracer
from core.interpreter.virtual_gpu import (
    has_gpu,
    in_a_thread,
    virtual_gpu,
)
from core.trace.affine import IntArray
from core.trace.mask import BoolArray

_in_use = threading.Lock()


@contextmanager
def intercept(
    *,
    memory_budget_bytes: int = 2 << 30,
    watch: Sequence[str] = (),
    watch_programs: Callable[[IntArray], BoolArray] | Sequence[int] | None = None,
    watch_limit_bytes: int = WATCH_LIMIT_BYTES,
    progress: ProgressCallback | None = None,
    on_operation: Callable[[], None] = lambda: None,
    faults: Literal["raise", "record"] = "raise",
    addresses_only: bool = False,
    trace_limit_bytes: int | None = None,
    gpu: Gpu | None = None,
    config: int = 0,
    try_configs: bool = False,
    on_launch: OnLaunch | None = None,
) -> Iterator[Tracer]:
    """Execute every Triton launch inside the block with the TTIR interpreter, on CPU or CUDA tensors. Results are
    written to the tensors.

    `watch` names loop-carried variables to record, for the programs (linear ids, x fastest) that `watch_programs`
    lists or selects, up to `watch_limit_bytes` per launch. `progress(done, total, phase)` counts programs; it is called
    at least once per iteration of every loop and may raise to abort. An autotuned kernel runs the first configuration
    that pruning leaves and Triton compiles, named in `Launch.config`; its hooks run as in a benchmark, but nothing is
    timed. `Tracer.notices` says so of what the file times itself.

    `on_operation()` is called before each operation of the block on a virtual GPU, and may raise, too.

    `config` is the number (from 1) of the configuration that every autotuned kernel has to run, if it has that many.
    With `try_configs`, each of them is traced and compiled on the arguments of the first launch of its key, and what it
    wrote is taken back: `Tracer.tuning.trials`.

    `on_launch` is called before each launch is executed, with the kernel, the arguments by name, those of its IR by
    position, and the grid.

    With `faults="record"`, elements out of bounds are skipped (a load returns `other` or 0 for them) and listed in
    `Launch.faults`, as is a failed assertion, and execution continues.

    With `addresses_only`, all arithmetic that no address, mask, bound or condition depends on is skipped, including
    assertions and prints: the same accesses are recorded, much faster, but results are not written. Raises
    NeedsData if a kernel's addresses depend on a value that such a store would have written, or if the host reads one.

    With `gpu`, the block finds a CUDA device of that kind, in host memory, where there is none (`virtual_gpu`).

    `memory_budget_bytes` bounds the values of the programs that are executed together. `trace_limit_bytes` bounds the
    accesses of all launches: a launch that would exceed it raises TraceTooLarge, before it runs where that is certain,
    and does not become one of the launches.

    Raises MissingRequirement without Triton, and TilescopeError for nested use, an unknown operation (before anything
    runs) or an illegal access.
    """
    parts = frontend.triton()
    if _interprets():
        raise MissingRequirement(
            tr("Triton's interpreter is switched on, so there is no compiled kernel to trace: unset TRITON_INTERPRET.")
        )
    if not _in_use.acquire(blocking=False):
        raise TilescopeError(tr("Another trace is running in this process: start this one when it has ended."))
    tracer = Tracer(
        memory_budget_bytes,
        tuple(watch),
        _selector(watch_programs),
        watch_limit_bytes,
        progress,
        faults == "raise",
        addresses_only,
        trace_limit_bytes,
        config,
        try_configs,
        on_launch,
    )
    try:
        with _patched(parts, tracer, gpu, on_operation):
            yield tracer
    finally:
        _in_use.release()


def _selector(
    programs: Callable[[IntArray], BoolArray] | Sequence[int] | None,
) -> Callable[[IntArray], BoolArray] | None:
    if programs is None or callable(programs):
        return programs
    selected = np.asarray(programs, dtype=np.int64)
    return lambda ids: np.isin(ids, selected)


def _interprets() -> bool:
    from triton import knobs

    return bool(knobs.runtime.interpret)


@contextmanager
def _patched(parts: Any, tracer: Tracer, gpu: Gpu | None, on_operation: Callable[[], None]) -> Iterator[None]:
    """Replace what launches, tunes and times kernels, and the GPU, and restore it in any case."""
    jit_function = parts.jit.JITFunction
    kept = jit_function.run

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> LaunchHandle:
        if warmup:
            return tracer.warmup(self, args, kwargs)
        for hook in self.pre_run_hooks:
            hook(*args, **kwargs)
        return tracer.run(self, args, grid, kwargs)

    is_virtual = gpu is not None and not has_gpu()

    def in_thread() -> list[AbstractContextManager[Any]]:
        return [*([in_a_thread(on_operation)] if is_virtual else []), *tracer.in_a_thread()]

    jit_function.run = run
    try:
        with (
            fake_driver(tracer.notice, gpu),
            virtual_gpu(gpu, tracer.notice, on_operation) if gpu is not None and is_virtual else nullcontext(),
            untimed(tracer.tuning),
            inductor_launches(tracer.tuning, tracer.notice),
            nothing_timed(tracer.notice),
            tracer.observing(),
            threads_inside(in_thread),
        ):
            yield
    finally:
        jit_function.run = kept
