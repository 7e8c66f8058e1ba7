"""Routes `kernel[grid](...)` inside a with block to the TTIR interpreter, from any caller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

from core.contracts.errors import MissingRequirement, TilescopeError
from core.contracts.text import tr
from core.interpreter import frontend
from core.interpreter.binding import runtime_arguments
from core.interpreter.diagnostics import Diagnostics
from core.interpreter.executor import execute
from core.interpreter.fake_driver import fake_driver
from core.interpreter.frame import ProgressCallback
from core.interpreter.frontend import CompilationRejected
from core.interpreter.grid import checked_grid
from core.interpreter.slice import addresses_of
from core.interpreter.unwritten import UnwrittenStores
from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import Launch, WatchRecorder
from core.trace.size import TraceSize, TraceTooLarge

WATCH_LIMIT_BYTES = 64 << 20
_in_use = threading.Lock()


class Tracer:
    """The tracer that `intercept` yields. `launches` are the launches so far, in order."""

    def __init__(
        self,
        memory_budget_bytes: int,
        watch: tuple[str, ...],
        watch_programs: Callable[[IntArray], BoolArray] | None,
        watch_limit_bytes: int,
        progress: ProgressCallback | None,
        stop_at_faults: bool = True,
        addresses_only: bool = False,
        trace_limit_bytes: int | None = None,
    ) -> None:
        self.launches: list[Launch] = []
        self.too_large: TraceTooLarge | None = None
        """Why a launch did not fit the limit of the trace. Neither it nor a later one is among the launches."""
        self._size = TraceSize(trace_limit_bytes)
        self._memory_budget_bytes = memory_budget_bytes
        self._watch = watch
        self._watch_programs = watch_programs
        self._watch_limit_bytes = watch_limit_bytes
        self._progress = progress
        self._stop_at_faults = stop_at_faults
        self._config = ""
        self._addresses_only = addresses_only
        self._unwritten = UnwrittenStores()

    @property
    def trace_bytes(self) -> int:
        """The size of the trace so far, with that of the launch that is running."""
        return self._size.bytes

    def run_tuned(self, autotuner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Launch an Autotuner's kernel with the first configuration that Triton compiles."""
        named = {**dict(zip(autotuner.arg_names, args, strict=False)), **kwargs}
        rejected: CompilationRejected | None = None
        for config in autotuner.configs:
            chosen = config.all_kwargs()
            autotuner.best_config = config
            if config.pre_hook is not None:
                config.pre_hook({**named, **chosen})
            self._config = ", ".join(f"{name}={value}" for name, value in chosen.items())
            try:
                autotuner.fn.run(*args, **kwargs, **chosen)
                return
            except CompilationRejected as error:
                rejected = rejected or error
            finally:
                self._config = ""
        if rejected is not None:
            raise rejected

    def run(self, function: Any, args: tuple[Any, ...], grid: Any, kwargs: dict[str, Any]) -> None:
        """Execute and trace one launch of a JITFunction."""
        if self.too_large is not None:
            raise TraceTooLarge(self.too_large.text)
        kernel, bound = frontend.lower(function, args, kwargs)
        shape = checked_grid(kernel.name, grid, bound)
        watcher = WatchRecorder(self._watch, self._watch_programs, self._watch_limit_bytes)
        diagnostics = Diagnostics(stop_at_faults=self._stop_at_faults)
        try:
            with self._size.launch(kernel.name):
                memories, accesses = execute(
                    addresses_of(kernel.plan) if self._addresses_only else kernel.plan,
                    runtime_arguments(kernel, bound),
                    shape,
                    memory_budget_bytes=self._memory_budget_bytes,
                    watcher=watcher,
                    progress=self._progress,
                    diagnostics=diagnostics,
                    unwritten=self._unwritten,
                    size=self._size,
                )
        except TraceTooLarge as error:
            self.too_large = error
            raise
        self.launches.append(
            Launch(
                function=kernel.name,
                file=kernel.file,
                first_line=kernel.first_line,
                source=kernel.source,
                ttir=kernel.ttir,
                grid=shape,
                buffers=tuple(memory.buffer for memory in memories),
                accesses=tuple(accesses),
                watched=watcher.finish(),
                faults=diagnostics.faults,
                printed=tuple(diagnostics.printed),
                config=self._config,
            )
        )


@contextmanager
def intercept(
    *,
    memory_budget_bytes: int = 2 << 30,
    watch: Sequence[str] = (),
    watch_programs: Callable[[IntArray], BoolArray] | Sequence[int] | None = None,
    watch_limit_bytes: int = WATCH_LIMIT_BYTES,
    progress: ProgressCallback | None = None,
    faults: Literal["raise", "record"] = "raise",
    addresses_only: bool = False,
    trace_limit_bytes: int | None = None,
) -> Iterator[Tracer]:
    """Execute every Triton launch inside the block with the TTIR interpreter, on CPU or CUDA tensors. Results are
    written to the tensors.

    `watch` names loop-carried variables to record, for the programs (linear ids, x fastest) that `watch_programs`
    lists or selects, up to `watch_limit_bytes` per launch. `progress(done, total, phase)` counts programs; it is called
    at least once per iteration of every loop and may raise to abort. An autotuned kernel runs its first configuration
    that Triton compiles, named in `Launch.config`.

    With `faults="record"`, elements out of bounds are skipped (a load returns `other` or 0 for them) and listed in
    `Launch.faults`, a failed assertion is listed in `Launch.printed`, and execution continues.

    With `addresses_only`, all arithmetic that no address, mask, bound or condition depends on is skipped, including
    assertions and prints: the same accesses are recorded, much faster, but results are not written. Raises
    TilescopeError if a kernel's addresses depend on a value that such a store would have written.

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
    )
    try:
        with _patched(parts, tracer):
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
def _patched(parts: Any, tracer: Tracer) -> Iterator[None]:
    """Replace `run` of JITFunction and Autotuner, and restore it in any case."""
    from triton.runtime.autotuner import Autotuner

    jit_function = parts.jit.JITFunction
    kept = (jit_function.run, Autotuner.run)

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> None:
        if warmup:
            return
        for hook in self.pre_run_hooks:
            hook(*args, **kwargs)
        tracer.run(self, args, grid, kwargs)

    def run_first_config(self: Any, *args: Any, **kwargs: Any) -> None:
        tracer.run_tuned(self, args, kwargs)

    jit_function.run, Autotuner.run = run, run_first_config
    try:
        with fake_driver(parts.target):
            yield
    finally:
        jit_function.run, Autotuner.run = kept
