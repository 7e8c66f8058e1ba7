"""Routes `kernel[grid](...)` inside a with block to the TTIR interpreter, from any caller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from core.contracts.errors import InternalError, MissingRequirement, TilescopeError
from core.contracts.text import Text, tr
from core.hardware.gpus import Gpu
from core.interpreter import frontend, origins
from core.interpreter.autotuning import Tuning, untimed
from core.interpreter.benchmarking import nothing_timed
from core.interpreter.binding import runtime_arguments
from core.interpreter.call_site import CallSite, call_site
from core.interpreter.diagnostics import Diagnostics
from core.interpreter.executor import execute
from core.interpreter.fake_driver import fake_driver
from core.interpreter.frame import ProgressCallback
from core.interpreter.fresh_memory import FreshMemory
from core.interpreter.frontend import Kernel
from core.interpreter.grid import Grid, checked_grid
from core.interpreter.handles import LaunchHandle, Usage
from core.interpreter.host_reads import observed, unobserved
from core.interpreter.inductor import inductor_launches
from core.interpreter.memory import Memory
from core.interpreter.origins import Origins
from core.interpreter.slice import addresses_of
from core.interpreter.trial import Outputs, outputs_of, taken_back
from core.interpreter.units import in_one_unit
from core.interpreter.unwritten import NeedsData, UnwrittenStores
from core.interpreter.virtual_gpu import has_gpu, truth, virtual_gpu
from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import Buffer, Launch, WatchRecorder
from core.trace.size import TraceSize, TraceTooLarge
from core.user_code.own_work import own_work

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
        config: int = 0,
        try_configs: bool = False,
    ) -> None:
        self.launches: list[Launch] = []
        self.too_large: TraceTooLarge | None = None
        """Why a launch did not fit the limit of the trace. Neither it nor a later one is among the launches."""
        self.internal_error: InternalError | None = None
        """Tilescope's own error in a launch, in case the user's code catches it: the launches are incomplete then."""
        self._size = TraceSize(trace_limit_bytes)
        self._memory_budget_bytes = memory_budget_bytes
        self._watch = watch
        self._watch_programs = watch_programs
        self._watch_limit_bytes = watch_limit_bytes
        self._progress = progress
        self._stop_at_faults = stop_at_faults
        self.tuning = Tuning(config, self._try if try_configs else None)
        self._trial: list[tuple[Launch, Usage, Outputs]] | None = None
        self.notices: list[Text] = []
        """What differs from a run on a GPU and that the user should know."""
        self._addresses_only = addresses_only
        self._unwritten = UnwrittenStores()
        self._fresh = None if stop_at_faults else FreshMemory()
        self._origins = Origins(self._fresh)

    def notice(self, text: Text) -> None:
        """Add to the notices what is not yet among them."""
        if text not in self.notices:
            self.notices.append(text)

    @property
    def needs_data(self) -> NeedsData | None:
        """Why a trace of addresses only would be wrong: something depends on a value that it did not write."""
        return self._unwritten.needed

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Inside the block, it is seen where tensors are made, and an addresses-only trace notices what the host
        reads."""
        try:
            with observed(self._unwritten) if self._addresses_only else nullcontext(), self._origins.observing():
                yield
        finally:
            if self._fresh is not None and self.too_large is None:
                self._fresh.finished(self.launches)

    @property
    def trace_bytes(self) -> int:
        """The size of the trace so far, with that of the launch that is running."""
        return self._size.bytes

    def run(self, function: Any, args: tuple[Any, ...], grid: Any, kwargs: dict[str, Any]) -> LaunchHandle:
        """Execute and trace one launch of a JITFunction."""
        self._refuse_more()
        kernel, bound = self._lower(function, args, kwargs)
        self._launch(kernel, bound, grid, self.tuning.config_of(kwargs))
        return LaunchHandle(kernel, bound, self._launch)

    def warmup(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LaunchHandle:
        """Lower a JITFunction without launching it."""
        kernel, bound = self._lower(function, args, kwargs)
        return LaunchHandle(kernel, bound, self._launch)

    def _lower(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Kernel, dict[str, Any]]:
        with self._own_work(function.fn.__name__):
            return frontend.lower(function, args, kwargs)

    @contextmanager
    def _own_work(self, kernel: str) -> Iterator[None]:
        """What fails inside the block is a fault of Tilescope's, unless code of the user ran last."""
        try:
            with own_work(kernel):
                yield
        except InternalError as error:
            self.internal_error = error
            raise

    def _refuse_more(self) -> None:
        if self.too_large is not None:
            raise TraceTooLarge(self.too_large.text)
        if self.needs_data is not None:
            raise self.needs_data
        if self.internal_error is not None:
            raise self.internal_error

    def _launch(self, kernel: Kernel, bound: dict[str, Any], grid: Any, config: str = "") -> None:
        self._refuse_more()
        shape = checked_grid(kernel.name, grid, bound)
        variable = [name for name in bound if kernel.signature.get(name) != "constexpr"]
        site = call_site((list(bound), variable), bound)
        with self._own_work(kernel.name), unobserved(), truth(), origins.unobserved():
            arguments = runtime_arguments(kernel, bound)
        if self._trial is None:
            launch, memories = self._execute(kernel, arguments, shape, config, self._size, site)
            if self._fresh is not None:
                with origins.unobserved():
                    launch = self._fresh.launched(launch, memories, len(self.launches))
            self.launches.append(launch)
            return
        with unobserved(), truth(), origins.unobserved(), taken_back(arguments):
            size = TraceSize(self._size.limit_bytes)
            launch, memories = self._execute(kernel, arguments, shape, config, size, site)
            outputs = None if self._addresses_only else outputs_of(memories, launch.accesses)
        self._trial.append((launch, LaunchHandle(kernel, bound, self._launch).usage(), outputs))

    def _try(self, launch: Callable[[], Any]) -> tuple[Launch, Usage, Outputs]:
        """Trace a launch, and take back what it wrote."""
        self._trial = []
        try:
            launch()
            return self._trial[-1]
        finally:
            self._trial = None

    def _execute(
        self,
        kernel: Kernel,
        arguments: Sequence[Any],
        shape: Grid,
        config: str,
        size: TraceSize,
        site: CallSite,
    ) -> tuple[Launch, list[Memory]]:
        watcher = WatchRecorder(self._watch, self._watch_programs, self._watch_limit_bytes)
        diagnostics = Diagnostics(stop_at_faults=self._stop_at_faults)
        try:
            with self._own_work(kernel.name), size.launch(kernel.name), unobserved(), truth(), origins.unobserved():
                memories, run = execute(
                    addresses_of(kernel.plan) if self._addresses_only else kernel.plan,
                    arguments,
                    shape,
                    memory_budget_bytes=self._memory_budget_bytes,
                    watcher=watcher,
                    progress=self._progress,
                    diagnostics=diagnostics,
                    unwritten=self._unwritten,
                    size=size,
                )
        except TraceTooLarge as error:
            self.too_large = error
            raise
        buffers, accesses, faults = in_one_unit(memories, run.accesses, diagnostics.faults)
        for text in diagnostics.notices:
            self.notice(text)
        launch = Launch(
            function=kernel.name,
            file=kernel.file,
            first_line=kernel.first_line,
            source=kernel.source,
            ttir=kernel.ttir,
            grid=shape,
            buffers=tuple(self._named(*each, site) for each in zip(buffers, memories, strict=True)),
            accesses=accesses,
            watched=watcher.finish(),
            faults=faults,
            printed=tuple(diagnostics.printed),
            config=config,
            product_flops=run.product_flops,
            launched_at=site.location,
            addresses_only=self._addresses_only,
        )
        return launch, memories

    def _named(self, buffer: Buffer, memory: Memory, site: CallSite) -> Buffer:
        """The buffer of a memory, with what the caller called it and where it was made."""
        storage, made_at = self._origins.of(memory.flat)
        return replace(buffer, argument=site.arguments.get(buffer.name, ""), made_at=made_at, storage=storage)


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

    With `faults="record"`, elements out of bounds are skipped (a load returns `other` or 0 for them) and listed in
    `Launch.faults`, a failed assertion is listed in `Launch.printed`, and execution continues.

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

    jit_function.run = run
    try:
        with (
            fake_driver(tracer.notice, gpu),
            virtual_gpu(gpu, tracer.notice, on_operation) if gpu is not None and not has_gpu() else nullcontext(),
            untimed(tracer.tuning),
            inductor_launches(tracer.tuning, tracer.notice),
            nothing_timed(tracer.notice),
            tracer.observing(),
        ):
            yield
    finally:
        jit_function.run = kept
